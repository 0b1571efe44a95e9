"""Plans, decisions about plans, and requests for a manual rollback."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from reme_api.base import (
    ApiModel,
    ArtifactReference,
    Digest,
    Message,
    ObjectName,
    ObservedModel,
    Short,
    Time,
)
from reme_api.cel import ValidationRule, validation_rules

Username = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class ApprovalDecision(StrEnum):
    """Decision of a person about a plan."""

    APPROVE = "Approve"
    REJECT = "Reject"
    EDIT = "Edit"  # replaces the playbook; the plan of the new one needs its own approval


class Approval(ApiModel):
    """A decision about exactly one plan; needs the verb `approve` on the remediation."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                "(self.decision == 'Edit')"
                " == (has(self.editedPlaybook) && self.editedPlaybook != '')",
                "decision Edit needs editedPlaybook; remove editedPlaybook for any other decision",
                ".editedPlaybook",
            ),
            ValidationRule(
                "self.decision != 'Reject' || (has(self.reason) && self.reason != '')",
                "decision Reject needs a reason: set reason",
                ".reason",
            ),
        )
    )

    decision: ApprovalDecision
    username: Username = Field(
        description="Username of the person who decides, as authenticated by the API server."
    )
    attempt: int = Field(ge=1, le=5)
    playbook_digest: Digest = Field(
        description="Digest of the playbook that the decision is about."
    )
    plan_digest: Digest = Field(
        description="Digest of the plan that the decision is about; it holds for no other plan."
    )
    reason: Message = ""
    edited_playbook: Annotated[str, StringConstraints(max_length=16384)] = Field(
        default="", description="With decision Edit: the playbook to plan instead, as YAML or JSON."
    )


class RollbackRequest(ApiModel):
    """Request to roll back a remediation that has ended."""

    username: Username = Field(
        description="Username of the person who asks, as authenticated by the API server."
    )
    number: int = Field(
        ge=1,
        le=5,
        description="1 for the first request, then one more each time; an old number does nothing.",
    )
    reason: Message = ""


class Plan(ObservedModel):
    """Result of a server-side dry run of the playbook under the identity of the run.

    The attempt's `changes` lists the changes; the digest covers all of them and the playbook.
    """

    name: ObjectName = Field(
        description="Name of the ServiceAccount and of the RunGrant of the dry run."
    )
    namespace: ObjectName
    created_time: Time = Field(description="When the permissions of the dry run were created.")
    completion_time: Time | None = None
    digest: Digest | None = None
    omitted_changes: int = Field(
        default=0, ge=0, description="Number of changes that are not listed in `changes`."
    )
    full_changes: ArtifactReference | None = Field(
        default=None, description="All changes in full length, when `changes` has no room for them."
    )
    cleaned_up: bool = Field(
        default=False, description="True once the permissions of the dry run are deleted."
    )


class ApprovalRecord(ObservedModel):
    """A decision that the operator has recorded."""

    decision: ApprovalDecision
    username: Username
    decision_time: Time
    playbook_digest: Digest
    plan_digest: Digest
    reason: Message = ""
    original_playbook: ArtifactReference | None = Field(
        default=None, description="With decision Edit: the playbook before the edit."
    )
    edited_playbook: ArtifactReference | None = Field(
        default=None, description="With decision Edit: the playbook as the person wrote it."
    )
    refusal_message: Message = Field(
        default="",
        description="With decision Edit: why the edited playbook was refused, if it was.",
    )


class SkippedField(ObservedModel):
    """A field that a rollback did not restore."""

    kind: Short
    object_name: ObjectName
    field: Short = ""
    message: Message = ""

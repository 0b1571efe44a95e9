"""Plans, what people decide about them, and what they want taken back."""

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
from reme_api.cel import Rule, rules

Username = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class ApprovalDecision(StrEnum):
    """What a person decided about a plan."""

    APPROVE = "Approve"
    REJECT = "Reject"
    EDIT = "Edit"  # another playbook instead, which needs an approval of its own plan


class Approval(ApiModel):
    """A decision about exactly one plan; who may make it is the API server's to say."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "(self.decision == 'Edit')"
                " == (has(self.editedPlaybook) && self.editedPlaybook != '')",
                "the decision Edit needs editedPlaybook, the other decisions must not have it",
                ".editedPlaybook",
            ),
            Rule(
                "self.decision != 'Reject' || (has(self.reason) && self.reason != '')",
                "a rejection needs a reason",
                ".reason",
            ),
        )
    )

    decision: ApprovalDecision
    username: Username = Field(
        description="Who decides: the name that the API server knows them by."
    )
    attempt: int = Field(ge=1, le=5)
    playbook_digest: Digest = Field(description="Digest of the playbook that this is about.")
    plan_digest: Digest = Field(
        description="Digest of the plan that this is about, and of no other."
    )
    reason: Message = ""
    edited_playbook: Annotated[str, StringConstraints(max_length=16384)] = Field(
        default="", description="The playbook that is to be planned instead."
    )


class RollbackRequest(ApiModel):
    """That an ended remediation is to be taken back."""

    username: Username = Field(description="Who asks: the name that the API server knows them by.")
    number: int = Field(
        ge=1, le=5, description="1, or one more than the last; the same again asks for nothing."
    )
    reason: Message = ""


class Plan(ObservedModel):
    """A dry run of the playbook, by the API server, under the identity of the run.

    What it found is in `changes` of the attempt; the digest covers all of it, and the playbook.
    """

    name: ObjectName = Field(description="Name of the run's identity and of its grant.")
    namespace: ObjectName
    created_time: Time = Field(description="When the identity was given its rights.")
    completion_time: Time | None = None
    digest: Digest | None = None
    omitted_changes: int = Field(
        default=0, ge=0, description="Changes for which there is no room here."
    )
    full_changes: ArtifactReference | None = Field(
        default=None, description="All changes in full length, where they do not fit here."
    )
    cleaned_up: bool = Field(
        default=False, description="True once the rights are gone that only the dry run needed."
    )


class ApprovalRecord(ObservedModel):
    """A decision that was taken note of."""

    decision: ApprovalDecision
    username: Username
    decision_time: Time
    playbook_digest: Digest
    plan_digest: Digest
    reason: Message = ""
    original_playbook: ArtifactReference | None = Field(
        default=None, description="Of an edit: the playbook that it was made from."
    )
    edited_playbook: ArtifactReference | None = Field(
        default=None, description="Of an edit: what was written."
    )
    refusal_message: Message = Field(default="", description="Why the edited playbook may not run.")


class SkippedField(ObservedModel):
    """A field that an undo left alone."""

    kind: Short
    object_name: ObjectName
    field: Short = ""
    message: Message = ""

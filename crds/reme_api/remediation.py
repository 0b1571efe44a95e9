"""Remediation: one repair, from the report to the outcome, with everything that was decided."""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

from reme_api.actions import ActionName
from reme_api.approval import (
    Approval,
    ApprovalRecord,
    Plan,
    RollbackRequest,
    SkippedField,
    Username,
)
from reme_api.base import (
    ApiModel,
    ApiObject,
    ArtifactReference,
    Digest,
    Message,
    Milliseconds,
    ObjectName,
    ObservedModel,
    Short,
    Time,
)
from reme_api.cel import Rule, fixed, list_map_key, rules
from reme_api.conditions import Condition
from reme_api.diagnosis_report import Fault, Target
from reme_api.policy import RemediationPolicySpec
from reme_api.probes import Probe, ProbeWindow
from reme_api.reasons import Outcome, Reason, Step


class ReportReference(ApiModel):
    """The report that is acted on."""

    name: ObjectName
    uid: Short
    generation: int = Field(default=1, ge=0)


class PolicySnapshot(ApiModel):
    """The policy as it was when the remediation began."""

    name: ObjectName
    namespace: ObjectName
    uid: Short = ""
    generation: int = Field(default=0, ge=0)
    spec: RemediationPolicySpec


class RemediationSpec(ApiModel):
    """What is being repaired, under which limits: fixed, but for the last four."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                fixed(
                    name,
                    f"{name} cannot be changed: only suspend, cancel, approval and rollback can",
                )
                for name in ("reportRef", "target", "fault", "probes", "policy")
            ),
            Rule(
                "!oldSelf.cancel || self.cancel",
                "cancel cannot be taken back: make a new report",
                ".cancel",
            ),
        )
    )

    report_ref: ReportReference
    target: Target
    fault: Fault
    probes: list[Probe] = Field(max_length=8, json_schema_extra=list_map_key("name"))
    policy: PolicySnapshot
    suspend: bool = Field(default=False, description="True holds before the next step that writes.")
    cancel: bool = Field(default=False, description="True ends it; a run in progress is undone.")
    approval: Approval | None = Field(
        default=None,
        description="In mode Approve: what a person with the verb `approve` decided.",
    )
    rollback: RollbackRequest | None = Field(
        default=None,
        description="After the end: that a person with the verb `approve` wants it taken back.",
    )


class Timing(ObservedModel):
    """What one step cost."""

    step: Step
    start_time: Time
    duration_milliseconds: Milliseconds = 0
    operator_milliseconds: Milliseconds = Field(
        default=0, description="Of the duration, what the operator itself worked."
    )


class Generation(ObservedModel):
    """What the model was asked, and what it cost."""

    prompt: ArtifactReference | None = None
    reply: ArtifactReference | None = None
    schema_digest: Digest | None = None
    model: Short = ""
    model_digest: Short = ""
    adapter_digest: Short = ""
    temperature_milli: int = Field(default=0, ge=0, description="Temperature x 1000.")
    seed: int = 0
    max_tokens: int = Field(default=0, ge=0)
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    finish_reason: Short = ""
    constrained: bool = True
    abstention_reason: Message = Field(
        default="", description="Why the model would rather do nothing."
    )


class ActionRecord(ObservedModel):
    """One compiled action, for people."""

    name: ActionName
    kind: Short
    object_name: ObjectName
    summary: Message


class Change(ObservedModel):
    """What one field was and will be."""

    kind: Short
    object_name: ObjectName
    field: Short
    before: Short = ""
    after: Short = ""


class Rejection(ObservedModel):
    """Why a playbook was not run."""

    rule: Short
    message: Message


class Run(ObservedModel):
    """One Job of the sandbox."""

    name: ObjectName = Field(description="Name of the Job, its identity and its grant.")
    namespace: ObjectName
    uid: Short = Field(default="", description="UID of the Job once it was created.")
    created_time: Time | None = None
    first_task_time: Time | None = None
    completion_time: Time | None = None
    reason: Reason | None = Field(default=None, description="How it ended; absent while it runs.")
    message: Message = ""
    task_count: int = Field(default=0, ge=0)
    changed_task_count: int = Field(default=0, ge=0)
    events: ArtifactReference | None = None
    cleaned_up: bool = False


class Attempt(ObservedModel):
    """One playbook and what came of it."""

    number: int = Field(ge=1, le=5)
    start_time: Time
    completion_time: Time | None = None
    generation: Generation | None = None
    playbook: ArtifactReference | None = None
    actions: list[ActionRecord] = Field(default_factory=list, max_length=8)
    changes: list[Change] = Field(default_factory=list, max_length=32)
    plan: Plan | None = None
    approvals: list[ApprovalRecord] = Field(default_factory=list, max_length=8)
    rejection: Rejection | None = None
    observations: list[Message] = Field(
        default_factory=list,
        max_length=12,
        description="When nothing was done: the lines of the context that speak most of a fault.",
    )
    capture: ArtifactReference | None = None
    run: Run | None = None
    verification: ProbeWindow | None = None
    rollback_playbook: ArtifactReference | None = None
    rollback: Run | None = None
    rollback_verification: ProbeWindow | None = None
    skipped_fields: list[SkippedField] = Field(
        default_factory=list,
        max_length=32,
        description="Changed by somebody else meanwhile, so that the undo left it alone.",
    )
    outcome: Outcome | None = None
    reason: Reason | None = None
    message: Message = ""
    timings: list[Timing] = Field(default_factory=list, max_length=16)


class ManualRollback(ObservedModel):
    """An undo that a person asked for after the end, and what came of it."""

    number: int = Field(ge=1, le=5)
    username: Username
    reason: Message = ""
    attempt: int = Field(default=0, ge=0, le=5, description="Which is taken back; 0 when none can.")
    start_time: Time
    completion_time: Time | None = None
    playbook: ArtifactReference | None = None
    run: Run | None = None
    verification: ProbeWindow | None = None
    skipped_fields: list[SkippedField] = Field(default_factory=list, max_length=32)
    outcome: Outcome | None = Field(
        default=None, description="RolledBack, RollbackFailed, or Rejected: nothing was done."
    )
    message: Message = ""


class RemediationStatus(ObservedModel):
    """What has happened so far."""

    observed_generation: int = 0
    conditions: list[Condition] = Field(
        default_factory=list, max_length=8, json_schema_extra=list_map_key("type")
    )
    outcome: Outcome | None = None
    reason: Reason | None = Field(default=None, description="Why it ended as it did.")
    message: Message = ""
    start_time: Time | None = None
    completion_time: Time | None = None
    baseline: ProbeWindow | None = None
    attempts: list[Attempt] = Field(default_factory=list, max_length=5)
    manual_rollbacks: list[ManualRollback] = Field(default_factory=list, max_length=5)
    timings: list[Timing] = Field(default_factory=list, max_length=16)
    trace_id: Annotated[str, StringConstraints(max_length=32)] = ""
    operator_version: Short = ""


class Remediation(ApiObject):
    """One repair; people suspend, cancel, decide and undo, all else is the operator's to write."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(oldSelf.status) || !has(oldSelf.status.outcome) || (has(self.status)"
                " && has(self.status.outcome) && self.status.outcome == oldSelf.status.outcome)",
                "outcome cannot be changed once it is set",
                ".status.outcome",
            )
        )
    )

    KIND: ClassVar[str] = "Remediation"
    PLURAL: ClassVar[str] = "remediations"

    spec: RemediationSpec
    status: RemediationStatus = Field(default_factory=RemediationStatus)

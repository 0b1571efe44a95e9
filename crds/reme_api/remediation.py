"""Remediation: one repair, from the report to the outcome, with its decisions and results."""

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
from reme_api.cel import (
    ValidationRule,
    immutable,
    immutable_optional,
    list_map_key,
    validation_rules,
)
from reme_api.conditions import Condition
from reme_api.diagnosis_report import Fault, FollowUpOf, Target
from reme_api.investigation import FollowUp, InvestigationRound
from reme_api.policy import RemediationPolicySpec
from reme_api.probe_coverage import ProbeCoverage
from reme_api.probes import Probe, ProbeWindow
from reme_api.reasons import Outcome, Reason, Step


class ReportReference(ApiModel):
    """The report of the remediation."""

    name: ObjectName
    uid: Short
    generation: int = Field(default=1, ge=0)


class PolicySnapshot(ApiModel):
    """The policy at the start of the remediation."""

    name: ObjectName
    namespace: ObjectName
    uid: Short = ""
    generation: int = Field(default=0, ge=0)
    spec: RemediationPolicySpec


class RemediationSpec(ApiModel):
    """The target, fault, probes and policy (immutable), and the requests of people."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            *(
                immutable(
                    name,
                    f"{name} is immutable: only suspend, cancel, approval and rollback can change",
                )
                for name in ("reportRef", "target", "fault", "probes", "policy")
            ),
            immutable_optional("followUpOf", "followUpOf is immutable"),
            immutable_optional("coverage", "coverage is immutable"),
            ValidationRule(
                "!oldSelf.cancel || self.cancel",
                "cancel cannot be set back to false: create a new report instead",
                ".cancel",
            ),
        )
    )

    report_ref: ReportReference
    target: Target
    fault: Fault
    probes: list[Probe] = Field(max_length=8, json_schema_extra=list_map_key("name"))
    coverage: ProbeCoverage = Field(default_factory=ProbeCoverage)
    policy: PolicySnapshot
    follow_up_of: FollowUpOf | None = None
    suspend: bool = Field(
        default=False,
        description="When true, the remediation waits before its next step that writes.",
    )
    cancel: bool = Field(
        default=False,
        description="When true, the remediation ends; a run in progress is rolled back.",
    )
    approval: Approval | None = Field(
        default=None,
        description="In mode Approve: decision about the plan; needs the verb `approve`.",
    )
    rollback: RollbackRequest | None = Field(
        default=None,
        description="After the end: request for a manual rollback; needs the verb `approve`.",
    )


class Timing(ObservedModel):
    """Duration of one step."""

    step: Step
    start_time: Time
    duration_milliseconds: Milliseconds = 0
    operator_milliseconds: Milliseconds = Field(
        default=0, description="Part of the duration that the operator itself worked."
    )


class Generation(ObservedModel):
    """Request to the model, its settings and cost."""

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
        default="",
        description="Reason that the model gave for abstaining; empty when it did not abstain.",
    )


class ActionRecord(ObservedModel):
    """One compiled action, in words."""

    name: ActionName
    kind: Short
    object_name: ObjectName
    summary: Message
    effect: Short = Field(
        default="",
        description="Kind and digest of what it brings: two actions with the same are the same"
        " try.",
    )


class Change(ObservedModel):
    """Change of one field."""

    kind: Short
    object_name: ObjectName
    field: Short
    before: Short = ""
    after: Short = ""


class Rejection(ObservedModel):
    """Why a playbook was rejected."""

    rule: Short
    message: Message


class Run(ObservedModel):
    """One Job that runs a playbook."""

    name: ObjectName = Field(
        description="Name of the Job, of its ServiceAccount and of its RunGrant."
    )
    namespace: ObjectName
    uid: Short = Field(default="", description="UID of the Job once it is created.")
    created_time: Time | None = None
    first_task_time: Time | None = None
    completion_time: Time | None = None
    reason: Reason | None = Field(
        default=None, description="How the run ended; absent while it runs."
    )
    message: Message = ""
    task_count: int = Field(default=0, ge=0)
    changed_task_count: int = Field(default=0, ge=0)
    events: ArtifactReference | None = None
    cleaned_up: bool = False


class TargetState(ObservedModel):
    """State of the target at one moment."""

    template_digest: Digest = Field(description="Digest of its pod template.")
    desired: int = Field(default=0, ge=0, description="Number of pods that it should have.")
    current: int = Field(default=0, ge=0, description="Number of pods that it has.")
    updated: int = Field(default=0, ge=0, description="Number of pods of its present template.")
    available: int = Field(default=0, ge=0, description="Number of pods that are available.")
    crashing: int = Field(
        default=0, ge=0, description="Number of pods with a container that ends again and again."
    )
    killed_for_memory: list[Short] = Field(
        default_factory=list,
        max_length=16,
        description="Containers that were killed for more memory than their limit.",
    )


class Attempt(ObservedModel):
    """One playbook and its result."""

    number: int = Field(ge=1, le=5)
    start_time: Time
    completion_time: Time | None = None
    investigation: list[InvestigationRound] = Field(default_factory=list, max_length=9)
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
        description="When no action was taken: the observations of the prompt that point most to a"
        " fault.",
    )
    capture: ArtifactReference | None = None
    target_before: TargetState | None = Field(
        default=None, description="State of the target before the run."
    )
    run: Run | None = None
    verification: ProbeWindow | None = None
    target_after: TargetState | None = Field(
        default=None, description="State of the target before the rollback."
    )
    rollback_playbook: ArtifactReference | None = None
    rollback: Run | None = None
    rollback_verification: ProbeWindow | None = None
    skipped_fields: list[SkippedField] = Field(
        default_factory=list,
        max_length=32,
        description="Fields that the rollback did not restore, because someone else changed them.",
    )
    outcome: Outcome | None = None
    reason: Reason | None = None
    message: Message = ""
    timings: list[Timing] = Field(default_factory=list, max_length=16)


class ManualRollback(ObservedModel):
    """A rollback that a person requested after the end, and its result."""

    number: int = Field(ge=1, le=5)
    username: Username
    reason: Message = ""
    attempt: int = Field(
        default=0, ge=0, le=5, description="Attempt that is rolled back; 0 when there is none."
    )
    start_time: Time
    completion_time: Time | None = None
    playbook: ArtifactReference | None = None
    run: Run | None = None
    verification: ProbeWindow | None = None
    skipped_fields: list[SkippedField] = Field(default_factory=list, max_length=32)
    outcome: Outcome | None = Field(
        default=None, description="RolledBack, RollbackFailed, or Rejected (nothing was changed)."
    )
    message: Message = ""


class Hold(ObservedModel):
    """Why and since when a validated playbook may not run for now."""

    reason: Reason
    start_time: Time


class RemediationStatus(ObservedModel):
    """Progress and result."""

    observed_generation: int = 0
    conditions: list[Condition] = Field(
        default_factory=list, max_length=8, json_schema_extra=list_map_key("type")
    )
    outcome: Outcome | None = None
    reason: Reason | None = Field(default=None, description="Reason of the outcome.")
    message: Message = ""
    start_time: Time | None = None
    completion_time: Time | None = None
    baseline: ProbeWindow | None = None
    hold: Hold | None = Field(
        default=None,
        description="Set while the remediation is on hold. It then has no permissions and, before"
        " its first run, takes neither the target lock nor a slot of the budgets.",
    )
    held_seconds: int = Field(
        default=0,
        ge=0,
        description="Total time on hold; it does not count against the deadline.",
    )
    attempts: list[Attempt] = Field(default_factory=list, max_length=5)
    follow_up: FollowUp | None = None
    manual_rollbacks: list[ManualRollback] = Field(default_factory=list, max_length=5)
    timings: list[Timing] = Field(default_factory=list, max_length=16)
    trace_id: Annotated[str, StringConstraints(max_length=32)] = ""
    operator_version: Short = ""


class Remediation(ApiObject):
    """One repair. People set suspend, cancel, approval and rollback; the operator sets the rest."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                "!has(oldSelf.status) || !has(oldSelf.status.outcome) || (has(self.status)"
                " && has(self.status.outcome) && self.status.outcome == oldSelf.status.outcome)",
                "outcome is immutable once it is set",
                ".status.outcome",
            )
        )
    )

    KIND: ClassVar[str] = "Remediation"
    PLURAL: ClassVar[str] = "remediations"

    spec: RemediationSpec
    status: RemediationStatus = Field(default_factory=RemediationStatus)

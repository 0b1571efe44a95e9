"""DiagnosisReport: a fault of a workload, with evidence and probes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    model_validator,
)

from reme_api.base import (
    ApiModel,
    ApiObject,
    DnsLabel,
    Message,
    ObjectName,
    ObjectReference,
    ObservedModel,
    Short,
    Slug,
    Time,
)
from reme_api.cel import immutable, immutable_optional, list_map_key, validation_rules
from reme_api.conditions import Condition
from reme_api.probes import Probe
from reme_api.reasons import Outcome
from reme_api.report_input import (
    MAX_EVIDENCE,
    MAX_EVIDENCE_CHARACTERS,
    MAX_NOTES,
    MAX_SUMMARY_CHARACTERS,
    normalised,
)
from reme_api.validation import Pattern


class TargetKind(StrEnum):
    """Kinds of workloads that a report can target."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


class Target(ApiModel):
    """The faulty workload, in the namespace of the report."""

    api_version: Annotated[
        str, StringConstraints(max_length=64), Pattern(r"^apps/v1$", "must be apps/v1")
    ] = "apps/v1"
    kind: TargetKind = Field(description="Kind of the workload.")
    name: ObjectName = Field(description="Name of the workload, in the report's namespace.")
    container: DnsLabel | None = Field(default=None, description="Faulty container, if known.")


class Severity(StrEnum):
    """Severity of a fault, in ascending order."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


class Fault(ApiModel):
    """The diagnosis: data, never instructions."""

    type: Slug = Field(description="Short name of the fault, such as cpu-stress or bad-rollout.")
    summary: Annotated[str, StringConstraints(max_length=MAX_SUMMARY_CHARACTERS)] = Field(
        default="", description="One or two sentences for people and for the model."
    )
    confidence_percent: int | None = Field(
        default=None, ge=0, le=100, description="Confidence of the diagnosis."
    )
    start_time: Time | None = Field(
        default=None,
        description="When the fault began, such as startsAt of an alert.",
    )
    severity: Severity | None = Field(
        default=None,
        description="Severity; reports of higher severity are handled first. Medium when absent.",
    )


class EvidenceKind(StrEnum):
    """Source type of an item of evidence."""

    METRIC = "Metric"
    EVENT = "Event"
    LOG = "Log"
    TRACE = "Trace"
    TEXT = "Text"


class Evidence(ApiModel):
    """One observation; untrusted text."""

    kind: EvidenceKind = EvidenceKind.TEXT
    source: Short = Field(
        default="", description="Origin of the observation, such as a pod or a query."
    )
    text: Annotated[str, StringConstraints(max_length=MAX_EVIDENCE_CHARACTERS)] = Field(
        description="The observation; it is shortened, redacted and treated as data."
    )


class Source(ApiModel):
    """Author of the diagnosis."""

    name: Short = Field(description="Name of the tool or person.")
    reference: Short = Field(default="", description="Identifier of the finding in that tool.")


class FollowUpOf(ApiModel):
    """The remediation that opened this report for the cause of its fault; set by reme."""

    remediation: ObjectName
    uid: Short
    depth: int = Field(ge=1, le=2, description="Number of remediations before this report.")


class DiagnosisReportSpec(ApiModel):
    """The workload to repair, its fault, and how success is measured."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            immutable("target", "target is immutable: create a new report for another workload"),
            immutable_optional("followUpOf", "followUpOf is immutable: reme sets it"),
        )
    )

    target: Target
    fault: Fault
    evidence: list[Evidence] = Field(default_factory=list, max_length=MAX_EVIDENCE)
    source: Source | None = None
    probes: list[Probe] = Field(
        default_factory=list,
        max_length=8,
        description="Probes that fail now and must pass after the repair; when empty, the policy's,"
        " else derived ones.",
        json_schema_extra=list_map_key("name"),
    )
    policy_ref: ObjectReference | None = Field(
        default=None, description="Policy of this namespace to use instead of the best match."
    )
    follow_up_of: FollowUpOf | None = None
    suspend: bool = Field(default=False, description="When true, reme does not act on this report.")
    _notes: tuple[str, ...] = PrivateAttr(default=())

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed when the report was read, such as a text that was too long."""
        return self._notes

    @model_validator(mode="wrap")
    @classmethod
    def _normalised(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, Mapping):
            return handler(value)
        report = normalised(value)
        spec = handler(report.spec)
        spec._notes = report.notes  # noqa: SLF001 (its own)
        return spec


class RemediationSummary(ObservedModel):
    """A remediation of this report."""

    name: ObjectName
    outcome: Outcome | None = None
    completion_time: Time | None = None


class DiagnosisReportStatus(ObservedModel):
    """Whether reme acts on the report, and the result."""

    observed_generation: int = 0
    conditions: list[Condition] = Field(
        default_factory=list, max_length=8, json_schema_extra=list_map_key("type")
    )
    remediations: list[RemediationSummary] = Field(default_factory=list, max_length=16)
    retry_time: Time | None = Field(
        default=None, description="When a waiting report is evaluated again."
    )
    notes: list[Message] = Field(
        default_factory=list,
        max_length=MAX_NOTES,
        description="What reme read differently than it was written, and ignored or added.",
    )
    message: Message = ""


class DiagnosisReport(ApiObject):
    """A fault found by a diagnosis tool or a person, for reme to repair."""

    KIND: ClassVar[str] = "DiagnosisReport"
    PLURAL: ClassVar[str] = "diagnosisreports"

    spec: DiagnosisReportSpec
    status: DiagnosisReportStatus = Field(default_factory=DiagnosisReportStatus)

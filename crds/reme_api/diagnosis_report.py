"""DiagnosisReport: what is broken, and how one knows."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StringConstraints

from reme_api.base import (
    ApiModel,
    ApiObject,
    ContainerName,
    Message,
    ObjectName,
    ObjectReference,
    ObservedModel,
    Short,
    Slug,
    Time,
)
from reme_api.cel import fixed, list_map_key, rules
from reme_api.conditions import Condition
from reme_api.probes import Probe
from reme_api.reasons import Outcome


class TargetKind(StrEnum):
    """Kinds that a report may name."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


class Target(ApiModel):
    """The workload that is broken, in the report's own namespace."""

    api_version: Annotated[str, StringConstraints(pattern=r"^apps/v1$", max_length=64)] = "apps/v1"
    kind: TargetKind = Field(description="Kind of the workload.")
    name: ObjectName = Field(description="Name of the workload, in the report's namespace.")
    container: ContainerName | None = Field(
        default=None, description="Container that the fault is in, if that is known."
    )


class Severity(StrEnum):
    """How bad it is, from least to most."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


class Fault(ApiModel):
    """What the diagnosis says: data, never instructions."""

    type: Slug = Field(description="Short name of the fault, such as cpu-stress or bad-rollout.")
    summary: Annotated[str, StringConstraints(max_length=1024)] = Field(
        default="", description="One or two sentences for people and for the model."
    )
    confidence_percent: int | None = Field(
        default=None, ge=0, le=100, description="How sure the diagnosis is."
    )
    severity: Severity | None = Field(
        default=None,
        description="How bad it is: when there is much to do, the worst comes first. Medium when"
        " absent.",
    )


class EvidenceKind(StrEnum):
    """Where a piece of evidence comes from."""

    METRIC = "Metric"
    EVENT = "Event"
    LOG = "Log"
    TRACE = "Trace"
    TEXT = "Text"


class Evidence(ApiModel):
    """One observation, untrusted."""

    kind: EvidenceKind = EvidenceKind.TEXT
    source: Short = Field(default="", description="Where it was seen, such as a pod or a query.")
    text: Annotated[str, StringConstraints(max_length=4096)] = Field(
        description="What was seen; bounded, redacted and treated as data."
    )


class Source(ApiModel):
    """Who made the diagnosis."""

    name: Short = Field(description="Tool or person.")
    reference: Short = Field(default="", description="Identifier of the finding over there.")


class DiagnosisReportSpec(ApiModel):
    """What is to be repaired."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            fixed("target", "target cannot be changed: make a new report for another workload")
        )
    )

    target: Target
    fault: Fault
    evidence: list[Evidence] = Field(default_factory=list, max_length=32)
    source: Source | None = None
    probes: list[Probe] = Field(
        default_factory=list,
        max_length=8,
        description="What must fail now and pass afterwards; the policy's probes when empty.",
        json_schema_extra=list_map_key("name"),
    )
    policy_ref: ObjectReference | None = Field(
        default=None, description="Policy of this namespace to use, instead of the best match."
    )
    suspend: bool = Field(default=False, description="True keeps reme from acting on this report.")


class RemediationSummary(ObservedModel):
    """A remediation of this report."""

    name: ObjectName
    outcome: Outcome | None = None
    completion_time: Time | None = None


class DiagnosisReportStatus(ObservedModel):
    """What became of the report."""

    observed_generation: int = 0
    conditions: list[Condition] = Field(
        default_factory=list, max_length=8, json_schema_extra=list_map_key("type")
    )
    remediations: list[RemediationSummary] = Field(default_factory=list, max_length=16)
    retry_time: Time | None = Field(
        default=None, description="When a report that had to wait is looked at again."
    )
    message: Message = ""


class DiagnosisReport(ApiObject):
    """A finding of a diagnosis tool, or of a person, that reme is asked to repair."""

    KIND: ClassVar[str] = "DiagnosisReport"
    PLURAL: ClassVar[str] = "diagnosisreports"

    spec: DiagnosisReportSpec
    status: DiagnosisReportStatus = Field(default_factory=DiagnosisReportStatus)

"""The investigation of method ThinkRemed: rounds of inspections before a playbook is written."""

from enum import StrEnum

from pydantic import Field

from reme_api.base import (
    ApiModel,
    ArtifactReference,
    Message,
    ObjectName,
    ObservedModel,
    Short,
    Time,
)
from reme_api.reasons import Outcome, Reason


class InspectionName(StrEnum):
    """A typed read of the cluster; the MicroRemed paper calls it a probe."""

    CONTAINER_LOGS = "ContainerLogs"
    OBJECT_EVENTS = "ObjectEvents"
    DEPENDENCY = "Dependency"
    REVISION_DIFF = "RevisionDiff"
    RESOURCE_USAGE = "ResourceUsage"
    INIT_CONTAINERS = "InitContainers"
    SERVICE_ENDPOINTS = "ServiceEndpoints"
    SERVICE_REQUEST = "ServiceRequest"
    METRICS_QUERY = "MetricsQuery"
    NODE_STATE = "NodeState"
    QUOTA_STATE = "QuotaState"


class InvestigationLimits(ApiModel):
    """Limits of method ThinkRemed, per attempt."""

    max_rounds: int = Field(
        default=3, ge=0, le=8, description="Maximum of rounds; 0 inspects nothing."
    )
    max_inspections: int = Field(
        default=4, ge=1, le=8, description="Maximum of inspections per round."
    )
    max_seconds: int = Field(
        default=60,
        ge=5,
        le=600,
        description="Maximum duration of all rounds of an attempt; the playbook is then written"
        " from what is known.",
    )
    max_tokens: int = Field(
        default=8192,
        ge=0,
        le=1_000_000,
        description="Maximum of model tokens for all rounds of an attempt, prompts included; no"
        " round is started above it.",
    )
    follow_cause: bool = Field(
        default=True,
        description="When true, a fault of another workload that a policy covers is repaired by a"
        " report of its own.",
    )


class Choice(StrEnum):
    """What the coordinator chose at the start of a round."""

    INSPECT = "Inspect"  # read more
    ACT = "Act"  # write a playbook
    ABSTAIN = "Abstain"  # nothing that is allowed helps
    FOLLOW_CAUSE = "FollowCause"  # another workload of the namespace is at fault


class InspectionRecord(ObservedModel):
    """One inspection of a round, with its main finding."""

    name: InspectionName
    arguments: Message = Field(default="", description="Its subject and arguments, as JSON.")
    result: Short = Field(
        default="", description="Kind of its main finding; empty while it is in progress."
    )
    finding: Message = Field(default="", description="Its main finding.")


class Cause(ObservedModel):
    """A workload that is at fault instead of the target, and why."""

    kind: Short
    name: ObjectName
    evidence: list[Message] = Field(default_factory=list, max_length=8)


class InvestigationRound(ObservedModel):
    """One choice of the coordinator; of choice Inspect also the results."""

    number: int = Field(ge=1, le=9)
    start_time: Time
    completion_time: Time | None = Field(
        default=None, description="When the results were recorded; absent while it is in progress."
    )
    coordinator: Short = Field(default="", description="Who chose: rules, or the name of a model.")
    choice: Choice
    message: Message = Field(default="", description="Reason of the choice.")
    reason: Reason | None = Field(default=None, description="Reason of an abstention.")
    inspections: list[InspectionRecord] = Field(default_factory=list, max_length=8)
    cause: Cause | None = None
    view: ArtifactReference | None = Field(
        default=None, description="What the coordinator was given, and what it chose."
    )
    results: ArtifactReference | None = Field(
        default=None, description="All findings of the inspections."
    )
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


class FollowUp(ObservedModel):
    """The report that was opened for the cause, and its result."""

    report: ObjectName
    uid: Short = Field(default="", description="UID of the report, once it exists.")
    attempt: int = Field(ge=1, le=5, description="Attempt that followed the cause.")
    cause: Cause
    start_time: Time
    remediation: Short = Field(default="", description="Name of its remediation, once it exists.")
    outcome: Outcome | None = Field(
        default=None, description="Outcome of its remediation; absent when there was none."
    )
    message: Message = ""
    completion_time: Time | None = Field(
        default=None, description="When its remediation had ended, or was known never to start."
    )

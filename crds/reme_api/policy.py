"""RemediationPolicy: what reme may do, to what, how often, and how success is judged."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from reme_api.actions import ActionName
from reme_api.base import ApiModel, ApiObject, ObjectName, ObservedModel, Slug
from reme_api.cel import Rule, keyed_by, rules
from reme_api.conditions import Condition
from reme_api.diagnosis_report import TargetKind
from reme_api.probes import Probe

LabelKey = Annotated[str, StringConstraints(max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]


class Mode(StrEnum):
    """How far reme may go by itself."""

    OBSERVE = "Observe"
    APPROVE = "Approve"
    AUTO = "Auto"


class Method(StrEnum):
    """How a playbook is found."""

    SOLO_GEN = "SoloGen"
    THINK_REMED = "ThinkRemed"


class TargetRule(ApiModel):
    """Workloads that the policy is for; every field that is set must match."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "(has(self.kinds) && self.kinds.size() > 0)"
                " || (has(self.names) && self.names.size() > 0)"
                " || (has(self.matchLabels) && self.matchLabels.size() > 0)",
                "one of kinds, names, matchLabels must be set: an empty rule would match nothing"
                " or everything; leave targets empty for every workload",
            )
        )
    )

    kinds: list[TargetKind] = Field(default_factory=list, max_length=3)
    names: list[ObjectName] = Field(default_factory=list, max_length=64)
    match_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=16)


class ActionRule(ApiModel):
    """One action that is allowed, with its bounds; bounds are relative to the current value."""

    name: ActionName
    kinds: list[Annotated[str, StringConstraints(max_length=63)]] = Field(
        default_factory=list, max_length=8, description="Only on these kinds; any when empty."
    )
    names: list[ObjectName] = Field(
        default_factory=list, max_length=64, description="Only on these objects; any when empty."
    )
    max_increase_percent: int = Field(
        default=100,
        ge=0,
        le=900,
        description="For Scale, SetResources, SetAutoscaling and SetQuota: 100 allows up to twice "
        "the current value.",
    )
    max_decrease_percent: int = Field(
        default=0,
        ge=0,
        le=90,
        description="For Scale, SetResources and SetAutoscaling: 50 allows down to half of the "
        "current value.",
    )
    max_replicas: int = Field(
        default=10, ge=1, le=1000, description="For Scale and SetAutoscaling: never more."
    )


class Budgets(ApiModel):
    """How often reme may act."""

    max_concurrent: int = Field(default=1, ge=1, le=100, description="Open remediations at once.")
    max_per_hour: int = Field(
        default=12, ge=1, le=1000, description="Remediations begun in an hour."
    )
    cooldown_seconds: int = Field(
        default=300, ge=0, le=86400, description="Rest between two remediations of one target."
    )


class Neighbours(StrEnum):
    """Whose health is watched beside the target's."""

    NAMESPACE = "Namespace"
    NONE = "None"


class Verification(ApiModel):
    """How success is judged: probes that failed before must hold over a window after."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                # has(): the API server checks the default, an empty object, before it fills it in
                "!has(self.timeoutSeconds) || !has(self.windowSeconds)"
                " || self.timeoutSeconds >= self.windowSeconds",
                "timeoutSeconds must not be less than windowSeconds, or nothing ever succeeds",
                ".timeoutSeconds",
            )
        )
    )

    probes: list[Probe] = Field(
        default_factory=list,
        max_length=8,
        description="Used when the report brings none; a rollout probe when both are empty.",
        json_schema_extra=keyed_by("name"),
    )
    period_seconds: int = Field(default=1, ge=1, le=60, description="Time between two samples.")
    baseline_samples: int = Field(
        default=3, ge=1, le=60, description="Samples before the run; one failure shows the fault."
    )
    window_seconds: int = Field(
        default=10, ge=1, le=3600, description="How long success must hold without a break."
    )
    timeout_seconds: int = Field(
        default=120, ge=5, le=7200, description="When success has not held until then, it failed."
    )
    neighbours: Neighbours = Neighbours.NAMESPACE

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if self.timeout_seconds < self.window_seconds:
            raise ValueError("timeoutSeconds must not be less than windowSeconds")
        return self


class Rollback(ApiModel):
    """Whether a run that did not help is undone."""

    enabled: bool = True
    timeout_seconds: int = Field(default=120, ge=5, le=3600)


class Sandbox(ApiModel):
    """The limits of the Job that runs the playbook."""

    deadline_seconds: int = Field(default=120, ge=10, le=3600)
    cpu_millicores: int = Field(default=1000, ge=100, le=16000)
    memory_mebibytes: int = Field(default=384, ge=192, le=8192)


class RemediationPolicySpec(ApiModel):
    """What reme may do."""

    targets: list[TargetRule] = Field(
        default_factory=list, max_length=32, description="Any of these; every target when empty."
    )
    faults: list[Slug] = Field(
        default_factory=list, max_length=64, description="Any of these; every fault when empty."
    )
    mode: Mode = Mode.OBSERVE
    method: Method = Method.SOLO_GEN
    max_attempts: int = Field(default=2, ge=1, le=5)
    deadline_seconds: int = Field(
        default=1800, ge=30, le=86400, description="Longest remediation, all attempts together."
    )
    actions: list[ActionRule] = Field(
        default_factory=list, max_length=32, description="What is allowed; nothing when empty."
    )
    budgets: Budgets = Field(default_factory=Budgets)
    verification: Verification = Field(default_factory=Verification)
    rollback: Rollback = Field(default_factory=Rollback)
    sandbox: Sandbox = Field(default_factory=Sandbox)
    history_limit: int = Field(
        default=50, ge=0, le=1000, description="Ended remediations kept under this policy."
    )
    ttl_seconds_after_finished: int = Field(
        default=604800, ge=0, le=31536000, description="Age at which an ended one is deleted."
    )
    suspend: bool = Field(default=False, description="True stops new remediations and new runs.")


class RemediationPolicyStatus(ObservedModel):
    """Whether the policy can be used."""

    observed_generation: int = 0
    conditions: list[Condition] = Field(
        default_factory=list, max_length=4, json_schema_extra=keyed_by("type")
    )
    open: int = Field(default=0, ge=0, description="Remediations that are open under this policy.")


class RemediationPolicy(ApiObject):
    """The limits that a platform team sets; one in reme's own namespace holds everywhere."""

    KIND: ClassVar[str] = "RemediationPolicy"
    PLURAL: ClassVar[str] = "remediationpolicies"

    spec: RemediationPolicySpec = Field(default_factory=RemediationPolicySpec)
    status: RemediationPolicyStatus = Field(default_factory=RemediationPolicyStatus)

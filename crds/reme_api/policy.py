"""RemediationPolicy: what reme may do, to what, how often, and how success is judged."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from reme_api.actions import ActionName, Disruption
from reme_api.base import ApiModel, ApiObject, ObservedModel, Slug
from reme_api.budgets import Budgets
from reme_api.cel import Rule, default_from_profile, list_map_key, rules
from reme_api.conditions import Condition
from reme_api.diagnosis_report import TargetKind
from reme_api.probes import Probe
from reme_api.profiles import PROFILES, Profile
from reme_api.windows import TimeWindow

LabelKey = Annotated[str, StringConstraints(max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]
NamePattern = Annotated[
    str, StringConstraints(max_length=253, pattern=r"^[a-z0-9*?]([-a-z0-9.*?]*[a-z0-9*?])?$")
]
"""A name, in which `*` stands for any characters and `?` for one."""
FieldPattern = Annotated[str, StringConstraints(max_length=128, pattern=r"^[-A-Za-z0-9_./*?]+$")]


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
    names: list[NamePattern] = Field(
        default_factory=list, max_length=64, description="Names; * and ? stand for others."
    )
    match_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=16)


class ActionRule(ApiModel):
    """One action that is allowed, with its bounds; bounds are relative to the current value."""

    name: ActionName
    kinds: list[Annotated[str, StringConstraints(max_length=63)]] = Field(
        default_factory=list, max_length=8, description="Only on these kinds; any when empty."
    )
    names: list[NamePattern] = Field(
        default_factory=list,
        max_length=64,
        description="Only on these objects, * and ? stand for others; any when empty.",
    )
    containers: list[NamePattern] = Field(
        default_factory=list,
        max_length=16,
        description="Only in these containers, where the action is about one; any when empty.",
    )
    fields: list[FieldPattern] = Field(
        default_factory=list,
        max_length=16,
        description="Only these fields, * and ? stand for others; any when empty. What an action"
        " calls its fields stands in docs/policy.md: memoryLimit, readiness.path, a variable's name"
        " or a key.",
    )
    windows: list[TimeWindow] = Field(
        default_factory=list, max_length=4, description="Only at these times; any when empty."
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
    max_cpu_millicores: int | None = Field(
        default=None, ge=1, le=1_000_000, description="For SetResources: never more CPU than this."
    )
    max_memory_mebibytes: int | None = Field(
        default=None,
        ge=1,
        le=16_777_216,
        description="For SetResources: never more memory than this.",
    )


class EvidenceRequirements(ApiModel):
    """How sure one has to be before anything is done; less is an abstention."""

    min_confidence_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="A diagnosis that says it is less sure is not acted on; 0 without a profile.",
        json_schema_extra=default_from_profile,
    )
    require_probe_failure: bool = Field(
        default=False,
        description="True: only act on a fault that the probes have seen; false without a profile.",
        json_schema_extra=default_from_profile,
    )
    min_persistence_seconds: int = Field(
        default=0,
        ge=0,
        le=3600,
        description="How long a fault must last before anything is changed, counted from the start"
        " of the remediation; one that passes by itself is left alone. 0 without a profile.",
        json_schema_extra=default_from_profile,
    )


class NeighbourScope(StrEnum):
    """Whose health is watched beside the target's."""

    NAMESPACE = "Namespace"
    NONE = "None"


class OutsideWindows(StrEnum):
    """What becomes of a report while no window is open."""

    WAIT = "Wait"
    REFUSE = "Refuse"


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
        json_schema_extra=list_map_key("name"),
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
    neighbours: NeighbourScope = NeighbourScope.NAMESPACE

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

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.evidence) || !has(self.evidence.minPersistenceSeconds)"
                " || !has(self.deadlineSeconds)"
                " || self.evidence.minPersistenceSeconds < self.deadlineSeconds",
                "minPersistenceSeconds must be less than deadlineSeconds, or nothing ever runs",
                ".evidence.minPersistenceSeconds",
            )
        )
    )

    profile: Profile | None = Field(
        default=None,
        description="Fills in what is left out of maxAttempts, maxDisruption, actions, budgets and"
        " evidence; never the mode. docs/policy.md has what each says.",
    )
    targets: list[TargetRule] = Field(
        default_factory=list, max_length=32, description="Any of these; every target when empty."
    )
    namespaces: list[NamePattern] = Field(
        default_factory=list,
        max_length=32,
        description="For a policy in reme's own namespace: only targets in these; * and ? stand for"
        " others. Elsewhere a policy is about its own namespace and this must be empty.",
    )
    faults: list[Slug] = Field(
        default_factory=list, max_length=64, description="Any of these; every fault when empty."
    )
    mode: Mode = Mode.OBSERVE
    approval_timeout_seconds: int = Field(
        default=3600,
        ge=5,
        le=604800,
        description="In mode Approve: a plan that nobody decides on in this time is not run. The"
        " deadline does not count while it waits.",
    )
    method: Method = Method.SOLO_GEN
    max_attempts: int = Field(
        default=2,
        ge=1,
        le=5,
        description="Playbooks for one report; 2 without a profile.",
        json_schema_extra=default_from_profile,
    )
    deadline_seconds: int = Field(
        default=1800, ge=30, le=86400, description="Longest remediation, all attempts together."
    )
    actions: list[ActionRule] = Field(
        default_factory=list,
        max_length=32,
        description="What is allowed; the profile's when empty, and nothing without one.",
    )
    max_disruption: Disruption = Field(
        default=Disruption.HIGH,
        description="No action that disturbs more; High, which is no limit, without a profile.",
        json_schema_extra=default_from_profile,
    )
    windows: list[TimeWindow] = Field(
        default_factory=list,
        max_length=8,
        description="Nothing is changed outside of these times; any time when empty.",
    )
    outside_windows: OutsideWindows = Field(
        default=OutsideWindows.WAIT,
        description="Wait: a report is looked at when a window opens. Refuse: it is not acted on."
        " Wait when absent.",
        json_schema_extra=default_from_profile,
    )
    budgets: Budgets = Field(default_factory=Budgets)
    evidence: EvidenceRequirements = Field(
        default_factory=EvidenceRequirements, json_schema_extra=default_from_profile
    )
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

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        if self.profile is None:
            return self
        for name, value in PROFILES[self.profile].items():
            if isinstance(value, dict):
                _fill(getattr(self, name), value)
            elif name == "actions":
                # An empty list and none at all are the same on the wire.
                self.actions = self.actions or [ActionRule.model_validate(rule) for rule in value]
            elif name not in self.model_fields_set:
                setattr(self, name, value)
        return self


def _fill(part: ApiModel, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in part.model_fields_set:
            setattr(part, name, value)


class RemediationPolicyStatus(ObservedModel):
    """Whether the policy can be used."""

    observed_generation: int = 0
    conditions: list[Condition] = Field(
        default_factory=list, max_length=4, json_schema_extra=list_map_key("type")
    )
    open_remediations: int = Field(
        default=0, ge=0, description="Remediations that are open under this policy."
    )


class RemediationPolicy(ApiObject):
    """The limits that a platform team sets; one in reme's own namespace holds everywhere."""

    KIND: ClassVar[str] = "RemediationPolicy"
    PLURAL: ClassVar[str] = "remediationpolicies"

    spec: RemediationPolicySpec = Field(default_factory=RemediationPolicySpec)
    status: RemediationPolicyStatus = Field(default_factory=RemediationPolicyStatus)

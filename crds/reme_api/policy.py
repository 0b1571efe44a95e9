"""RemediationPolicy: allowed actions and targets, rate limits, and the criteria of success."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from reme_api.actions import ActionName, Disruption
from reme_api.base import ApiModel, ApiObject, ObservedModel, Slug
from reme_api.budgets import Budgets
from reme_api.cel import ValidationRule, default_from_profile, list_map_key, validation_rules
from reme_api.conditions import Condition
from reme_api.diagnosis_report import TargetKind
from reme_api.investigation import InvestigationLimits
from reme_api.probes import Probe
from reme_api.profiles import PROFILES, Profile
from reme_api.validation import Pattern
from reme_api.windows import TimeWindow

LabelKey = Annotated[str, StringConstraints(max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]
NamePattern = Annotated[
    str,
    StringConstraints(max_length=253),
    Pattern(
        r"^[a-z0-9*?]([-a-z0-9.*?]*[a-z0-9*?])?$",
        "must be the name of an object, in which * and ? are wildcards: only lower-case letters,"
        " digits, -, ., * and ?",
    ),
]
"""A name pattern: `*` matches any characters, `?` matches one."""
FieldPattern = Annotated[
    str,
    StringConstraints(max_length=128),
    Pattern(
        r"^[-A-Za-z0-9_./*?]+$",
        "must be the name of a field, in which * and ? are wildcards: only letters, digits, -, _,"
        " ., /, * and ?",
    ),
]


class Mode(StrEnum):
    """How far reme may go without a person."""

    OBSERVE = "Observe"
    APPROVE = "Approve"
    AUTO = "Auto"


class Method(StrEnum):
    """How a playbook is generated."""

    SOLO_GEN = "SoloGen"
    THINK_REMED = "ThinkRemed"


class TargetRule(ApiModel):
    """Selects workloads; every field that is set must match."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                "(has(self.kinds) && self.kinds.size() > 0)"
                " || (has(self.names) && self.names.size() > 0)"
                " || (has(self.matchLabels) && self.matchLabels.size() > 0)",
                "an empty target rule is ambiguous: set kinds, names or matchLabels, or remove the"
                " rule; an empty list of targets selects every workload",
            )
        )
    )

    kinds: list[TargetKind] = Field(default_factory=list, max_length=3)
    names: list[NamePattern] = Field(
        default_factory=list,
        max_length=64,
        description="Name patterns: * matches any characters, ? one.",
    )
    match_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=16)


class ActionRule(ApiModel):
    """An allowed action and its bounds; bounds are relative to the current value."""

    name: ActionName
    kinds: list[Annotated[str, StringConstraints(max_length=63)]] = Field(
        default_factory=list,
        max_length=8,
        description="Allowed only on these kinds; on any when empty.",
    )
    names: list[NamePattern] = Field(
        default_factory=list,
        max_length=64,
        description="Allowed only on objects with these names (* and ? are wildcards); on any when"
        " empty.",
    )
    containers: list[NamePattern] = Field(
        default_factory=list,
        max_length=16,
        description="For actions on a container: allowed only in these; in any when empty.",
    )
    fields: list[FieldPattern] = Field(
        default_factory=list,
        max_length=16,
        description="Allowed only on these fields (* and ? are wildcards); on any when empty. The"
        " reference of actions lists the fields of each: memoryLimit, readiness.path, the name of a"
        " variable, a key.",
    )
    windows: list[TimeWindow] = Field(
        default_factory=list,
        max_length=4,
        description="Allowed only in these time windows; always when empty.",
    )
    max_increase_percent: int = Field(
        default=100,
        ge=0,
        le=900,
        description="For Scale, SetResources, SetAutoscaling and SetQuota: largest increase;"
        " 100 allows up to twice the current value.",
    )
    max_decrease_percent: int = Field(
        default=0,
        ge=0,
        le=90,
        description="For Scale, SetResources and SetAutoscaling: largest decrease; 50 allows"
        " down to half of the current value.",
    )
    max_replicas: int = Field(
        default=10, ge=1, le=1000, description="For Scale and SetAutoscaling: maximum of replicas."
    )
    max_cpu_millicores: int | None = Field(
        default=None, ge=1, le=1_000_000, description="For SetResources: maximum of CPU."
    )
    max_memory_mebibytes: int | None = Field(
        default=None,
        ge=1,
        le=16_777_216,
        description="For SetResources: maximum of memory.",
    )


class EvidenceRequirements(ApiModel):
    """Evidence that is required before a change; reme abstains when there is less."""

    min_confidence_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Minimum confidence of the diagnosis. Default without a profile: 0.",
        json_schema_extra=default_from_profile,
    )
    require_probe_failure: bool = Field(
        default=False,
        description="When true, the probes must fail before anything is changed. Default without a"
        " profile: false.",
        json_schema_extra=default_from_profile,
    )
    min_persistence_seconds: int = Field(
        default=0,
        ge=0,
        le=3600,
        description="How long a fault must persist before anything is changed, from the start of"
        " the remediation; nothing is changed when it ends earlier. Default without a profile: 0.",
        json_schema_extra=default_from_profile,
    )


class NeighbourScope(StrEnum):
    """Which workloads are checked for side effects of a run."""

    NAMESPACE = "Namespace"
    NONE = "None"


class OutsideWindows(StrEnum):
    """What happens to a report while no time window is open."""

    WAIT = "Wait"
    REFUSE = "Refuse"


class Verification(ApiModel):
    """Criteria of success: the probes must pass without a break over a window after the run."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                # has(): the API server checks the default, an empty object, before it fills it in
                "!has(self.timeoutSeconds) || !has(self.windowSeconds)"
                " || self.timeoutSeconds >= self.windowSeconds",
                "timeoutSeconds is less than windowSeconds, so no verification could succeed:"
                " raise it",
                ".timeoutSeconds",
            )
        )
    )

    probes: list[Probe] = Field(
        default_factory=list,
        max_length=8,
        description="Probes of reports without their own; derived probes when both are empty.",
        json_schema_extra=list_map_key("name"),
    )
    period_seconds: int = Field(default=1, ge=1, le=60, description="Interval between two samples.")
    baseline_samples: int = Field(
        default=3,
        ge=1,
        le=60,
        description="Number of samples before the run; one failure shows the fault.",
    )
    window_seconds: int = Field(
        default=10, ge=1, le=3600, description="How long the probes must pass without a break."
    )
    timeout_seconds: int = Field(
        default=120,
        ge=5,
        le=7200,
        description="Verification fails when the window was not reached within this time.",
    )
    neighbours: NeighbourScope = NeighbourScope.NAMESPACE

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if self.timeout_seconds < self.window_seconds:
            raise ValueError("timeoutSeconds must not be less than windowSeconds: raise it")
        return self


class Rollback(ApiModel):
    """Whether a run that did not help is rolled back."""

    enabled: bool = True
    timeout_seconds: int = Field(default=120, ge=5, le=3600)


class Sandbox(ApiModel):
    """Limits of the Job that runs the playbook."""

    deadline_seconds: int = Field(default=120, ge=10, le=3600)
    cpu_millicores: int = Field(default=1000, ge=100, le=16000)
    memory_mebibytes: int = Field(default=384, ge=192, le=8192)


class RemediationPolicySpec(ApiModel):
    """Allowed actions and targets, limits, and criteria of success."""

    model_config = ConfigDict(
        json_schema_extra=validation_rules(
            ValidationRule(
                "!has(self.evidence) || !has(self.evidence.minPersistenceSeconds)"
                " || !has(self.deadlineSeconds)"
                " || self.evidence.minPersistenceSeconds < self.deadlineSeconds",
                "minPersistenceSeconds is not less than deadlineSeconds, so nothing could"
                " run: lower it",
                ".evidence.minPersistenceSeconds",
            )
        )
    )

    profile: Profile | None = Field(
        default=None,
        description="Sets the defaults of maxAttempts, maxDisruption, actions, budgets and"
        " evidence; never the mode.",
    )
    targets: list[TargetRule] = Field(
        default_factory=list,
        max_length=32,
        description="Workloads of the policy: those that match any of these; every one when empty.",
    )
    namespaces: list[NamePattern] = Field(
        default_factory=list,
        max_length=32,
        description="In the release namespace: namespaces of the policy (* and ? are wildcards);"
        " all when empty. In any other namespace the policy holds for that namespace, and"
        " this must be"
        " empty.",
    )
    faults: list[Slug] = Field(
        default_factory=list,
        max_length=64,
        description="Fault types of the policy; every type when empty.",
    )
    mode: Mode = Mode.OBSERVE
    approval_timeout_seconds: int = Field(
        default=3600,
        ge=5,
        le=604800,
        description="In mode Approve: a plan expires when nobody decides within this time. The time"
        " does not count against the deadline.",
    )
    hold_timeout_seconds: int = Field(
        default=86400,
        ge=5,
        le=604800,
        description="A plan expires when it was on hold for this time in total: outside of the time"
        " windows, suspended, stopped by the kill switch, or without room in target or budgets.",
    )
    method: Method = Field(
        default=Method.SOLO_GEN,
        description="SoloGen: one request per attempt. ThinkRemed: rounds of inspections first.",
    )
    investigation: InvestigationLimits = Field(
        default_factory=InvestigationLimits, description="Limits of method ThinkRemed."
    )
    max_attempts: int = Field(
        default=2,
        ge=1,
        le=5,
        description="Maximum of playbooks per report. Default without a profile: 2.",
        json_schema_extra=default_from_profile,
    )
    deadline_seconds: int = Field(
        default=1800,
        ge=30,
        le=86400,
        description="Maximum duration of a remediation, all attempts together. Time on hold, and"
        " time that a person takes to decide, do not count.",
    )
    actions: list[ActionRule] = Field(
        default_factory=list,
        max_length=32,
        description="Allowed actions; those of the profile when empty, none without a profile.",
    )
    max_disruption: Disruption = Field(
        default=Disruption.HIGH,
        description="Maximum disruption of an action. Default without a profile: High, no limit.",
        json_schema_extra=default_from_profile,
    )
    windows: list[TimeWindow] = Field(
        default_factory=list,
        max_length=8,
        description="Time windows in which changes are allowed; always when empty.",
    )
    outside_windows: OutsideWindows = Field(
        default=OutsideWindows.WAIT,
        description="Wait: the report is evaluated when a window opens. Refuse: it is not acted on."
        " Default: Wait.",
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
        default=50, ge=0, le=1000, description="Number of ended remediations that are kept."
    )
    ttl_seconds_after_finished: int = Field(
        default=604800,
        ge=0,
        le=31536000,
        description="Age at which an ended remediation is deleted.",
    )
    suspend: bool = Field(
        default=False, description="When true, no remediation and no run is started."
    )

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        if self.profile is None:
            return self
        for name, value in PROFILES[self.profile].items():
            if isinstance(value, dict):
                _fill(getattr(self, name), value)
            elif name == "actions":
                # The API server stores an absent list as an empty one.
                self.actions = self.actions or [ActionRule.model_validate(rule) for rule in value]
            elif name not in self.model_fields_set:
                setattr(self, name, value)
        return self


def _fill(part: ApiModel, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in part.model_fields_set:
            setattr(part, name, value)


class RemediationPolicyStatus(ObservedModel):
    """Whether the policy is valid and in use."""

    observed_generation: int = 0
    conditions: list[Condition] = Field(
        default_factory=list, max_length=4, json_schema_extra=list_map_key("type")
    )
    open_remediations: int = Field(
        default=0, ge=0, description="Number of open remediations under this policy."
    )


class RemediationPolicy(ApiObject):
    """Limits set by a platform team; one in the release namespace holds in all namespaces."""

    KIND: ClassVar[str] = "RemediationPolicy"
    PLURAL: ClassVar[str] = "remediationpolicies"

    spec: RemediationPolicySpec = Field(default_factory=RemediationPolicySpec)
    status: RemediationPolicyStatus = Field(default_factory=RemediationPolicyStatus)

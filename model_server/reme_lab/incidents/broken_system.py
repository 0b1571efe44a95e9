"""A system with a fault: its evidence, the expected repairs, and its effects in the simulator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import System
from reme_lab.simulator import (
    AllowedDifference,
    BehaviourRule,
    NumericSetting,
    RecurringStress,
    Stress,
)
from reme_model.prompt.schema import Abstain
from reme_playbook.actions.registry import Action


@dataclass(frozen=True)
class ExpectedAction:
    """An action of this kind, on this object and with these values."""

    action: type[Any]
    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def find_in(self, space: Sequence[Action]) -> Action | None:
        """Return the first possible action that matches; None if there is none."""
        return next((action for action in space if self._fits(action)), None)

    def _fits(self, action: Action) -> bool:
        return (
            isinstance(action, self.action)
            and self.name in ("", action.target.name)
            and all(getattr(action, key) == value for key, value in self.values.items())
        )


def expect(action: type[Any], name: str = "", **values: Any) -> ExpectedAction:
    """Return an expected action."""
    return ExpectedAction(action, name, values)


Repair = tuple[ExpectedAction, ...]


@dataclass(frozen=True)
class EvidenceText:
    """Evidence that a tool would quote; a text pattern."""

    kind: str
    source: str
    text: str


@dataclass(frozen=True)
class FaultEffects:
    """Effects that no API shows: how the program and its pods behave."""

    stresses: Mapping[str, Stress] = field(default_factory=dict)
    """Faults of single pods, by name."""
    rules: Sequence[BehaviourRule] = ()
    """Behaviour of the target's program under conditions on its settings."""
    default_behaviour: Mapping[str, Any] = field(default_factory=dict)
    """Behaviour otherwise; fields of `Behaviour`."""
    recurring_stress: Sequence[RecurringStress] = ()
    numeric_settings: Sequence[NumericSetting] = ()
    missing_images: Sequence[str] = ()
    missing_secret_keys: Sequence[tuple[str, str]] = ()
    entry_service: str = ""
    """The Service that users call, if it is not the target's."""
    entry_port: int = 80
    ingress: str = ""
    """The Ingress that users call, if they use one."""
    path: str = "/"
    allowed_differences: Sequence[AllowedDifference] = ()
    """What a good repair may leave different."""


NO_EFFECTS = FaultEffects()


@dataclass
class BrokenSystem:
    """A system with a fault. Text patterns contain `[a
    b]` and `{value}`, see `Rng.expand`.
    """

    system: System
    fault_types: Sequence[str]
    """Names that diagnosis tools give the fault, the plainest first."""
    summaries: Sequence[str]
    terse_summaries: Sequence[str]
    wrong_diagnoses: Sequence[tuple[str, str]] = ()
    """Wrong diagnoses that fit the symptoms: type and summary."""
    evidence: Sequence[EvidenceText] = ()
    user_impact: str = ""
    """What users experience: slow, errors, refused, silent, quick or nothing unusual."""
    repairs: Sequence[Repair] = ()
    """Good repairs, the least disruptive first."""
    abstain: Abstain | None = None
    useless_repairs: Sequence[Repair] = ()
    """Actions that somebody might try first, and that do not help."""
    text_values: Mapping[str, object] = field(default_factory=dict)
    usage_thresholds: Mapping[str, int] = field(default_factory=dict)
    """Thresholds in percent of the report's usage probes, by resource."""
    expects_spare_replica: bool = False
    """Whether the report's rollout probe expects one more replica."""
    missing_port: int = 0
    """A port that clients use and the Service does not have."""
    probed_service: str = ""
    """The Service that the report's probe calls, if it is not the target's."""
    probed_port: int = 0
    also_probed: Sequence[tuple[str, int]] = ()
    """More Services that probes call, with their ports; they respond with errors."""
    effects: FaultEffects = NO_EFFECTS


FaultMaker = Callable[[Rng, System], BrokenSystem | None]
"""Adds a fault to a healthy system; returns None if the fault does not fit the system."""

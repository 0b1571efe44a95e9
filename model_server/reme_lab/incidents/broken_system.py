"""A broken system, what can be said about it, and what an expert would do."""

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
    """An action that an expert wants: of this kind, about this object, with these values."""

    action: type[Any]
    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def find_in(self, space: Sequence[Action]) -> Action | None:
        """Return the first possible action that is wanted, or nothing."""
        return next((action for action in space if self._fits(action)), None)

    def _fits(self, action: Action) -> bool:
        return (
            isinstance(action, self.action)
            and self.name in ("", action.target.name)
            and all(getattr(action, key) == value for key, value in self.values.items())
        )


def expect(action: type[Any], name: str = "", **values: Any) -> ExpectedAction:
    """Return a wish."""
    return ExpectedAction(action, name, values)


Repair = tuple[ExpectedAction, ...]


@dataclass(frozen=True)
class EvidenceText:
    """One piece of evidence that a tool would quote; a pattern of text."""

    kind: str
    source: str
    text: str


@dataclass(frozen=True)
class FaultEffects:
    """What no API shows of a fault: how the program and its pods really behave."""

    stresses: Mapping[str, Stress] = field(default_factory=dict)
    """What is wrong with single pods, by name."""
    rules: Sequence[BehaviourRule] = ()
    """How the target's program behaves when it is told this or that."""
    default_behaviour: Mapping[str, Any] = field(default_factory=dict)
    """How it behaves otherwise; fields of `Behaviour`."""
    recurring_stress: Sequence[RecurringStress] = ()
    numeric_settings: Sequence[NumericSetting] = ()
    missing_images: Sequence[str] = ()
    missing_secret_keys: Sequence[tuple[str, str]] = ()
    entry_service: str = ""
    """The Service at which users come in, if it is not the target's."""
    entry_port: int = 80
    ingress: str = ""
    """Where users come in, if not by a Service."""
    path: str = "/"
    allowed_differences: Sequence[AllowedDifference] = ()
    """What a good repair may leave other than it was."""


NO_EFFECTS = FaultEffects()


@dataclass
class BrokenSystem:
    """One incident; patterns of text hold `[a|b]` and `{value}`, as `Rng.expand` reads them."""

    system: System
    fault_types: Sequence[str]
    """What diagnosis tools call it; the first is the plainest."""
    summaries: Sequence[str]
    terse_summaries: Sequence[str]
    wrong_diagnoses: Sequence[tuple[str, str]] = ()
    """Wrong diagnoses that such symptoms lead to: type and summary."""
    evidence: Sequence[EvidenceText] = ()
    user_impact: str = ""
    """What those who ask the service get: slow, errors, refused, silent, or nothing unusual."""
    repairs: Sequence[Repair] = ()
    """What an expert would do, the least disruptive first."""
    abstain: Abstain | None = None
    useless_repairs: Sequence[Repair] = ()
    """What somebody might try first and what would not help."""
    text_values: Mapping[str, object] = field(default_factory=dict)
    usage_thresholds: Mapping[str, int] = field(default_factory=dict)
    """Usage that a probe of the report asks for, by resource."""
    expects_spare_replica: bool = False
    """Whether the report's rollout probe asks for one replica more."""
    missing_port: int = 0
    """A port that is asked for and that the Service does not have."""
    probed_service: str = ""
    """The Service that is asked, if it is not the target's."""
    probed_port: int = 0
    also_probed: Sequence[tuple[str, int]] = ()
    """Further Services that are asked, with their ports, and that answer with errors."""
    effects: FaultEffects = NO_EFFECTS


FaultMaker = Callable[[Rng, System], BrokenSystem | None]
"""Breaks a healthy system; nothing where this fault does not fit it."""

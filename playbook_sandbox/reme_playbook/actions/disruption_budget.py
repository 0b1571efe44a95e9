"""SetDisruptionBudget: lets a PodDisruptionBudget that blocks all evictions allow one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Action,
    Draft,
    PatchPart,
    Shorten,
    by_name,
    camel,
    set_values,
    spaced,
    targets_of,
)
from reme_playbook.actions.string_types import CountOrPercent
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.field_path import FieldValue, Path, Write
from reme_playbook.snapshot.related_views import allows_eviction
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_KEYS = {"min_available": "minAvailable", "max_unavailable": "maxUnavailable"}
_NAMES = {key: name for name, key in _KEYS.items()}


class SetDisruptionBudget(Action):
    """Sets how many pods a PodDisruptionBudget keeps; the one field that it already has."""

    NAME = ActionName.SET_DISRUPTION_BUDGET
    KINDS = frozenset({"PodDisruptionBudget"})
    BOUNDS = (
        "of a budget of the target alone that allows no eviction: at least half of the pods stay, "
        "and one at a time may be evicted"
    )
    RESTORES = "the earlier value"
    EXAMPLE: ClassVar[Draft] = {"min_available": 2}

    action: Literal["SetDisruptionBudget"] = "SetDisruptionBudget"
    min_available: CountOrPercent | None = None
    max_unavailable: CountOrPercent | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.values()) != 1:
            raise ValueError("either minAvailable or maxUnavailable must be set")
        return self

    def values(self) -> dict[str, int | str]:
        """Return what is set, by field."""
        return set_values(self, _KEYS)

    def summary(self) -> str:
        """Return one line for people."""
        ((name, value),) = self.values().items()
        return f"Set {spaced(name)} {value} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        """Return the field."""
        del run_id
        return tuple(Write(("spec", _KEYS[name]), value) for name, value in self.values().items())

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        """Return what a field of the budget amounts to."""
        match path:
            case ("spec", str(key)) if key in _NAMES:
                return PatchPart(path[:1], {"action": "SetDisruptionBudget", _NAMES[key]: value})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        """Return the line in the list of choices."""
        del shorten
        ((name, value),) = self.values().items()
        return f"set {spaced(name)} of {self.target.name} to", str(value)

    def field_names(self) -> tuple[str, ...]:
        """Return `minAvailable` or `maxUnavailable`."""
        return tuple(map(camel, self.values()))

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it unless no pod can be evicted now, and one at a time can afterwards."""
        del rules
        view = next(b for b in snapshot.budgets if b.name == self.target.name)
        ((name, desired),) = self.values().items()
        if getattr(view, name) is None:
            raise RejectedPlaybookError(
                RejectionRule.NOT_FOUND, f"{self.target} has no {spaced(name)}"
            )
        total = snapshot.replicas.desired
        if allows_eviction(view.min_available, view.max_unavailable, total):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already allows an eviction"
            )
        if not isinstance(desired, int):
            raise RejectedPlaybookError(RejectionRule.VALUE, f"{spaced(name)} must be a number")
        half = -(-total // 2)
        one = half <= desired < total if name == "min_available" else desired == 1 < total
        if not one:
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS,
                "one pod at a time may be evicted, and at least half of them must stay",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield the smallest change that allows an eviction."""
        total = snapshot.replicas.desired
        for target in targets_of(snapshot, "PodDisruptionBudget"):
            view = next(b for b in snapshot.budgets if b.name == target.name)
            head = {"target": target, "action": "SetDisruptionBudget"}
            if allows_eviction(view.min_available, view.max_unavailable, total):
                continue
            if view.max_unavailable is not None:
                yield {**head, "max_unavailable": 1}
            elif total > 1:
                yield {**head, "min_available": total - 1}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        """Return the earlier value."""
        return ({"action": "SetDisruptionBudget", **by_name(self.values(), self, before)},)

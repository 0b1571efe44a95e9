"""SetDisruptionBudget: lets a PodDisruptionBudget that blocks all evictions allow one."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Draft,
    spaced,
    targets_of,
)
from reme_playbook.actions.fields import FieldsAction
from reme_playbook.actions.string_types import CountOrPercent
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.related_views import allows_eviction
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class SetDisruptionBudget(FieldsAction):
    """Sets how many pods a PodDisruptionBudget keeps; the one field that it already has."""

    NAME = ActionName.SET_DISRUPTION_BUDGET
    KINDS = frozenset({"PodDisruptionBudget"})
    PARENT = ("spec",)
    FIELDS = ("min_available", "max_unavailable")
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

    def summary(self) -> str:
        return f"Set {self.values_text()} of {self.target}"

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject it unless no pod can be evicted now, and one at a time can afterwards."""
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

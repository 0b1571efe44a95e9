"""SetAutoscaling: sets the bounds of a HorizontalPodAutoscaler."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from reme_api.actions import ActionName, Disruption
from reme_api.policy import ActionRule
from reme_playbook.actions.base import (
    Draft,
    permitted_range,
    spaced,
    targets_of,
)
from reme_playbook.actions.effect import effect_of
from reme_playbook.actions.fields import FieldsAction
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Replicas = Annotated[int, Field(strict=True, ge=1, le=10_000)]


class SetAutoscaling(FieldsAction):
    """Sets between how many replicas a HorizontalPodAutoscaler chooses."""

    NAME = ActionName.SET_AUTOSCALING
    KINDS = frozenset({"HorizontalPodAutoscaler"})
    PARENT = ("spec",)
    FIELDS = ("min_replicas", "max_replicas")
    BOUNDS = (
        "of the target's autoscaler: `maxIncreasePercent` and `maxDecreasePercent` of the present "
        "number, earlier numbers, never above `maxReplicas`, never 0"
    )
    RESTORES = "the earlier numbers"
    EXAMPLE: ClassVar[Draft] = {"max_replicas": 4}

    action: Literal["SetAutoscaling"] = "SetAutoscaling"
    min_replicas: Replicas | None = None
    max_replicas: Replicas | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.values():
            raise ValueError("minReplicas or maxReplicas must be set")
        if self.min_replicas and self.max_replicas and self.min_replicas > self.max_replicas:
            raise ValueError("minReplicas must be at most maxReplicas")
        return self

    def summary(self) -> str:
        return f"Set {self.values_text()} of {self.target}"

    def brings(self, snapshot: ClusterSnapshot, pods: str) -> str:
        """Return the same for every number in one direction, as for Scale."""
        view = next((a for a in snapshot.autoscalers if a.name == self.target.name), None)
        directions = [
            (name, view is not None and value > getattr(view, name))
            for name, value in self.values().items()
            if view is None or value != getattr(view, name)
        ]
        return effect_of(self.NAME, str(self.target), directions)

    def current_disruption(self, snapshot: ClusterSnapshot) -> Disruption:
        """Return Low if there would be fewer replicas."""
        now = snapshot.replicas.current
        return Disruption.LOW if (self.max_replicas or now) < now else Disruption.NONE

    @classmethod
    def rule_bounds(cls, rule: ActionRule, snapshot: ClusterSnapshot) -> Iterator[str]:
        yield f"up to {rule.max_increase_percent} % more"

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject numbers that no rule allows; earlier numbers are within bounds."""
        view = next(a for a in snapshot.autoscalers if a.name == self.target.name)
        now = {"min_replicas": view.min_replicas, "max_replicas": view.max_replicas}
        new = {**now, **self.values()}
        if new == now:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already has these bounds"
            )
        if new["min_replicas"] > new["max_replicas"]:
            raise RejectedPlaybookError(
                RejectionRule.VALUE, "min replicas would be more than max replicas"
            )
        earlier = earlier_values.autoscaling(snapshot, self.target)
        for name, desired in self.values().items():
            allowed = any(
                desired <= rule.max_replicas
                and (desired == earlier.get(name) or desired in permitted_range(now[name], rule))
                for rule in rules
            )
            if desired != now[name] and not allowed:
                raise RejectedPlaybookError(
                    RejectionRule.BOUNDS,
                    f"the policy does not allow {spaced(name)} {desired} instead of {now[name]}",
                )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield the bounds as they were applied, and higher ones where more pods are needed."""
        for target in targets_of(snapshot, "HorizontalPodAutoscaler"):
            view = next(a for a in snapshot.autoscalers if a.name == target.name)
            head = {"target": target, "action": "SetAutoscaling"}
            now = {"min_replicas": view.min_replicas, "max_replicas": view.max_replicas}
            earlier = earlier_values.autoscaling(snapshot, target)
            differing = {name: value for name, value in earlier.items() if value != now[name]}
            if differing:
                yield {**head, **differing}
            if view.wants_more:
                most = view.max_replicas
                for replicas in dict.fromkeys([most + 1, most + 2, most * 2]):
                    yield {**head, "max_replicas": replicas}

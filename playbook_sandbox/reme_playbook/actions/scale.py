"""Scale: sets the number of replicas."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from reme_api.actions import ActionName, Disruption
from reme_api.policy import ActionRule
from reme_api.run_grant import GrantRule
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.base import (
    Action,
    Conflict,
    Draft,
    PatchPart,
    Restoration,
    Shorten,
    Template,
    permitted_range,
)
from reme_playbook.actions.effect import effect_of
from reme_playbook.actions.modules import K8S_SCALE, Task
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import FieldValue, Path, Write, merge_patch
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_EARLIER = 3


class Scale(Action):
    """Sets the number of replicas; only a rollback may set zero."""

    NAME = ActionName.SCALE
    KINDS = frozenset({"Deployment", "StatefulSet"})
    DISRUPTION = Disruption.LOW  # if there are fewer afterwards
    BOUNDS = (
        "`maxIncreasePercent` and `maxDecreasePercent` of the present number, earlier numbers, "
        "never above `maxReplicas`, never 0"
    )
    RESTORES = "the earlier value"
    EXAMPLE: ClassVar[Draft] = {"replicas": 3}

    action: Literal["Scale"] = "Scale"
    replicas: Annotated[int, Field(strict=True, ge=0, le=10_000)]

    def summary(self) -> str:
        return f"Scale {self.target} to {self.replicas}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(("spec", "replicas"), self.replicas),)

    def brings(self, snapshot: ClusterSnapshot, pods: str) -> str:
        """Return the same for every number above the present one, and for every one below.

        More pods answer a lack of pods and fewer a lack of room: one that did not help says nothing
        about the other, and another number of the same kind is the same try.
        """
        direction = "up" if self.replicas > snapshot.replicas.desired else "down"
        return effect_of(self.NAME, str(self.target), direction)

    def task(self, run_id: str = "now") -> Task:
        return {K8S_SCALE: {**self.location(), "replicas": self.replicas}}

    def requests(
        self, run_id: str, manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> list[ApiRequest]:
        body = merge_patch(self.writes(run_id))
        return [ApiRequest.strategic_merge(self.target, body, subresource="scale")]

    @classmethod
    def from_patch(cls, path: Path, value: Any) -> PatchPart | None:
        if path == ("spec", "replicas"):
            return PatchPart(path, {"action": "Scale", "replicas": value})
        return None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return "scale to", str(self.replicas)

    def field_names(self) -> tuple[str, ...]:
        return ("replicas",)

    def current_disruption(self, snapshot: ClusterSnapshot) -> Disruption:
        """Return Low if there would be fewer replicas."""
        grows = self.replicas >= snapshot.replicas.desired
        return Disruption.NONE if grows else Disruption.LOW

    @classmethod
    def rule_bounds(cls, rule: ActionRule, snapshot: ClusterSnapshot) -> Iterator[str]:
        now = snapshot.replicas.desired
        steps = permitted_range(now, rule)
        lowest, highest = max(1, steps[0]), min(steps[-1], rule.max_replicas)
        highest = max(lowest, highest)
        yield f"replicas: {now} now, {lowest} to {highest} allowed, or a previous number"

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject a number that no rule allows.

        Earlier numbers are within bounds, as is one replica if there is none; `maxReplicas` holds
        for all of them.
        """
        now, replicas = snapshot.replicas.desired, self.replicas
        if replicas < 1:
            raise RejectedPlaybookError(RejectionRule.HIDES_SYMPTOM, "replicas may not become 0")
        if replicas == now:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} already has {now} replicas"
            )
        if snapshot.autoscaled:
            raise RejectedPlaybookError(
                RejectionRule.CONTRADICTION, f"an autoscaler sets the replicas of {self.target}"
            )
        earlier = {*earlier_values.replica_counts(snapshot), *([1] if now == 0 else [])}
        if not any(
            replicas <= rule.max_replicas
            and (replicas in earlier or replicas in permitted_range(now, rule))
            for rule in rules
        ):
            raise RejectedPlaybookError(
                RejectionRule.BOUNDS,
                f"the policy does not allow {replicas} replicas instead of {now}",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield the next numbers, the double, and the earlier numbers nearest to the present."""
        now = snapshot.replicas.desired
        earlier = sorted(earlier_values.replica_counts(snapshot), key=lambda n: (abs(n - now), n))[
            :MAX_EARLIER
        ]
        first = [1] if now == 0 else []
        for replicas in dict.fromkeys([*first, now + 1, now + 2, now * 2, *earlier]):
            yield {"action": "Scale", "replicas": replicas}

    def grants(self, run_id: str, template: Template | None) -> list[GrantRule]:
        values = self._granted_values(run_id)
        return [self.grant(subresource="scale", fields=self.granted(), values=values)]

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        (replicas,) = before.values()
        return ({"action": "Scale", "replicas": replicas},)

    def restore(
        self,
        before: Sequence[FieldValue],
        after: Sequence[FieldValue],
        snapshot: ClusterSnapshot,
    ) -> Restoration:
        """Return the earlier number, unless an autoscaler sets the replicas by now.

        No autoscaler sets them while there are none: then zero is restored.
        """
        if snapshot.autoscaled and tuple(before) != (0,):
            message = f"an autoscaler sets the replicas of {self.target}"
            return Restoration(conflicts=(Conflict(self.target, "spec.replicas", message),))
        return super().restore(before, after, snapshot)

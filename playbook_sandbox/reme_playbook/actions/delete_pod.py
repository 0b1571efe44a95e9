"""DeletePod: deletes one pod, which its workload replaces."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from reme_api.actions import ActionName, Disruption
from reme_api.policy import ActionRule
from reme_api.run_grant import GrantRule, Verb
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.base import Action, Draft, Shorten, Template, targets_of
from reme_playbook.actions.effect import effect_of
from reme_playbook.actions.modules import K8S, Task
from reme_playbook.snapshot.field_path import FieldValue, Path, Write
from reme_playbook.snapshot.object_diff import Difference
from reme_playbook.snapshot.object_ref import WORKLOADS, ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

MAX_PODS = 5


class DeletePod(Action):
    """Deletes one pod, which its workload replaces."""

    NAME = ActionName.DELETE_POD
    KINDS = frozenset({"Pod"})
    RULE_KINDS = WORKLOADS  # nobody knows the names of pods in advance
    DISRUPTION = Disruption.LOW
    BOUNDS = "a pod of the target; of those that are ready at most one"
    RESTORES = "nothing to restore"
    EXAMPLE_NAME = "cart-6d5f7-x2x4q"

    action: Literal["DeletePod"] = "DeletePod"

    def summary(self) -> str:
        return f"Delete {self.target}, to be replaced"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return ()

    def brings(self, snapshot: ClusterSnapshot, pods: str) -> str:
        """Return the same for every pod of the target: any of them is made anew alike."""
        return effect_of(self.NAME, str(snapshot.target))

    def deletes(self) -> frozenset[ObjectRef]:
        return frozenset({self.target})

    def touches(self) -> tuple[tuple[ObjectRef, Path], ...]:
        return ((self.target, ()),)

    def task(self, run_id: str = "now") -> Task:
        return {K8S: {**self.location(), "state": "absent"}}

    def requests(
        self, run_id: str, manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> list[ApiRequest]:
        return [ApiRequest.delete(self.target)]

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return "delete pod", self.target.name

    def current_disruption(self, snapshot: ClusterSnapshot) -> Disruption:
        """Return High for the only pod that is ready, None for one that is not."""
        ready = {pod.name for pod in snapshot.pods if pod.ready}
        if self.target.name not in ready:
            return Disruption.NONE
        return Disruption.HIGH if len(ready) == 1 else Disruption.LOW

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Allow it: that at most one ready pod is deleted is checked for all actions together."""

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield pods, those that are not ready and restarted most often first."""
        targets = {target.name: target for target in targets_of(snapshot, "Pod")}
        worst_first = sorted(snapshot.pods, key=lambda p: (p.ready, -p.restarts, p.name))
        for pod in worst_first[:MAX_PODS]:
            if pod.name in targets:
                yield {"target": targets[pod.name], "action": "DeletePod"}

    def grants(self, run_id: str, template: Template | None) -> list[GrantRule]:
        return [self.grant(verb=Verb.DELETE)]

    def capture(
        self, snapshot: ClusterSnapshot
    ) -> tuple[tuple[FieldValue, ...], tuple[FieldValue, ...]]:
        return (), ()

    def changes(self, snapshot: ClusterSnapshot) -> Iterator[Difference]:
        yield Difference.deletion(self.target)

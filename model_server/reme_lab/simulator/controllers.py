"""Controllers of Deployments, StatefulSets and DaemonSets: roll out and scale their pods."""

from collections.abc import Mapping
from typing import Any

from reme_api.parsing import parse_int
from reme_lab.simulator.pod_control import PodControl, int_or_percent, runs_template
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import template_of
from reme_lab.simulator.scheduling import daemon_nodes
from reme_lab.simulator.world import Pod, ReplicaSet, World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.related_views import pods_of

Json = Mapping[str, Any]

_MAX_ROUNDS = 200


def run_controller(world: World, key: ObjectRef) -> World:
    """Return the world after the controller of this workload has done all it can."""
    control = PodControl(world, key)
    match key.kind:
        case "Deployment":
            _sync_deployment(control)
        case "StatefulSet":
            _sync_stateful_set(control)
        case "DaemonSet":
            _sync_daemon_set(control)
    return control.result()


def _sync_deployment(control: PodControl) -> None:
    spec = unstructured.mapping(control.workload, "spec")
    replicas = unstructured.number(spec, "replicas", default=1)
    control.refresh()
    replica_sets = _ReplicaSets(control, template_of(control.workload))
    replica_sets.reconcile()
    if spec.get("paused") is True:
        replica_sets.scale_paused(replicas)
    elif unstructured.text(spec, "strategy", "type") == "Recreate":
        replica_sets.recreate(replicas)
    else:
        replica_sets.roll(replicas, *_surge_and_unavailable(spec, replicas))
    control.refresh()
    replica_sets.store()


def _surge_and_unavailable(spec: Json, replicas: int) -> tuple[int, int]:
    """Return maxSurge and maxUnavailable of a Deployment in pods."""
    rolling = unstructured.mapping(spec, "strategy", "rollingUpdate")
    surge = pods_of(int_or_percent(rolling.get("maxSurge", "25%")), replicas)
    share = int_or_percent(rolling.get("maxUnavailable", "25%"))
    unavailable = pods_of(share, replicas, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


class _Sized:
    """A ReplicaSet whose size the Deployment's controller changes."""

    def __init__(self, template: Json, size: int) -> None:
        self.template, self.size = template, size


class _ReplicaSets:
    """The ReplicaSets of a Deployment while its controller works on them, the newest last."""

    def __init__(self, control: PodControl, template: Json) -> None:
        self._control = control
        stored = control.world.replica_sets.get(control.key, ())
        self._all = [_Sized(replica_set.template, replica_set.size) for replica_set in stored]
        current = next((r for r in self._all if r.template is template), None)
        if current is None:
            current = _Sized(template, 0)
            self._all.append(current)
        self._new = current

    @property
    def _old(self) -> list[_Sized]:
        return [replica_set for replica_set in self._all if replica_set is not self._new]

    @property
    def _sizes(self) -> list[int]:
        return [replica_set.size for replica_set in self._all]

    def _pods(self, replica_set: _Sized) -> list[Pod]:
        return [pod for pod in self._control.own if runs_template(pod, replica_set.template)]

    def reconcile(self) -> None:
        """Create the missing pods of each ReplicaSet, and delete surplus ones."""
        creation_error = ""
        for replica_set in self._all:
            pods = self._pods(replica_set)
            while len(pods) > replica_set.size:
                victim = self._deletion_candidate(pods)
                pods.remove(victim)
                self._control.remove(victim)
            for _ in range(replica_set.size - len(pods)):
                if not self._control.create(replica_set.template):
                    creation_error = self._control.creation_error
                    break
        self._control.creation_error = creation_error

    def _deletion_candidate(self, pods: list[Pod]) -> Pod:
        """Return the pod to delete first: unscheduled, then not ready, then the youngest."""
        statuses = self._statuses()
        order = [
            (bool(pod.node), pod.name in statuses and statuses[pod.name].ready, -index)
            for index, pod in enumerate(pods)
        ]
        return pods[order.index(min(order))]

    def _statuses(self) -> dict[str, PodStatus]:
        control = self._control
        return {
            pod.name: status
            for pod, status in zip(control.own, control.pod_statuses(), strict=True)
        }

    def scale_paused(self, replicas: int) -> None:
        """Scale a paused Deployment: resize what runs, the newest ReplicaSet first."""
        running = [replica_set for replica_set in self._all if replica_set.size] or [self._new]
        missing = replicas - sum(self._sizes)
        for replica_set in reversed(running):
            step = max(-replica_set.size, missing)
            replica_set.size += step
            missing -= step
            if not missing:
                break
        self.reconcile()

    def recreate(self, replicas: int) -> None:
        """Delete all old pods, then create the new ones."""
        for replica_set in self._old:
            replica_set.size = 0
        self.reconcile()
        self._new.size = replicas
        self.reconcile()

    def roll(self, replicas: int, surge: int, unavailable: int) -> None:
        """Roll out step by step, until no step is possible."""
        for _ in range(_MAX_ROUNDS):
            before = self._sizes
            old_size = sum(replica_set.size for replica_set in self._old)
            room = replicas + surge - old_size - self._new.size
            new_size = min(replicas, self._new.size + max(0, room))
            if new_size != self._new.size:
                self._new.size = new_size
                self.reconcile()
                self._control.refresh()
            if old_size:
                self._shrink_old(replicas - unavailable)
            if self._sizes == before:
                return
            self.reconcile()
            self._control.refresh()

    def _shrink_old(self, min_available: int) -> None:
        statuses = self._statuses()
        ready = {
            id(replica_set): sum(statuses[pod.name].ready for pod in self._pods(replica_set))
            for replica_set in self._all
        }
        new_unready = self._new.size - ready[id(self._new)]
        removable = sum(self._sizes) - min_available - new_unready
        if removable <= 0:
            return
        spare = sum(ready.values()) - min_available
        for replica_set in self._old:
            step = min(replica_set.size - ready[id(replica_set)], removable)  # unready ones first
            replica_set.size -= step
            removable -= step
        for replica_set in self._old:
            if spare > 0:
                step = min(replica_set.size, ready[id(replica_set)], spare)
                replica_set.size -= step
                spare -= step

    def store(self) -> None:
        """Hand the ReplicaSets with pods back to the world."""
        self._control.replica_sets = tuple(
            ReplicaSet(replica_set.template, replica_set.size)
            for replica_set in self._all
            if replica_set.size
        )


def _sync_stateful_set(control: PodControl) -> None:
    """Roll out and scale one pod after the other; an unready pod stops an ordered rollout."""
    spec = unstructured.mapping(control.workload, "spec")
    template = template_of(control.workload)
    replicas = unstructured.number(spec, "replicas", default=1)
    in_order = unstructured.text(spec, "podManagementPolicy") != "Parallel"
    on_delete = unstructured.text(spec, "updateStrategy", "type") == "OnDelete"
    partition = unstructured.number(spec, "updateStrategy", "rollingUpdate", "partition")
    control.refresh()
    for _ in range(_MAX_ROUNDS):
        if not _create_missing(control, template, replicas, in_order=in_order):
            return
        by_ordinal = _by_ordinal(control)
        surplus = max((ordinal for ordinal in by_ordinal if ordinal >= replicas), default=None)
        if surplus is not None:
            control.remove(by_ordinal[surplus])
            continue
        if on_delete or not _delete_outdated(control, template, partition, by_ordinal):
            return


def stuck_pods(world: World, key: ObjectRef) -> list[str]:
    """Return the pods of a StatefulSet that it does not replace when its template changes."""
    if key.kind != "StatefulSet":
        return []
    control = PodControl(world, key)
    spec = unstructured.mapping(control.workload, "spec")
    strategy = unstructured.mapping(spec, "updateStrategy")
    on_delete = strategy.get("type") == "OnDelete"
    if spec.get("podManagementPolicy") == "Parallel" and not on_delete:
        return []
    partition = unstructured.number(strategy, "rollingUpdate", "partition")
    first = 0 if on_delete else partition
    template, statuses = template_of(control.workload), _statuses_by_name(control)
    return [
        pod.name
        for pod in control.own
        if _ordinal(pod) >= first and runs_template(pod, template) and not statuses[pod.name].ready
    ]


def _create_missing(control: PodControl, template: Json, replicas: int, *, in_order: bool) -> bool:
    """Create missing pods by ordinal; return False if a pod stops the rest."""
    by_ordinal = _by_ordinal(control)
    control.creation_error = ""
    for ordinal in range(replicas):
        name = f"{control.key.name}-{ordinal}"
        if ordinal not in by_ordinal and not control.create(template, name):
            return False
        control.refresh()
        if in_order and not _statuses_by_name(control)[name].ready:
            return False
    return True


def _delete_outdated(
    control: PodControl, template: Json, partition: int, by_ordinal: Mapping[int, Pod]
) -> bool:
    """Delete the last pod of an older template; False if there is none, or one is not ready."""
    statuses = _statuses_by_name(control)
    for ordinal in sorted(by_ordinal, reverse=True):
        if ordinal < partition:
            return False
        pod = by_ordinal[ordinal]
        if not runs_template(pod, template):
            control.remove(pod)
            return True
        if not statuses[pod.name].ready:
            return False
    return False


def _statuses_by_name(control: PodControl) -> dict[str, PodStatus]:
    return {
        pod.name: status for pod, status in zip(control.own, control.pod_statuses(), strict=True)
    }


def _by_ordinal(control: PodControl) -> dict[int, Pod]:
    return {_ordinal(pod): pod for pod in control.own}


def _ordinal(pod: Pod) -> int:
    return parse_int(pod.name.rpartition("-")[2]) or 0


def _sync_daemon_set(control: PodControl) -> None:
    """Keep a pod on every matching node, and roll out."""
    template = template_of(control.workload)
    strategy = unstructured.mapping(control.workload, "spec", "updateStrategy")
    share = unstructured.at(strategy, "rollingUpdate", "maxUnavailable")
    nodes = daemon_nodes(control.world, template)
    max_unavailable = max(1, pods_of(int_or_percent(1 if share is None else share), len(nodes)))
    on_delete = unstructured.text(strategy, "type") == "OnDelete"
    control.refresh()
    for _ in range(_MAX_ROUNDS):
        for pod in control.own:
            if pod.node not in nodes:
                control.remove(pod)
        occupied = {pod.node for pod in control.own}
        for node in nodes:
            if node not in occupied:
                control.create(template, node=node)
        if on_delete or not _replace_outdated(control, template, len(nodes), max_unavailable):
            return


def _replace_outdated(control: PodControl, template: Json, desired: int, most: int) -> bool:
    """Delete old pods: unready ones at once, ready ones while at most `most` are missing."""
    pairs = list(zip(control.own, control.pod_statuses(), strict=True))
    old = [(pod, status) for pod, status in pairs if not runs_template(pod, template)]
    unready = [pod for pod, status in old if not status.ready]
    missing = desired - sum(status.ready for _, status in pairs)
    ready = [pod for pod, status in old if status.ready][: max(0, most - missing)]
    for pod in (*unready, *ready):
        control.remove(pod)
    return bool(unready or ready)

"""What the controllers of StatefulSets and DaemonSets do."""

from collections.abc import Mapping
from typing import Any

from reme_api.parsing import parse_int
from reme_lab.simulator import scheduling
from reme_lab.simulator.revisions import template_of
from reme_lab.simulator.workload_pods import PodControl, int_or_percent, runs_template
from reme_lab.simulator.world import Pod
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.related_views import pods_of

Json = Mapping[str, Any]

_MOST_ROUNDS = 200


def stateful_set(work: PodControl) -> None:
    """Roll out and scale a StatefulSet, one pod after the other, as far as it gets."""
    spec = unstructured.mapping(work.found, "spec")
    template, wanted = template_of(work.found), unstructured.number(spec, "replicas", default=1)
    in_order = unstructured.text(spec, "podManagementPolicy") != "Parallel"
    on_delete = unstructured.text(spec, "updateStrategy", "type") == "OnDelete"
    partition = unstructured.number(spec, "updateStrategy", "rollingUpdate", "partition")
    work.refresh()
    for _ in range(_MOST_ROUNDS):
        by_place = {_ordinal(pod): pod for pod in work.own}
        if not _filled(work, template, wanted, by_place, in_order=in_order):
            return
        by_place = {_ordinal(pod): pod for pod in work.own}
        extra = max((n for n in by_place if n >= wanted), default=None)
        if extra is not None:
            work.remove(by_place[extra])
            continue
        if on_delete or not _replaced(work, template, partition, by_place):
            return


def _filled(
    work: PodControl, template: Json, wanted: int, by_place: Mapping[int, Pod], *, in_order: bool
) -> bool:
    """Make what is missing, the first first; False when one that is not ready holds up the rest."""
    work.creation_error = ""
    for place in range(wanted):
        if place not in by_place and not work.create(template, f"{work.key.name}-{place}"):
            return False
        work.refresh()
        led = {p.name: life for p, life in zip(work.own, work.pod_statuses(), strict=True)}
        if in_order and not led[f"{work.key.name}-{place}"].ready:
            return False
    return True


def _replaced(
    work: PodControl, template: Json, partition: int, by_place: Mapping[int, Pod]
) -> bool:
    """Delete the last pod of an older template; False when there is none, or one is not ready."""
    led = {p.name: life for p, life in zip(work.own, work.pod_statuses(), strict=True)}
    for place in sorted(by_place, reverse=True):
        if place < partition:
            return False
        pod = by_place[place]
        if not runs_template(pod, template):
            work.remove(pod)
            return True
        if not led[pod.name].ready:
            return False
    return False


def _ordinal(pod: Pod) -> int:
    return parse_int(pod.name.rpartition("-")[2]) or 0


def daemon_set(work: PodControl) -> None:
    """Have a pod on every node that a DaemonSet asks for, and roll out."""
    template = template_of(work.found)
    spec = unstructured.mapping(work.found, "spec")
    fewer = spec.get("updateStrategy", {}) or {}
    step = unstructured.at(fewer, "rollingUpdate", "maxUnavailable")
    wanted = scheduling.daemon_nodes(work.world, template)
    most = max(1, pods_of(int_or_percent(1 if step is None else step), len(wanted)))
    work.refresh()
    for _ in range(_MOST_ROUNDS):
        for pod in work.own:
            if pod.node not in wanted:
                work.remove(pod)
        there = {pod.node for pod in work.own}
        for node in wanted:
            if node not in there:
                work.create(template, node=node)
        if unstructured.text(fewer, "type") == "OnDelete" or not _exchanged(
            work, template, wanted, most
        ):
            return


def _exchanged(work: PodControl, template: Json, wanted: list[str], most: int) -> bool:
    """Delete old pods: those that do not work at once, and others while few are missing."""
    pairs = list(zip(work.own, work.pod_statuses(), strict=True))
    old = [(pod, life) for pod, life in pairs if not runs_template(pod, template)]
    broken = [pod for pod, life in old if not life.ready]
    missing = len(wanted) - sum(life.ready for _, life in pairs)
    sound = [pod for pod, life in old if life.ready][: max(0, most - missing)]
    for pod in (*broken, *sound):
        work.remove(pod)
    return bool(broken or sound)

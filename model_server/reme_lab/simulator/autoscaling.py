"""What HorizontalPodAutoscalers make of the load."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reme_lab.simulator.field_writes import set_field
from reme_lab.simulator.network import network_of
from reme_lab.simulator.template_facts import cpu_or_zero, template_facts
from reme_lab.simulator.world import World
from reme_playbook.snapshot import related_views, unstructured
from reme_playbook.snapshot.object_ref import ObjectRef

Json = Mapping[str, Any]

_TOLERANCE_PERCENT = 10
_DEFAULT_PERCENT = 80


class AutoscalerDecision(NamedTuple):
    """What an autoscaler does: how many it wants, and how many it may have."""

    workload: ObjectRef
    desired: int
    allowed: int


def autoscaler_decision(world: World, found: Json) -> AutoscalerDecision | None:
    """Return what an autoscaler wants of the workload that it scales; None where it is idle."""
    view = related_views.autoscaler(found)
    key = next((k for k in world.workloads if (k.kind, k.name) == (view.kind, view.scales)), None)
    if key is None:
        return None
    now = unstructured.number(world.objects[key], "spec", "replicas", default=1)
    if now == 0 or not world.ground_truth.metrics_available:
        return None  # it is switched off, or knows nothing
    wanted = _wanted(world, key, found, now)
    return AutoscalerDecision(key, wanted, max(view.min_replicas, min(wanted, view.max_replicas)))


def _wanted(world: World, key: ObjectRef, found: Json, now: int) -> int:
    target = next(
        (
            unstructured.number(metric, "resource", "target", "averageUtilization")
            for metric in unstructured.items(found, "spec", "metrics")
            if unstructured.text(metric, "resource", "name") == "cpu"
        ),
        _DEFAULT_PERCENT,
    )
    pairs = [
        (pod, life)
        for pod, life in zip(
            world.pods.get(key, ()), network_of(world).pod_statuses(key), strict=True
        )
        if life.running
    ]
    if not pairs or target <= 0:
        return now
    # What the load costs, whoever bears it: the controller comes to that step by step, since what
    # runs at its limit asks for more each time.
    load = max(life.behaviour.cpu_millicores for _, life in pairs)
    container = template_facts(pairs[0][0].template).container(world.program(key).container)
    amounts = container.resources if container else None
    request = cpu_or_zero((amounts and (amounts.cpu_request or amounts.cpu_limit)) or "")
    if not request:
        return now
    if any(life.stress.cpu for _, life in pairs):
        load = max(load, sum(life.cpu for _, life in pairs))
    percent = 100 * load // (request * now)
    if abs(percent - target) * 100 <= _TOLERANCE_PERCENT * target:
        return now
    return max(1, -(-load * 100 // (request * target)))


def autoscale(world: World) -> World:
    """Return the world with the numbers of replicas that autoscalers set; not settled."""
    for _, found in world.of_kind("HorizontalPodAutoscaler"):
        one = autoscaler_decision(world, found)
        if one is None:
            continue
        workload = world.objects[one.workload]
        if unstructured.number(workload, "spec", "replicas", default=1) != one.allowed:
            world = world.with_objects(
                (one.workload, set_field(workload, one.allowed, "spec", "replicas"))
            )
    return world

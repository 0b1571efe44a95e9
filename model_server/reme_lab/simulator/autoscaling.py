"""HorizontalPodAutoscalers: computes and applies their desired replicas."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reme_lab.simulator.network import network_of
from reme_lab.simulator.template_facts import cpu_or_zero, template_facts
from reme_lab.simulator.world import World
from reme_playbook.snapshot import related_views, unstructured
from reme_playbook.snapshot.field_writes import set_field
from reme_playbook.snapshot.object_ref import ObjectRef

Json = Mapping[str, Any]

_TOLERANCE_PERCENT = 10
_DEFAULT_PERCENT = 80


class AutoscalerDecision(NamedTuple):
    """The replicas that an autoscaler computes, and the replicas that its bounds allow."""

    workload: ObjectRef
    desired: int
    allowed: int


def autoscaler_decision(world: World, autoscaler: Json) -> AutoscalerDecision | None:
    """Return the decision of an autoscaler; None if it is inactive."""
    view = related_views.autoscaler(autoscaler)
    key = next((k for k in world.workloads if (k.kind, k.name) == (view.kind, view.scales)), None)
    if key is None:
        return None
    replicas = unstructured.number(world.objects[key], "spec", "replicas", default=1)
    if replicas == 0 or not world.ground_truth.metrics_available:
        return None  # scaled to zero, or no metrics
    desired = _desired_replicas(world, key, autoscaler, replicas)
    return AutoscalerDecision(key, desired, max(view.min_replicas, min(desired, view.max_replicas)))


def _desired_replicas(world: World, key: ObjectRef, autoscaler: Json, replicas: int) -> int:
    target = next(
        (
            unstructured.number(metric, "resource", "target", "averageUtilization")
            for metric in unstructured.items(autoscaler, "spec", "metrics")
            if unstructured.text(metric, "resource", "name") == "cpu"
        ),
        _DEFAULT_PERCENT,
    )
    pairs = [
        (pod, status)
        for pod, status in zip(
            world.pods.get(key, ()), network_of(world).pod_statuses(key), strict=True
        )
        if status.running
    ]
    if not pairs or target <= 0:
        return replicas
    # The load of all pods together. A pod at its limit hides a part of it, which the real
    # controller finds in several steps.
    load = max(status.behaviour.cpu_millicores for _, status in pairs)
    container = template_facts(pairs[0][0].template).container(world.program(key).container)
    amounts = container.resources if container else None
    request = cpu_or_zero((amounts and (amounts.cpu_request or amounts.cpu_limit)) or "")
    if not request:
        return replicas
    if any(status.stress.cpu for _, status in pairs):
        load = max(load, sum(status.cpu for _, status in pairs))
    percent = 100 * load // (request * replicas)
    if abs(percent - target) * 100 <= _TOLERANCE_PERCENT * target:
        return replicas
    return max(1, -(-load * 100 // (request * target)))


def autoscale(world: World) -> World:
    """Return the world with the replicas that autoscalers set, not settled."""
    for _, autoscaler in world.of_kind("HorizontalPodAutoscaler"):
        decision = autoscaler_decision(world, autoscaler)
        if decision is None:
            continue
        workload = world.objects[decision.workload]
        if unstructured.number(workload, "spec", "replicas", default=1) != decision.allowed:
            world = world.with_objects(
                (decision.workload, set_field(workload, decision.allowed, "spec", "replicas"))
            )
    return world

"""The health of a whole world in a few numbers: what a repair must bring back."""

from dataclasses import dataclass

from reme_lab.simulator.autoscaling import autoscaler_decision
from reme_lab.simulator.identity_cache import cache_by_identity, cache_recent_by_identity
from reme_lab.simulator.network import Network, Response, network_of, request_entry_point, severity
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.replica_counts import ReplicaCounts, replica_counts
from reme_lab.simulator.template_facts import service_view
from reme_lab.simulator.world import EntryPoint, World
from reme_playbook.snapshot import related_views
from reme_playbook.snapshot.object_ref import ObjectRef


@dataclass(frozen=True)
class WorldHealth:
    """How everything in a world is doing."""

    counts: dict[ObjectRef, ReplicaCounts]
    responses: dict[tuple[str, int], Response]
    entry_points: dict[EntryPoint, Response]
    pod_problems: dict[ObjectRef, str]
    """What is wrong inside the pods of a workload."""
    blocking_budgets: frozenset[str]
    """The disruption budgets that let no pod go."""
    autoscaled_workloads: frozenset[ObjectRef]
    """The workloads whose number of replicas is an autoscaler's business."""


@cache_recent_by_identity
def world_health(world: World) -> WorldHealth:
    """Return how everything in the world is doing."""
    network = network_of(world)
    workloads = world.workloads
    return WorldHealth(
        counts={key: replica_counts(network, key) for key in workloads},
        responses={
            (key.name, port.port): _asked(network, key.name, port.port)
            for key, found in world.of_kind("Service")
            for port in service_view(found).ports
        },
        entry_points={front: request_entry_point(network, front) for front in _fronts(world)},
        pod_problems={
            key: trouble for key in workloads if (trouble := _trouble(network.pod_statuses(key)))
        },
        blocking_budgets=frozenset(
            key.name
            for key, found in world.of_kind("PodDisruptionBudget")
            if _blocks(world, network, related_views.budget(found))
        ),
        autoscaled_workloads=frozenset(
            one.workload
            for _, found in world.of_kind("HorizontalPodAutoscaler")
            if (one := autoscaler_decision(world, found))
        ),
    )


def _fronts(world: World) -> dict[EntryPoint, None]:
    """Return where users come in: the known fronts, and every Ingress."""
    ingresses = [EntryPoint(ingress=key.name) for key, _ in world.of_kind("Ingress")]
    return dict.fromkeys([*world.ground_truth.entry_points, *ingresses])


def _asked(network: Network, service: str, port: int) -> Response:
    """Return the worst answer that those who call a Service get; what others get without them."""
    callers = network.callers().get(service)
    if not callers:
        return network.request(service, port, "/")
    return max((network.request(service, port, "/", labels) for labels in callers), key=severity)


@cache_by_identity
def _trouble(found: tuple[PodStatus, ...]) -> str:
    for life in found:
        if life.flaps:
            return f"a container ends again and again: {life.ended}"
        stress = life.stress
        if stress.cpu:
            return "something else uses the CPU of a pod"
        if stress.memory_bytes:
            return "something else holds the memory of a pod"
        if stress.disk:
            return "writes of a pod are slow"
        if stress.loss_percent or stress.delay_milliseconds:
            return "packets of a pod are lost or late"
        if life.crowded:
            return "a pod is throttled"
    return ""


def _blocks(world: World, network: Network, view: related_views.DisruptionBudgetView) -> bool:
    return disruptions_allowed(world, network, view) < 1


def disruptions_allowed(
    world: World, network: Network, view: related_views.DisruptionBudgetView
) -> int:
    """Return how many pods a disruption budget lets go now."""
    desired = healthy = 0
    for key in world.workloads:
        template = world.objects[key].get("spec", {}).get("template") or {}
        labels = template.get("metadata", {}).get("labels") or {}
        if view.selector.matches(labels):
            count = replica_counts(network, key)
            desired += count.desired
            healthy += count.ready
    if view.max_unavailable is not None:
        least = desired - related_views.pods_of(view.max_unavailable, desired)
    else:
        least = related_views.pods_of(view.min_available or 0, desired)
    return max(0, healthy - least)

"""Replica counts, and the health of a whole world: what a repair must restore."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from reme_lab.simulator.autoscaling import autoscaler_decision
from reme_lab.simulator.identity_cache import (
    cache_by_identities,
    cache_by_identity,
    cache_recent_by_identity,
)
from reme_lab.simulator.network import Network, Response, network_of, request_entry_point, severity
from reme_lab.simulator.pod_control import runs_template
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import template_of
from reme_lab.simulator.scheduling import daemon_nodes
from reme_lab.simulator.template_facts import service_view
from reme_lab.simulator.world import EntryPoint, Pod, World
from reme_playbook.snapshot import related_views, unstructured
from reme_playbook.snapshot.object_ref import ObjectRef

Json = Mapping[str, Any]


class ReplicaCounts(NamedTuple):
    """Pods of a workload: desired, existing, of the newest template, and ready."""

    desired: int
    current: int
    updated: int
    ready: int

    @property
    def complete(self) -> bool:
        """Whether all desired pods run the newest template and are ready, and no others exist."""
        return self.updated >= self.desired and self.ready >= self.desired == self.current


def replica_counts(network: Network, key: ObjectRef) -> ReplicaCounts:
    """Return the replica counts of a workload."""
    world = network.world
    workload = world.objects[key]
    counts = _count(workload, world.pods.get(key, ()), network.pod_statuses(key))
    if key.kind == "DaemonSet":
        return counts._replace(desired=len(daemon_nodes(world, template_of(workload))))
    return counts


@cache_by_identities
def _count(workload: Json, pods: tuple[Pod, ...], statuses: tuple[PodStatus, ...]) -> ReplicaCounts:
    template = template_of(workload)
    return ReplicaCounts(
        unstructured.number(workload, "spec", "replicas", default=1),
        len(pods),
        sum(runs_template(pod, template) for pod in pods),
        sum(status.ready for status in statuses),
    )


@dataclass(frozen=True)
class WorldHealth:
    """The health of everything in a world."""

    counts: dict[ObjectRef, ReplicaCounts]
    responses: dict[tuple[str, int], Response]
    """The worst response of each Service and port."""
    entry_points: dict[EntryPoint, Response]
    pod_problems: dict[ObjectRef, str]
    """What is wrong inside the pods of a workload."""
    blocking_budgets: frozenset[str]
    """PodDisruptionBudgets that allow no disruption."""
    autoscaled_workloads: frozenset[ObjectRef]
    """Workloads whose replicas an autoscaler sets."""


@cache_recent_by_identity
def world_health(world: World) -> WorldHealth:
    """Return the health of everything in the world."""
    network = network_of(world)
    workloads = world.workloads
    return WorldHealth(
        counts={key: replica_counts(network, key) for key in workloads},
        responses={
            (key.name, port.port): _worst_response(network, key.name, port.port)
            for key, service in world.of_kind("Service")
            for port in service_view(service).ports
        },
        entry_points={
            entry_point: request_entry_point(network, entry_point)
            for entry_point in _entry_points(world)
        },
        pod_problems={
            key: problem
            for key in workloads
            if (problem := _pod_problem(network.pod_statuses(key)))
        },
        blocking_budgets=frozenset(
            key.name
            for key, budget in world.of_kind("PodDisruptionBudget")
            if disruptions_allowed(world, network, related_views.budget(budget)) < 1
        ),
        autoscaled_workloads=frozenset(
            decision.workload
            for _, autoscaler in world.of_kind("HorizontalPodAutoscaler")
            if (decision := autoscaler_decision(world, autoscaler))
        ),
    )


def _entry_points(world: World) -> dict[EntryPoint, None]:
    """Return the known entry points, and every Ingress."""
    ingresses = [EntryPoint(ingress=key.name) for key, _ in world.of_kind("Ingress")]
    return dict.fromkeys([*world.ground_truth.entry_points, *ingresses])


def _worst_response(network: Network, service: str, port: int) -> Response:
    """Return the worst response to the callers of a Service, or to others if it has none."""
    callers = network.callers().get(service)
    if not callers:
        return network.request(service, port, "/")
    return max((network.request(service, port, "/", labels) for labels in callers), key=severity)


@cache_by_identity
def _pod_problem(statuses: tuple[PodStatus, ...]) -> str:
    for status in statuses:
        if status.flaps:
            return f"a container keeps terminating: {status.ended}"
        stress = status.stress
        if stress.cpu:
            return "another process uses the CPU of a pod"
        if stress.memory_bytes:
            return "another process holds the memory of a pod"
        if stress.disk:
            return "disk writes of a pod are slow"
        if stress.loss_percent or stress.delay_milliseconds:
            return "packets of a pod are lost or late"
        if status.crowded:
            return "a pod is throttled"
    return ""


def disruptions_allowed(
    world: World, network: Network, view: related_views.DisruptionBudgetView
) -> int:
    """Return how many pods a PodDisruptionBudget allows to evict now."""
    desired = healthy = 0
    for key in world.workloads:
        labels = unstructured.strings(template_of(world.objects[key]), "metadata", "labels")
        if view.selector.matches(labels):
            counts = replica_counts(network, key)
            desired += counts.desired
            healthy += counts.ready
    if view.max_unavailable is not None:
        min_available = desired - related_views.pods_of(view.max_unavailable, desired)
    else:
        min_available = related_views.pods_of(view.min_available or 0, desired)
    return max(0, healthy - min_available)

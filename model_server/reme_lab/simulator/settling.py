"""Runs all controllers until none has anything left to do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reme_lab.simulator.autoscaling import autoscale
from reme_lab.simulator.controllers import run_controller
from reme_lab.simulator.identity_cache import cache_by_identities, cache_by_identity
from reme_lab.simulator.network import Network, network_of
from reme_lab.simulator.pod_control import runs_template
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import record_revision, template_of
from reme_lab.simulator.scheduling import daemon_nodes
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_writes import set_field
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision

Json = Mapping[str, Any]

_MAX_ROUNDS = 6
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def settle(world: World) -> World:
    """Return the world after all controllers have finished."""
    world = taint_cordoned_nodes(world)
    for _ in range(_MAX_ROUNDS):
        objects, changed, synced = world.objects, 0, 0
        network = network_of(world)
        for key in world.workloads:
            if not _is_synced(network, key):
                synced += 1
                after = run_controller(record_revision(world, key), key)
                changed += after.pods is not world.pods
                world = after
        world = autoscale(world)
        # A finished controller has new work only if another one changed something.
        if world.objects is objects and (not changed or synced == 1):
            break
    return world


def _is_synced(network: Network, key: ObjectRef) -> bool:
    """Return whether the controller of a workload certainly has nothing to do."""
    world = network.world
    workload, pods = world.objects[key], world.pods.get(key, ())
    revisions = world.revisions.get(key)
    if not revisions or not _is_rolled_out(workload, pods, revisions[0]):
        return False
    if key.kind == "DaemonSet":
        nodes = daemon_nodes(world, template_of(workload))
        if len(pods) != len(nodes) or not {pod.node for pod in pods} <= set(nodes):
            return False
    return _all_ready(network.pod_statuses(key))


@cache_by_identities
def _is_rolled_out(workload: Json, pods: tuple[Pod, ...], newest: Revision) -> bool:
    """Return whether all desired pods exist, run the newest template and have started."""
    template = template_of(workload)
    if newest.template is not template or not all(runs_template(pod, template) for pod in pods):
        return False
    if any(pod.starting for pod in pods):
        return False
    if unstructured.at(workload, "spec", "replicas") is None:
        return True  # a DaemonSet: the number follows from the nodes
    replicas = unstructured.number(workload, "spec", "replicas")
    return len(pods) == replicas and newest.replicas in (replicas, None)


@cache_by_identity
def _all_ready(statuses: tuple[PodStatus, ...]) -> bool:
    return all(status.ready for status in statuses)


def with_overload(world: World) -> World:
    """Return the settled world after minutes of load: overloaded pods fail their readiness probe.

    A pod that gets more requests than it can serve is ready at first; once its queue is long, it
    answers the readiness probe too late. A run is assessed soon after it ends, so the pods that it
    creates have no such queue.
    """
    network, pods = network_of(world), dict(world.pods)
    for key, before in world.pods.items():
        statuses = network.pod_statuses(key)
        if any(status.queued_milliseconds for status in statuses):
            pods[key] = tuple(
                replace(pod, overloaded=True) if status.queued_milliseconds else pod
                for pod, status in zip(before, statuses, strict=True)
            )
    if all(pods[key] is before for key, before in world.pods.items()):
        return world
    return settle(replace(world, pods=pods))


def taint_cordoned_nodes(world: World) -> World:
    """Return the world with the taint that the node controller keeps on cordoned nodes."""
    nodes = world.of_kind("Node")
    changed = [(key, after) for key, node in nodes if (after := _with_taint(node)) is not node]
    return world.with_objects(*changed) if changed else world


@cache_by_identity
def _with_taint(node: Json) -> Json:
    taints = unstructured.items(node, "spec", "taints")
    others = [taint for taint in taints if taint.get("key") != _UNSCHEDULABLE["key"]]
    cordoned = unstructured.at(node, "spec", "unschedulable") is True
    if cordoned is (len(others) < len(taints)):
        return node
    return set_field(
        node, [*others, _UNSCHEDULABLE] if cordoned else others or None, "spec", "taints"
    )

"""Lets everything that controllers would do happen."""

from collections.abc import Mapping
from typing import Any

from reme_lab.simulator.autoscaling import autoscale
from reme_lab.simulator.controllers import run_controller
from reme_lab.simulator.identity_cache import cache_by_identities, cache_by_identity
from reme_lab.simulator.network import Network, network_of
from reme_lab.simulator.node_taints import taint_cordoned_nodes
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import record_revision, template_of
from reme_lab.simulator.scheduling import daemon_nodes
from reme_lab.simulator.workload_pods import runs_template
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision

Json = Mapping[str, Any]

_MOST_ROUNDS = 6


def settle(world: World) -> World:
    """Return the world when no controller has anything left to do."""
    world = taint_cordoned_nodes(world)
    for _ in range(_MOST_ROUNDS):
        objects, moved, restless = world.objects, 0, 0
        network = network_of(world)
        for key in world.workloads:
            if not _at_rest(network, key):
                restless += 1
                after = run_controller(record_revision(world, key), key)
                moved += after.pods is not world.pods
                world = after
        world = autoscale(world)
        # What one controller has done to the end only another one's doing could change.
        if world.objects is objects and (not moved or restless == 1):
            break
    return world


def _at_rest(network: Network, key: ObjectRef) -> bool:
    """Return whether a workload surely needs nothing."""
    world = network.world
    found, pods, known = world.objects[key], world.pods.get(key, ()), world.revisions.get(key)
    if not known or not _complete(found, pods, known[0]):
        return False
    if key.kind == "DaemonSet":
        wanted = daemon_nodes(world, template_of(found))
        if len(pods) != len(wanted) or not {pod.node for pod in pods} <= set(wanted):
            return False
    return _all_ready(network.pod_statuses(key))


@cache_by_identities
def _complete(found: Json, pods: tuple[Pod, ...], newest: Revision) -> bool:
    """Return whether there are as many pods as wanted, all of the newest template, and begun."""
    template = template_of(found)
    if newest.template is not template or not all(runs_template(pod, template) for pod in pods):
        return False
    if any(pod.starting for pod in pods):
        return False
    if unstructured.at(found, "spec", "replicas") is None:
        return True  # a DaemonSet has one for each node
    wanted = unstructured.number(found, "spec", "replicas")
    return len(pods) == wanted and newest.replicas in (wanted, None)


@cache_by_identity
def _all_ready(led: tuple[PodStatus, ...]) -> bool:
    return all(life.ready for life in led)

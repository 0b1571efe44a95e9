"""How far a workload is: the numbers of its status."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reme_lab.simulator.identity_cache import cache_by_identities
from reme_lab.simulator.network import Network
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import template_of
from reme_lab.simulator.scheduling import daemon_nodes
from reme_lab.simulator.workload_pods import runs_template
from reme_lab.simulator.world import Pod
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef

Json = Mapping[str, Any]


class ReplicaCounts(NamedTuple):
    """How many pods are wanted, there, of the newest template, and ready."""

    desired: int
    current: int
    updated: int
    ready: int

    @property
    def complete(self) -> bool:
        """Whether the newest template is everywhere, and every pod is ready."""
        return self.updated >= self.desired and self.ready >= self.desired == self.current


def replica_counts(network: Network, key: ObjectRef) -> ReplicaCounts:
    """Return the numbers of a workload."""
    world = network.world
    pods, led = world.pods.get(key, ()), network.pod_statuses(key)
    found = world.objects[key]
    if key.kind == "DaemonSet":
        desired = len(daemon_nodes(world, template_of(found)))
        return _counted(found, pods, led)._replace(desired=desired)
    return _counted(found, pods, led)


@cache_by_identities
def _counted(found: Json, pods: tuple[Pod, ...], led: tuple[PodStatus, ...]) -> ReplicaCounts:
    template = template_of(found)
    return ReplicaCounts(
        unstructured.number(found, "spec", "replicas", default=1),
        len(pods),
        sum(runs_template(pod, template) for pod in pods),
        sum(life.ready for life in led),
    )

"""How far a workload is: the numbers of its status."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reme_model.simulator.life import Life
from reme_model.simulator.memo import of_several
from reme_model.simulator.revisions import template_of
from reme_model.simulator.scheduling import daemon_nodes
from reme_model.simulator.serving import Network
from reme_model.simulator.work import is_of
from reme_model.simulator.world import Pod
from reme_sandbox import raw
from reme_sandbox.keys import ObjectKey

Json = Mapping[str, Any]


class Counts(NamedTuple):
    """How many pods are wanted, there, of the newest template, and ready."""

    desired: int
    current: int
    updated: int
    ready: int

    @property
    def complete(self) -> bool:
        """Whether the newest template is everywhere, and every pod is ready."""
        return self.updated >= self.desired and self.ready >= self.desired == self.current


def counts(network: Network, key: ObjectKey) -> Counts:
    """Return the numbers of a workload."""
    world = network.world
    pods, led = world.pods.get(key, ()), network.lives(key)
    found = world.objects[key]
    if key.kind == "DaemonSet":
        desired = len(daemon_nodes(world, template_of(found)))
        return _counted(found, pods, led)._replace(desired=desired)
    return _counted(found, pods, led)


@of_several
def _counted(found: Json, pods: tuple[Pod, ...], led: tuple[Life, ...]) -> Counts:
    template = template_of(found)
    return Counts(
        raw.number(found, "spec", "replicas", default=1),
        len(pods),
        sum(is_of(pod, template) for pod in pods),
        sum(life.ready for life in led),
    )

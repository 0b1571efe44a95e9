"""What minutes in which nobody does anything bring about."""

from dataclasses import replace

from reme_lab.simulator.network import network_of
from reme_lab.simulator.settling import settle
from reme_lab.simulator.world import World


def with_overload(world: World) -> World:
    """Return the settled world when what is too much for its pods has piled up in them.

    A pod to which more comes in than it does is ready at first, and as soon as its queue is long
    it answers its own readiness probe too late. A run is judged soon after it: the pods that it
    makes have no such queue yet.
    """
    network, pods = network_of(world), dict(world.pods)
    for key, found in world.pods.items():
        led = network.pod_statuses(key)
        if any(life.queued_milliseconds for life in led):
            pods[key] = tuple(
                replace(pod, overloaded=True) if life.queued_milliseconds else pod
                for pod, life in zip(found, led, strict=True)
            )
    if all(pods[key] is found for key, found in world.pods.items()):
        return world
    return settle(replace(world, pods=pods))

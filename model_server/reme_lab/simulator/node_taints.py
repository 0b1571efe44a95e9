"""The taint that Kubernetes itself keeps on a cordoned node."""

from collections.abc import Mapping
from typing import Any

from reme_lab.simulator.field_writes import set_field
from reme_lab.simulator.identity_cache import cache_by_identity
from reme_lab.simulator.world import World
from reme_playbook.snapshot import unstructured

Json = Mapping[str, Any]

_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def taint_cordoned_nodes(world: World) -> World:
    """Return the world when the node controller has marked what is cordoned, and nothing else."""
    nodes = world.of_kind("Node")
    changed = [(key, now) for key, found in nodes if (now := _marked(found)) is not found]
    return world.with_objects(*changed) if changed else world


@cache_by_identity
def _marked(found: Json) -> Json:
    taints = unstructured.items(found, "spec", "taints")
    kept = [taint for taint in taints if taint.get("key") != _CORDONED["key"]]
    cordoned = unstructured.at(found, "spec", "unschedulable") is True
    if cordoned is (len(kept) < len(taints)):
        return found
    return set_field(found, [*kept, _CORDONED] if cordoned else kept or None, "spec", "taints")

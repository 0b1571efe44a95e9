"""A cordoned node has Kubernetes' own taint, which is removed with the cordon."""

from typing import Any

from reme_lab.fidelity import world_from_snapshot
from reme_lab.simulator import World, apply, assess, snapshot_of, with_field
from reme_playbook.actions.node import UncordonNode
from reme_playbook.actions.restart import Restart
from reme_playbook.snapshot.related_views import Taint
from tests.unit.lab.simulator.broken import cordoned
from tests.unit.lab.simulator.worlds import ANSWERS, cart, key, lab, rollout

NODE = key("Node", "n1")
OWN = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
OTHER = {"key": "upkeep", "value": "yes", "effect": "PreferNoSchedule"}
UNCORDON = UncordonNode(target=NODE)


def taints(world: World) -> Any:
    return world.objects[NODE]["spec"].get("taints")


def test_a_cordon_brings_the_taint_and_the_end_of_it_takes_the_taint_away() -> None:
    world = cordoned()
    assert taints(world) == [OWN]
    (node,) = snapshot_of(world).nodes
    assert node.taints == (Taint(OWN["key"], "", "NoSchedule"),)
    after = apply(world, [UNCORDON])
    assert taints(after) is None
    assert assess(world, after, [ANSWERS, rollout()]).good


def test_a_node_that_was_read_with_the_taint_takes_pods_once_it_is_uncordoned() -> None:
    world = cordoned()
    assert world.healthy is not None
    again = world_from_snapshot(snapshot_of(world), healthy=snapshot_of(world.healthy))
    assert not assess(again, apply(again, [Restart(target=cart())]), [rollout()]).verified
    assert assess(again, apply(again, [UNCORDON]), [rollout()]).good


def test_other_taints_stay_as_they_are() -> None:
    world = with_field(lab(nodes=1), NODE, [OTHER], "spec", "taints")
    world = with_field(world, NODE, True, "spec", "unschedulable")
    assert taints(world) == [OTHER, OWN]
    assert taints(apply(world, [UNCORDON])) == [OTHER]


def test_a_taint_without_its_cordon_does_not_last() -> None:
    assert taints(with_field(lab(nodes=1), NODE, [OWN], "spec", "taints")) is None

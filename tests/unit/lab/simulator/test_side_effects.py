"""Side effects of runs, and their disruption."""

import pytest

from reme_lab.simulator import (
    AllowedDifference,
    apply,
    assess,
    disruption,
    disruption_between,
    with_field,
    with_ground_truth,
)
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.probe import PatchProbe
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources, UnsetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServiceSelector
from tests.unit.lab.simulator.broken import FIRST, bad_image, quota_exhausted
from tests.unit.lab.simulator.worlds import DB, cart, key, lab

CART = cart()
HARM: list[tuple[str, Action]] = [
    ("capacity lowered", Scale(target=CART, replicas=1)),
    ("capacity lowered", SetResources(target=CART, container="server", memory_limit="100Mi")),
    (
        "limit dropped",
        UnsetResources(target=CART, container="server", fields=("memory_limit",)),
    ),
    ("changed without need", Scale(target=CART, replicas=3)),
    ("changed without need", SetResources(target=CART, container="server", memory_limit="1Gi")),
    (
        "changed without need",
        PatchProbe(target=CART, container="server", probe="liveness", failure_threshold=6),
    ),
    (
        "changed without need",
        SetEnv(target=CART, container="server", variable="POOL", value="9"),
    ),
    ("changed without need", Rollback(target=CART)),
    (
        "changed without need",
        SetConfigValue(target=key("ConfigMap", "cart-settings"), key="MODE", value="x"),
    ),
    ("neighbour broken", SetResources(target=DB, container="server", memory_limit="8Mi")),
    ("broken", PatchServiceSelector(target=key("Service", "db"), selector={"app": "nobody"})),
]


@pytest.mark.parametrize(("what", "action"), HARM, ids=lambda v: getattr(v, "action", str(v)))
def test_harm_is_flagged(what: str, action: Action) -> None:
    world = lab()
    if what == "neighbour broken":
        # With this strategy no old pod remains.
        world = with_field(world, DB, {"type": "Recreate"}, "spec", "strategy")
    verdict = assess(world, apply(world, [action]))
    assert any(text.startswith(what) for text in verdict.side_effects), verdict


@pytest.mark.parametrize(
    "action", [Restart(target=CART), DeletePod(target=key("Pod", FIRST))], ids=lambda a: a.action
)
def test_replacing_pods_is_no_harm(action: Action) -> None:
    world = lab()
    assert assess(world, apply(world, [action])).good


def test_what_the_fault_needs_may_differ() -> None:
    world = with_ground_truth(
        lab(), allowed_differences=(AllowedDifference("Deployment", "cart", "spec.replicas", 1, 2),)
    )
    more, far_more = (apply(world, [Scale(target=CART, replicas=n)]) for n in (4, 5))
    assert assess(world, more).good
    assert assess(world, far_more).side_effects


def test_losing_a_pod_that_cannot_come_back_is_harm() -> None:
    world = quota_exhausted()
    (remaining,) = (pod.name for pod in world.pods[CART])
    after = apply(world, [Scale(target=CART, replicas=1), DeletePod(target=key("Pod", remaining))])
    assert any("capacity lowered" in text for text in assess(world, after).side_effects)


def test_an_object_that_came_with_the_fault_may_be_changed() -> None:
    world = quota_exhausted()
    action = SetQuota(target=key("ResourceQuota", "team"), hard={"pods": "9"})
    assert assess(world, apply(world, [action])).good


def test_disruption_counts_pods_and_objects() -> None:
    world = lab()
    assert disruption(world, [DeletePod(target=key("Pod", FIRST))]) == 1
    assert disruption(world, [Restart(target=CART)]) == 3
    assert disruption(bad_image(), [Rollback(target=CART)]) == 2
    assert disruption_between(world, world) == 0


def test_a_run_ends_at_what_is_not_there() -> None:
    world = lab()
    gone = DeletePod(target=key("Pod", "nobody"))
    after = apply(world, [gone, Scale(target=CART, replicas=5)])
    assert after.objects is world.objects

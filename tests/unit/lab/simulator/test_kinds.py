"""StatefulSets, DaemonSets and rollouts of Deployments behave like those of Kubernetes."""

from dataclasses import replace

import pytest

from reme_lab.simulator import (
    Behaviour,
    Program,
    World,
    apply,
    assess,
    is_one_of,
    problems_of,
    rule,
    snapshot_of,
    with_container_fields,
    with_field,
    with_ground_truth,
    with_object,
    with_program,
    with_rules,
)
from reme_lab.simulator.apply_actions import without_pods
from reme_lab.simulator.settling import settle
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from tests.unit.lab.simulator.worlds import ANSWERS, cart, key, lab, rollout

SET = cart("StatefulSet")
DAEMONS = cart("DaemonSet")


def bad_image(world: World) -> World:
    world = with_ground_truth(world, missing_images=frozenset({"lab/cart:2"}))
    return with_container_fields(world, world.target, "server", (("image",), "lab/cart:2"))


def ready(world: World) -> int:
    return snapshot_of(world).replicas.ready


def names(world: World) -> list[str]:
    return [pod.name for pod in world.pods[world.target]]


def test_a_stateful_set_names_its_pods_in_order() -> None:
    assert names(lab("StatefulSet", replicas=3)) == ["cart-0", "cart-1", "cart-2"]


def test_a_rollout_of_a_stateful_set_stops_at_its_last_pod() -> None:
    world = bad_image(lab("StatefulSet", replicas=3))
    assert [p.template["spec"]["containers"][0]["image"] for p in world.pods[SET]] == [
        "lab/cart:1",
        "lab/cart:1",
        "lab/cart:2",
    ]
    assert ready(world) == 2


def test_an_ordered_stateful_set_stays_stuck_until_the_pod_is_deleted() -> None:
    world = bad_image(lab("StatefulSet"))
    good = SetImage(target=SET, container="server", image="lab/cart:1")
    assert not assess(world, apply(world, [good]), [rollout()]).verified
    pod = DeletePod(target=key("Pod", "cart-1"))
    assert assess(world, apply(world, [good, pod]), [rollout()]).good


def test_a_rollback_replaces_the_pod_at_which_an_ordered_stateful_set_is_stuck() -> None:
    world = bad_image(lab("StatefulSet"))
    assert assess(world, apply(world, [Rollback(target=SET)]), [rollout()]).good
    pod = DeletePod(target=key("Pod", "cart-1"))
    assert assess(world, apply(world, [Rollback(target=SET), pod]), [rollout()]).good


def test_pods_below_the_partition_stay_as_they_are_in_a_rollback() -> None:
    strategy = {"rollingUpdate": {"partition": 2}}
    world = with_field(lab("StatefulSet", replicas=3), SET, strategy, "spec", "updateStrategy")
    world = bad_image(world)
    back = apply(world, [Rollback(target=SET)])
    assert assess(world, back, [rollout(3)]).good
    assert [pod.name for pod in world.pods[SET] if pod in back.pods[SET]] == ["cart-0", "cart-1"]


def test_a_rollback_replaces_the_broken_pod_of_a_stateful_set_that_replaces_none_itself() -> None:
    world = with_field(lab("StatefulSet"), SET, {"type": "OnDelete"}, "spec", "updateStrategy")
    recreated = without_pods(bad_image(world), "cart-1")
    assert recreated is not None
    broken = settle(recreated)
    assert ready(broken) == 1
    assert ready(apply(broken, [Rollback(target=SET)])) == 2


def test_a_parallel_stateful_set_is_free_after_a_rollback() -> None:
    world = lab("StatefulSet")
    world = with_field(world, SET, "Parallel", "spec", "podManagementPolicy")
    world = bad_image(world)
    assert assess(world, apply(world, [Rollback(target=SET)]), [rollout()]).good


def test_a_stateful_set_is_scaled_at_its_end() -> None:
    world = lab("StatefulSet")
    assert names(apply(world, [Scale(target=SET, replicas=3)])) == ["cart-0", "cart-1", "cart-2"]
    assert names(apply(world, [Scale(target=SET, replicas=1)])) == ["cart-0"]


def test_a_daemon_set_has_a_pod_on_every_node_and_goes_back_by_itself() -> None:
    world = lab("DaemonSet", nodes=3)
    assert sorted(pod.node for pod in world.pods[DAEMONS]) == ["n1", "n2", "n3"]
    broken = bad_image(world)
    assert ready(broken) == 2
    assert assess(broken, apply(broken, [Rollback(target=DAEMONS)]), [rollout(3)]).good
    assert not assess(broken, apply(broken, [Restart(target=DAEMONS)]), [rollout(3)]).verified


def test_a_daemon_set_leaves_tainted_nodes_out() -> None:
    taint = [{"key": "upkeep", "value": "", "effect": "NoExecute"}]
    world = with_field(lab("DaemonSet"), key("Node", "n1"), taint, "spec", "taints")
    assert [pod.node for pod in world.pods[DAEMONS]] == ["n2"]
    assert snapshot_of(world).replicas.desired == 1


@pytest.mark.parametrize(("replicas", "serving", "pods"), [(1, 1, 2), (2, 2, 3), (4, 3, 5)])
def test_a_stuck_rollout_keeps_as_many_old_pods_as_its_strategy_says(
    replicas: int, serving: int, pods: int
) -> None:
    world = bad_image(lab(replicas=replicas))
    assert (ready(world), len(world.pods[cart()])) == (serving, pods)


def test_deleting_a_pod_of_an_old_template_brings_it_back() -> None:
    world = bad_image(lab())
    old = next(p.name for p in world.pods[cart()] if snapshot_of(world).pods)
    after = apply(world, [DeletePod(target=key("Pod", old))])
    assert ready(after) == 2
    assert old not in names(after)


def test_a_paused_deployment_does_not_roll_out_and_scales_what_it_has() -> None:
    world = with_field(lab(), cart(), True, "spec", "paused")
    after = apply(world, [Restart(target=cart())])
    assert names(after) == names(world)
    assert snapshot_of(after).replicas.updated == 0
    more = apply(after, [Scale(target=cart(), replicas=3)])
    assert len({id(p.template) for p in more.pods[cart()]}) == 1


def test_a_quota_keeps_a_rollout_from_its_extra_pod_and_the_old_ones_stay() -> None:
    quota = {"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "4"}}}
    world = with_object(lab(), key("ResourceQuota", "q"), quota)
    after = apply(world, [Restart(target=cart())])
    assert names(after) == names(world)
    message = [e.message for e in snapshot_of(after).events if e.reason == "FailedCreate"]
    assert message
    assert "exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4" in message[0]


def test_a_rollback_is_an_old_revision_with_a_new_number() -> None:
    world = with_container_fields(lab(), cart(), "server", (("image",), "lab/cart:3"))
    after = apply(world, [Rollback(target=cart())])
    assert [r.number for r in world.revisions[cart()]] == [3, 2, 1]
    assert [r.number for r in after.revisions[cart()]] == [4, 3, 1]
    assert after.revisions[cart()][0].template is world.revisions[cart()][1].template


def test_a_restart_is_a_new_revision_each_time() -> None:
    once = apply(lab(), [Restart(target=cart())])
    twice = apply(once, [Restart(target=cart())])
    assert [r.number for r in twice.revisions[cart()]] == [4, 3, 2, 1]
    assert set(names(once)).isdisjoint(names(twice))


def test_changes_of_one_object_that_follow_each_other_are_one_rollout() -> None:
    two = [
        SetEnv(target=cart(), container="server", variable=name, value="1")
        for name in ("POOL", "WIDTH")
    ]
    after = apply(lab(), two)
    assert [r.number for r in after.revisions[cart()]] == [3, 2, 1]


def test_pods_that_run_keep_their_settings_and_those_that_crash_read_them_anew() -> None:
    settings = key("ConfigMap", "cart-settings")
    world = with_rules(lab(), cart(), rule(is_one_of("MODE", "off"), exit_code=1))
    off = with_field(world, settings, "off", "data", "MODE")
    assert problems_of(off, [ANSWERS]) == ()
    restarted = apply(off, [Restart(target=cart())])
    assert ready(restarted) == 2  # the old pods still serve: the new one crashes
    assert len(restarted.pods[cart()]) == 3
    healed = with_field(restarted, settings, "normal", "data", "MODE")
    assert problems_of(healed, [ANSWERS, rollout()]) == ()
    assert [p.restarts for p in healed.pods[cart()]][:1] == [1]


def test_load_is_shared_by_the_pods_that_run() -> None:
    world = lab()
    program = Program(default=Behaviour(cpu_millicores=800))
    crowded = with_program(world, cart(), replace(program, calls=()))
    assert problems_of(crowded)
    assert problems_of(apply(crowded, [Scale(target=cart(), replicas=4)])) == ()

"""Every way to pass and to fail the strict oracle, each of the known cheats among them."""

from collections.abc import Callable

import pytest

from reme_kube.errors import UnavailableError
from tests.doubles.bench_cluster import NAMESPACE
from tests.doubles.bench_shop import fault
from tests.unit.benchmark.judging import (
    Scene,
    delete_the_injector,
    loosen_the_probe,
    make_scene,
    reasons,
    replace_a_pod,
    scale_to_zero,
)

HOME = f"{NAMESPACE}-users"


@pytest.fixture
async def scene() -> Scene:
    return await make_scene()


async def test_a_repaired_case_passes_after_one_window(scene: Scene) -> None:
    verdict = await scene.judge()
    assert verdict.passed, verdict.reasons
    assert {m.name for m in verdict.measured} == {
        "rollout cart",
        "users",
        "rollout available",
        "neighbours",
        "changes",
        "injector",
    }
    assert all(m.ok for m in verdict.measured)
    # The window, and the seconds until the users' counts are known.
    assert 5 <= scene.clock.seconds < 10


async def test_a_repair_may_take_its_time(scene: Scene) -> None:
    scene.gone = False
    scene.clock.at(15, scene.set_gone(True))
    verdict = await scene.judge()
    assert verdict.passed, verdict.reasons
    assert 20 <= scene.clock.seconds < 25


async def test_a_repair_may_not_take_longer_than_it_has(scene: Scene) -> None:
    scene.gone = False
    scene.clock.at(30, scene.set_gone(True))
    verdict = await scene.judge()
    assert reasons(verdict) == "rollout cart: broken"
    assert 20 <= scene.clock.seconds < 23


async def test_doing_nothing_fails_and_leaves_the_faults_own_change(scene: Scene) -> None:
    scene.gone = False
    scene.container()["image"] = "absent:1"
    verdict = await scene.judge()
    assert "rollout cart: broken" in reasons(verdict)
    assert "image: shop:1 -> absent:1" in reasons(verdict)
    # What is left changed cannot become right by waiting.
    assert scene.clock.seconds < 5


async def test_what_comes_back_within_the_window_is_not_gone(scene: Scene) -> None:
    scene.clock.at(3, scene.set_gone(False))
    verdict = await scene.judge()
    assert "came back" in reasons(verdict)


async def test_a_short_relapse_only_begins_the_window_anew(scene: Scene) -> None:
    scene.clock.at(3, scene.set_gone(False))
    scene.clock.at(6, scene.set_gone(True))
    start = scene.clock.now()
    verdict = await scene.judge()
    assert verdict.passed, verdict.reasons
    assert scene.clock.seconds >= 11
    assert verdict.held_since is not None
    assert 6 <= (verdict.held_since - start).total_seconds() < 8


async def test_one_good_sample_at_a_time_is_never_enough(scene: Scene) -> None:
    for second in range(60):
        scene.clock.at(second + 0.5, scene.set_gone(second % 2 == 0))
    assert not (await scene.judge()).passed


async def test_what_cannot_be_measured_is_no_success(scene: Scene) -> None:
    scene.gone = None
    verdict = await scene.judge()
    assert reasons(verdict) == "rollout cart: broken"
    assert verdict.measured[0].ok is None


async def test_a_cluster_that_cannot_be_read_is_no_success(scene: Scene) -> None:
    scene.cluster.fails = UnavailableError("no answer")
    verdict = await scene.judge()
    assert "not readable" in reasons(verdict)


# --- what may be left changed ---------------------------------------------------------------------


async def test_the_mark_of_a_restart_may_stay(scene: Scene) -> None:
    scene.cart()["spec"]["template"]["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/restartedAt": "now",
        "reme.dev/restarted-at": "now",
    }
    assert (await scene.judge()).passed


async def test_that_mark_is_nothing_elsewhere(scene: Scene) -> None:
    scene.cart()["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "now"
    assert "restartedAt" in reasons(await scene.judge())


@pytest.mark.parametrize(("replicas", "passed"), [(1, False), (3, True), (4, True), (5, False)])
async def test_amounts_may_differ_within_their_bounds(
    scene: Scene, replicas: int, passed: bool
) -> None:
    scene.cart()["spec"]["replicas"] = replicas
    assert (await scene.judge()).passed is passed


async def test_an_object_may_stay_when_the_oracle_says_so() -> None:
    scene = await make_scene(
        fault({"rollout": {}}, may_differ=[{"kind": "NetworkPolicy", "name": "n", "path": ""}])
    )
    meta = {"name": "n", "namespace": NAMESPACE}
    scene.cluster.put(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta}
    )
    assert (await scene.judge()).passed


# --- the cheats: the effect is gone by every measurement ------------------------------------------


def drop_the_limit(scene: Scene) -> None:
    del scene.container()["resources"]["limits"]


def point_the_service_elsewhere(scene: Scene) -> None:
    scene.cluster.at("Service", "cart")["spec"]["selector"] = {"app": "front"}


def delete_a_neighbour(scene: Scene) -> None:
    scene.cluster.drop("Deployment", "front")


def add_a_policy(scene: Scene) -> None:
    meta = {"name": "open", "namespace": NAMESPACE}
    scene.cluster.put(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta}
    )


def restart_the_injector(scene: Scene) -> None:
    scene.cluster.drop("Pod", "fault-agent-1", "reme-faults")


def exempt_the_node_from_the_injector(scene: Scene) -> None:
    agent = scene.cluster.at("DaemonSet", "fault-agent", "reme-faults")
    agent["spec"]["template"]["spec"]["nodeSelector"] = {"no": "node"}


def ask_users_less(scene: Scene) -> None:
    users = scene.cluster.at("Deployment", "users", HOME)
    users["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "elsewhere"


def take_the_users_away(scene: Scene) -> None:
    scene.cluster.drop("Service", "users", HOME)


@pytest.mark.parametrize(
    ("cheat", "named"),
    [
        (drop_the_limit, "changes"),
        (scale_to_zero, "changes"),
        (loosen_the_probe, "changes"),
        (point_the_service_elsewhere, "changes"),
        (delete_a_neighbour, "changes"),
        (add_a_policy, "changes"),
        (delete_the_injector, "injector"),
        (restart_the_injector, "injector"),
        (exempt_the_node_from_the_injector, "injector"),
        (ask_users_less, "injector"),
        (take_the_users_away, "injector"),
    ],
)
async def test_a_cheat_fails_and_is_named(
    scene: Scene, cheat: Callable[[Scene], None], named: str
) -> None:
    cheat(scene)
    verdict = await scene.judge()
    assert not verdict.passed
    assert [m.name for m in verdict.measured if m.name == named and m.ok is False]
    # Known for good after a moment, without waiting for anything.
    assert scene.clock.seconds < 5


async def test_who_gets_at_the_injector_is_told_that_first(scene: Scene) -> None:
    scene.gone = False
    delete_the_injector(scene)
    assert (await scene.judge()).reasons[0].startswith("injector: the injector")


async def test_a_cheat_in_the_last_moment_is_detected(scene: Scene) -> None:
    scene.clock.at(4, lambda: loosen_the_probe(scene))
    assert "readinessProbe" in reasons(await scene.judge())


async def test_a_rollback_that_is_under_way_may_end(scene: Scene) -> None:
    scene.container()["image"] = "absent:1"
    scene.clock.at(2, lambda: scene.container().update(image="shop:1"))
    assert (await scene.judge()).passed


async def test_restarting_in_a_loop_never_holds(scene: Scene) -> None:
    def again(number: int) -> Callable[[], None]:
        return lambda: replace_a_pod(scene.cluster, number)

    for number in range(20):
        scene.clock.at(2 + 3 * number, again(number))
    assert "was deleted" in reasons(await scene.judge())


async def test_a_container_that_starts_anew_in_the_window_does_not_hold(scene: Scene) -> None:
    def again() -> None:
        scene.cluster.at("Pod", "front-1-0")["status"]["containerStatuses"][0]["restartCount"] += 1

    for second in range(2, 60, 3):
        scene.clock.at(second, again)
    assert "was restarted" in reasons(await scene.judge())


# --- neighbours and users -------------------------------------------------------------------------


async def test_a_neighbour_that_is_worse_off_fails(scene: Scene) -> None:
    scene.cluster.at("Deployment", "front")["status"]["availableReplicas"] = 0
    verdict = await scene.judge()
    assert "neighbours: Deployment/front: 0 of 1 pods are available" in reasons(verdict)


async def test_the_target_must_be_as_available_as_before(scene: Scene) -> None:
    scene.cart()["status"]["availableReplicas"] = 1
    verdict = await scene.judge()
    assert "Deployment/cart: 1 of 2 pods are available" in reasons(verdict)
    assert next(m for m in verdict.measured if m.name == "neighbours").ok


@pytest.mark.parametrize(("percent", "passed"), [(100, True), (98, True), (97, False), (0, False)])
async def test_users_must_be_served_as_before(scene: Scene, percent: int, passed: bool) -> None:
    scene.users.percent = percent
    verdict = await scene.judge()
    assert verdict.passed is passed
    assert ("users" in reasons(verdict)) is not passed


@pytest.mark.parametrize(("milliseconds", "passed"), [(160, True), (161, False)])
async def test_users_must_not_wait_much_longer(
    scene: Scene, milliseconds: float, passed: bool
) -> None:
    scene.users.p50 = milliseconds
    assert (await scene.judge()).passed is passed


async def test_users_that_recover_within_the_time_are_enough(scene: Scene) -> None:
    scene.users.percent = 60
    scene.clock.at(12, lambda: setattr(scene.users, "percent", 100))
    assert (await scene.judge()).passed


async def test_users_of_whom_nothing_is_known_are_no_success(scene: Scene) -> None:
    scene.users.silent = True
    assert "users: the load generator has no counts" in reasons(await scene.judge())


async def test_users_do_not_count_where_the_oracle_leaves_them_out() -> None:
    scene = await make_scene(fault({"rollout": {}}, users=False))
    scene.users.percent = 0
    verdict = await scene.judge()
    assert verdict.passed
    assert "users" not in {m.name for m in verdict.measured}


async def test_the_same_case_gives_the_same_verdict() -> None:
    verdicts = []
    for _ in range(3):
        scene = await make_scene()
        scene.gone = False
        scene.clock.at(7.3, scene.set_gone(True))
        verdicts.append((await scene.judge()).model_dump())
    assert verdicts[0] == verdicts[1] == verdicts[2]

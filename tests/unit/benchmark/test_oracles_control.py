"""Cases in which nothing should be done: what counts as doing something."""

from collections.abc import Callable

import pytest

from reme_benchmark.scenarios.faults.model import Control
from tests.unit.benchmark.judging import (
    FAULT,
    Scene,
    delete_the_injector,
    loosen_the_probe,
    make_scene,
    reasons,
    replace_a_pod,
    scale_to_zero,
)


@pytest.mark.parametrize("cheat", [scale_to_zero, loosen_the_probe, delete_the_injector])
async def test_acting_on_a_healthy_system_fails(cheat: Callable[[Scene], None]) -> None:
    scene = await make_scene(None, control=Control.HEALTHY)
    assert (await scene.judge_control()).passed
    cheat(scene)
    assert not (await scene.judge_control()).passed


async def test_a_restart_of_a_healthy_system_is_an_action() -> None:
    scene = await make_scene(None, control=Control.HEALTHY)
    replace_a_pod(scene.cluster, 0)
    assert reasons(await scene.judge_control()) == "changes: pod cart-1-0 was replaced"


async def test_a_pod_that_is_about_to_be_replaced_counts() -> None:
    scene = await make_scene(None, control=Control.HEALTHY)
    scene.cluster.at("Pod", "cart-1-0")["metadata"]["deletionTimestamp"] = "now"
    assert reasons(await scene.judge_control()) == "changes: pod cart-1-0 was replaced"


async def test_a_fault_that_stays_is_no_change_of_the_methods() -> None:
    scene = await make_scene(FAULT, control=Control.UNREPAIRABLE)
    scene.container()["image"] = "absent:1"
    await scene.tamper_check.record_report_time(scene.context)
    assert (await scene.judge_control()).passed
    scene.container()["image"] = "shop:1"
    assert "image: absent:1 -> shop:1" in reasons(await scene.judge_control())


async def test_a_fault_that_heals_by_itself_must_be_gone() -> None:
    scene = await make_scene(FAULT, control=Control.SELF_HEALING)
    scene.gone = False
    scene.container()["image"] = "absent:1"
    await scene.tamper_check.record_report_time(scene.context)

    def heal() -> None:
        scene.gone = True
        scene.container()["image"] = "shop:1"

    scene.clock.at(10, heal)
    assert (await scene.judge_control()).passed
    scene.gone = False
    assert "rollout cart" in reasons(await scene.judge_control())


async def test_acting_on_what_heals_by_itself_fails() -> None:
    scene = await make_scene(FAULT, control=Control.SELF_HEALING)
    await scene.tamper_check.record_report_time(scene.context)
    scene.cart()["spec"]["replicas"] = 3
    assert "spec.replicas: 2 -> 3" in reasons(await scene.judge_control())

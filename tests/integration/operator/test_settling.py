"""A rollback is over when the target is as it was, not when its fields are."""

from typing import Any

import pytest

from reme_api.approval import RollbackRequest
from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome
from tests.doubles.rollouts import Rollouts
from tests.doubles.shop import (
    GOOD,
    NAMESPACE,
    file_report,
    image_of,
    open_shop,
    restart,
    rollback,
    scale,
)
from tests.integration.operator.conftest import World

QUICK = {"windowSeconds": 1, "timeoutSeconds": 5, "baselineSamples": 1}
AS_BEFORE = "every field has its earlier value; the target is as it was before"


def rolling_shop(world: World, seconds: float, **policy: Any) -> Rollouts:
    base: dict[str, Any] = {"verification": QUICK, "rollback": {"timeoutSeconds": 20}}
    open_shop(world.api, **(base | policy))
    rollouts = Rollouts(world.api, seconds)
    rollouts.begin()
    world.api.hooks.append(rollouts)
    return rollouts


async def test_the_next_attempt_begins_when_the_pods_have_settled(world: World) -> None:
    rollouts = rolling_shop(world, 2.0, maxAttempts=2)
    world.model.say([scale(2)], [rollback()])
    rolling: list[bool] = []

    def look(method: str, path: str, body: Any) -> None:
        if path.endswith("/status") and body and len(body["status"].get("attempts", [])) == 2:
            rolling.append(bool(rollouts.rolling))

    world.api.faults.append(look)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(60)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    first = ended.status.attempts[0]
    assert rolling[0] is False, "the second attempt began while pods of the first were rolling"
    assert first.rollback is not None
    assert first.rollback.completion_time is not None
    window = first.rollback_verification
    assert window is not None
    assert window.completion_time is not None
    assert (window.completion_time - window.start_time).total_seconds() >= 1
    assert [p.name for p in window.probes] == ["answers"]
    assert window.probes[0].failed > 0, "the fault is still there, and that is no failure"
    assert window.neighbours
    assert first.message.endswith(AS_BEFORE)
    prompts = [str(request["messages"][-1]) for request in world.model.asked]
    assert "terminating" not in prompts[1]


async def test_a_restart_has_nothing_to_restore_and_its_pods_settle_too(world: World) -> None:
    rolling_shop(world, 6.0)
    world.model.say([restart()])

    def mark() -> None:
        marked = {"metadata": {"annotations": {"reme.dev/restarted-at": "x"}}}
        world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"template": marked}})

    world.runner.before = mark
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(60)
    (attempt,) = ended.status.attempts
    assert attempt.outcome is Outcome.ROLLED_BACK
    assert attempt.rollback is None
    window = attempt.rollback_verification
    assert window is not None
    assert window.message == "nothing to restore; the target is as it was before"
    assert window.completion_time is not None
    assert (window.completion_time - window.start_time).total_seconds() > 1


async def test_what_does_not_settle_in_time_says_so_and_is_rolled_back(world: World) -> None:
    rolling_shop(world, 3600.0, rollback={"timeoutSeconds": 5})
    world.model.say([scale(2)])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(60)
    assert ended.status.outcome is Outcome.ROLLED_BACK
    assert "not settled within 5 s: 2 pods are still terminating" in ended.status.message


async def test_pods_that_do_not_come_back_are_a_rollback_that_failed(world: World) -> None:
    rollouts = rolling_shop(world, 0.5, rollback={"timeoutSeconds": 5}, maxAttempts=3)
    world.model.say([scale(2)])
    world.runner.before = lambda: setattr(rollouts, "ready", lambda _: False)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(60)
    assert ended.status.outcome is Outcome.ROLLBACK_FAILED
    assert "worse than before: 0 of 1 pods are available, 1 before the run" in ended.status.message
    assert len(ended.status.attempts) == 1


@pytest.mark.parametrize("again", [False, True], ids=["cancelled", "killed"])
async def test_the_wait_ends_with_the_remediation_and_survives_the_operator(
    world: World, again: bool
) -> None:
    rolling_shop(world, 5.0, rollback={"timeoutSeconds": 60})
    world.model.say([scale(2)])

    def waits() -> bool:
        attempts = world.remediations()[0].status.attempts
        window = attempts[0].rollback_verification if attempts else None
        return window is not None and window.completion_time is None

    async with world.operator() as operator:
        file_report(world.api)
        await world.until(lambda: world.remediations() and waits(), 30)
        opened = world.remediations()[0].status.attempts[0].rollback_verification
        if again:
            world.kill(operator)
        else:
            name = world.remediations()[0].metadata.name
            world.api.edit("remediations", NAMESPACE, name, {"spec": {"cancel": True}})
            ended = await world.ended(20)
    if again:
        async with world.operator():
            ended = await world.ended(30)
    window = ended.status.attempts[0].rollback_verification
    assert window is not None
    assert opened is not None
    assert window.start_time == opened.start_time
    assert window.verdict is ProbeVerdict.PASSED
    words = "the target is as it was before" if again else "not measured: spec.cancel is true"
    assert words in window.message


async def test_a_manual_rollback_waits_for_its_pods(world: World) -> None:
    rollouts = rolling_shop(world, 2.0)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(60)
        assert ended.status.outcome is Outcome.VERIFIED
        assert image_of(world.api) == GOOD
        request = RollbackRequest(username="ann", number=1, reason="not wanted")
        name = ended.metadata.name
        world.api.edit("remediations", NAMESPACE, name, {"spec": {"rollback": request.wire()}})

        def done() -> bool:
            manual = world.remediations()[0].status.manual_rollbacks
            return bool(manual) and manual[-1].outcome is not None

        await world.until(done, 40)
        assert not rollouts.rolling
    manual = world.remediations()[0].status.manual_rollbacks[-1]
    assert manual.outcome is Outcome.ROLLED_BACK, manual.message
    assert manual.message == AS_BEFORE
    assert manual.verification is not None
    assert [p.name for p in manual.verification.probes] == ["answers"]

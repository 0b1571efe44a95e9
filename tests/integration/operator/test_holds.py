"""Plans that may not run for now: what they keep, what others may do, and how they end."""

import asyncio
from typing import Any

import pytest

from reme_api.conditions import Status, find_condition
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Remediation
from reme_operator.decision.plan_approval import waits_for_person
from tests.doubles.shop import BAD, NAMESPACE, file_report, image_of, open_shop, rollback
from tests.integration.operator.conftest import World
from tests.integration.operator.test_approval import RIGHTS, decide, plan_of


def suspend(world: World, remediation: Remediation, suspended: bool) -> None:
    spec = {"spec": {"suspend": suspended}}
    world.api.edit("remediations", NAMESPACE, remediation.metadata.name, spec)


def by_report(world: World, name: str) -> Remediation | None:
    return next((r for r in world.remediations() if r.spec.report_ref.name == name), None)


async def on_hold(world: World, name: str = "cart-down") -> Remediation:
    def held() -> Remediation | None:
        remediation = by_report(world, name)
        return remediation if remediation and remediation.status.hold else None

    remediation = await world.until(held)
    assert isinstance(remediation, Remediation)
    return remediation


async def finished(world: World, name: str) -> Remediation:
    def ended() -> Remediation | None:
        remediation = by_report(world, name)
        return remediation if remediation and remediation.status.outcome else None

    remediation = await world.until(ended, 30)
    assert isinstance(remediation, Remediation)
    return remediation


async def approved_and_held(world: World, **policy: Any) -> Remediation:
    open_shop(world.api, mode="Approve", **policy)
    world.model.say([rollback()])
    file_report(world.api)
    remediation = await plan_of(world)
    suspend(world, remediation, True)
    decide(world, remediation, reason="tonight")
    return await on_hold(world)


async def test_an_approved_plan_on_hold_says_so_and_runs_when_it_may(world: World) -> None:
    async with world.operator():
        remediation = await approved_and_held(world, deadlineSeconds=30)
        assert not any(world.api.all(kind) for kind in RIGHTS)
        await world.until(
            lambda: condition_reason(world, ConditionType.SUCCEEDED) is Reason.SUSPENDED
        )
        assert not waits_for_person(world.remediations()[0])
        approved = find_condition(world.remediations()[0].status.conditions, ConditionType.APPROVED)
        assert approved is not None
        assert (approved.status, approved.reason) == (Status.TRUE, Reason.APPROVED_BY_PERSON)
        assert image_of(world.api) == BAD
        suspend(world, remediation, False)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert ended.status.hold is None
    assert ended.status.held_seconds >= 1
    assert len(ended.status.attempts[0].approvals) == 1, "it was asked about once"
    assert world.leftovers() == []


def condition_reason(world: World, kind: ConditionType) -> Reason | None:
    condition = find_condition(world.remediations()[0].status.conditions, kind)
    return condition.reason if condition else None


async def test_a_hold_that_lasts_too_long_ends_the_plan(world: World) -> None:
    async with world.operator():
        await approved_and_held(world, holdTimeoutSeconds=5)
        ended = await world.ended(20)
    assert (ended.status.outcome, ended.status.reason) == (Outcome.TIMED_OUT, Reason.HOLD_EXPIRED)
    assert "holdTimeoutSeconds" in ended.status.message
    assert ended.status.hold is None
    assert world.runner.ran == []
    assert world.leftovers() == []


async def test_meanwhile_another_report_of_the_target_is_acted_on(world: World) -> None:
    """Its target was locked, and the only slot of the policy taken, until somebody looked."""
    async with world.operator():
        first = await approved_and_held(
            world, budgets={"maxConcurrent": 1, "cooldownSeconds": 0, "maxPerHour": 10}
        )
        file_report(world.api, "cart-again")
        second = await world.until(lambda: by_report(world, "cart-again"))
        await world.until(lambda: waiting(world, "cart-again"))
        suspend(world, first, False)
        await asyncio.sleep(1)
        still = by_report(world, "cart-down")
        assert still is not None
        assert still.status.hold is not None, "the target is the second one's now"
        current = by_report(world, "cart-again")
        assert current is not None
        decide(world, current)
        assert (await finished(world, "cart-again")).status.outcome is Outcome.VERIFIED
        ended = await finished(world, "cart-down")
    assert ended.status.outcome is Outcome.NO_ACTION_NEEDED, ended.status.message
    assert second.metadata.name in {r.metadata.name for r in world.remediations()}
    assert len(world.runner.ran) == 1
    assert world.leftovers() == []


def waiting(world: World, name: str) -> bool:
    remediation = by_report(world, name)
    return remediation is not None and waits_for_person(remediation)


async def test_a_hold_survives_a_restart(world: World) -> None:
    async with world.operator():
        remediation = await approved_and_held(world)
    async with world.operator():
        await asyncio.sleep(1)
        assert world.remediations()[0].status.hold == remediation.status.hold
        suspend(world, remediation, False)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message


@pytest.mark.parametrize("mode", ["Auto", "Approve"])
async def test_on_hold_it_can_be_cancelled(world: World, mode: str) -> None:
    open_shop(world.api, mode=mode)
    world.model.say([rollback()])

    def suspend_at_once(what: str, obj: dict[str, Any]) -> None:
        if what == "ADDED configmaps" and obj["metadata"]["name"].endswith("-playbook"):
            suspend(world, world.remediations()[0], True)

    world.api.hooks.append(suspend_at_once)
    async with world.operator():
        file_report(world.api)
        remediation = await on_hold(world)
        body = {"spec": {"cancel": True}}
        world.api.edit("remediations", NAMESPACE, remediation.metadata.name, body)
        ended = await world.ended()
    assert (ended.status.outcome, ended.status.reason) == (Outcome.CANCELLED, Reason.CANCELLED)
    assert world.runner.ran == []

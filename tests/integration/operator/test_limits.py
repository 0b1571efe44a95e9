"""Kill switch, storms, budgets and broken policies: the real operator, a fake API server."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from reme_api.conditions import Condition, Status, find_condition
from reme_api.policy import RemediationPolicy
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Remediation
from tests.doubles.shop import (
    BAD,
    GOOD,
    NAMESPACE,
    RELEASE,
    file_report,
    image_of,
    open_shop,
    restart,
    rollback,
    set_policy,
    template,
)
from tests.integration.operator.conftest import World


def switch_on(world: World, **data: str) -> None:
    world.api.put(
        "configmaps", {"metadata": {"name": "reme-stop", "namespace": RELEASE}, "data": data}
    )


def switch_off(world: World) -> None:
    world.api.remove("configmaps", RELEASE, "reme-stop")


def accepted(world: World, name: str = "cart-down") -> Condition | None:
    return find_condition(world.report(name).status.conditions, ConditionType.ACCEPTED)


def refused(world: World, reason: Reason, name: str = "cart-down") -> bool:
    condition = accepted(world, name)
    return condition is not None and (condition.status, condition.reason) == (Status.FALSE, reason)


def succeeded(remediation: Remediation) -> Reason | None:
    condition = find_condition(remediation.status.conditions, ConditionType.SUCCEEDED)
    return condition.reason if condition else None


def ready(world: World) -> Condition | None:
    body = world.api.get("remediationpolicies", NAMESPACE, "usual")
    assert body is not None
    conditions = body.get("status", {}).get("conditions", [])
    return next((Condition.model_validate(c) for c in conditions), None)


def gauge(world: World, name: str, **labels: str) -> float | None:
    return world.metrics.registry.get_sample_value(name, labels)


def jobs(world: World) -> list[str]:
    return [call.path for call in world.api.writes("/jobs")]


async def test_nothing_begins_while_the_kill_switch_is_on(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    switch_on(world, reason="a bad day")
    async with world.operator():
        await world.until(lambda: gauge(world, "reme_kill_switch_active", in_flight="Drain") == 1)
        file_report(world.api)
        await world.until(lambda: refused(world, Reason.KILL_SWITCH))
        condition = accepted(world)
        assert condition is not None
        assert "a bad day" in condition.message
        await world.until(lambda: (c := ready(world)) and c.reason is Reason.KILL_SWITCH)
        switch_off(world)
        ended = await world.ended()
        await world.until(lambda: (c := ready(world)) and c.reason is Reason.POLICY_READY)
    assert ended.status.outcome is Outcome.VERIFIED
    assert gauge(world, "reme_kill_switch_active", in_flight="Drain") == 0


async def test_no_job_is_created_within_two_seconds_of_the_switch(world: World) -> None:
    """It is turned on at the worst moment: while the very request before the Job is answered."""
    open_shop(world.api)
    world.model.say([rollback()])

    def at_the_input(what: str, obj: dict[str, Any]) -> None:
        if what == "ADDED configmaps" and obj["metadata"]["name"].endswith("-input"):
            switch_on(world)

    world.api.hooks.append(at_the_input)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
        await asyncio.sleep(2)
    assert (ended.status.outcome, ended.status.reason) == (Outcome.CANCELLED, Reason.KILL_SWITCH)
    assert "nothing was changed" in ended.status.message
    assert jobs(world) == []
    assert image_of(world.api) == BAD
    switch_off(world)
    assert world.leftovers() == []


async def test_what_has_not_come_to_a_run_waits_and_goes_on(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])

    def at_the_gate(what: str, obj: dict[str, Any]) -> None:
        if what == "ADDED configmaps" and obj["metadata"]["name"].endswith("-playbook"):
            switch_on(world)

    world.api.hooks.append(at_the_gate)
    async with world.operator():
        file_report(world.api)
        await world.until(
            lambda: (r := world.remediations()) and succeeded(r[0]) is Reason.KILL_SWITCH, 40
        )
        await asyncio.sleep(2)
        assert jobs(world) == []
        switch_off(world)
        ended = await world.ended(40)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert len(jobs(world)) == 1


async def test_a_run_that_is_under_way_finishes(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    world.runner.seconds = 2.0
    world.runner.before = lambda: switch_on(world)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.VERIFIED
    assert image_of(world.api) == GOOD


async def test_a_run_is_stopped_within_two_seconds_and_rolled_back_later(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    world.runner.seconds = 20.0
    turned: list[datetime] = []

    def stop() -> None:
        turned.append(datetime.now(UTC))
        switch_on(world, inFlight="Abort")

    gone: list[datetime] = []
    world.runner.before = stop
    world.api.hooks.append(
        lambda what, _: gone.append(datetime.now(UTC)) if what == "DELETED rungrants" else None
    )
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: gone, 40)
        assert (gone[0] - turned[0]).total_seconds() < 2
        await world.until(lambda: not world.api.all("jobs"))
        await world.until(lambda: succeeded(world.remediations()[0]) is Reason.KILL_SWITCH)
        assert len(jobs(world)) == 1
        assert world.remediations()[0].status.outcome is None, "its rollback is held, not dropped"
        world.runner.before = None
        world.runner.seconds = 0.2
        switch_off(world)
        ended = await world.ended(30)
    assert (ended.status.outcome, ended.status.reason) == (Outcome.CANCELLED, Reason.KILL_SWITCH)
    assert image_of(world.api) == BAD
    assert world.leftovers() == []


async def test_the_switch_holds_after_a_restart(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    switch_on(world)
    for _ in range(2):
        async with world.operator():
            file_report(world.api)
            await world.until(lambda: refused(world, Reason.KILL_SWITCH))
    assert world.remediations() == []


async def test_a_policy_that_cannot_be_read_says_so_and_lets_nothing_pass(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    wide = {"mode": "Auto", "actions": [{"name": "Rollback"}]}
    meta = {"name": "wide", "namespace": RELEASE}
    world.api.put("remediationpolicies", {"metadata": meta, "spec": wide})
    world.api.edit(
        "remediationpolicies", NAMESPACE, "usual", {"spec": {"actions": [{"name": "Explode"}]}}
    )
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: refused(world, Reason.POLICY_INVALID))
        await world.until(lambda: ready(world))
        condition = ready(world)
        assert condition is not None
        assert (condition.status, condition.reason) == (Status.FALSE, Reason.POLICY_INVALID)
        assert "actions.0.name" in condition.message
        set_policy(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED
    assert ended.spec.policy.name == "usual"


async def test_two_policies_that_match_the_same_say_so(world: World) -> None:
    open_shop(world.api)
    body = world.api.get("remediationpolicies", NAMESPACE, "usual")
    assert body is not None
    twin = {"metadata": {"name": "twin", "namespace": NAMESPACE}, "spec": body["spec"]}
    world.api.put("remediationpolicies", twin)
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: refused(world, Reason.POLICY_CONFLICT))
        await world.until(lambda: (c := ready(world)) and c.reason is Reason.POLICY_CONFLICT)
        world.api.remove("remediationpolicies", NAMESPACE, "twin")
        await world.until(lambda: (c := ready(world)) and c.reason is Reason.POLICY_READY)
        world.model.say([rollback()])
        assert (await world.ended()).status.outcome is Outcome.VERIFIED


async def test_in_a_storm_those_with_one_cause_are_one(world: World) -> None:
    """All callers complain of the cart: the cart is repaired, once, and the rest is well."""
    count = 22
    open_shop(world.api)
    world.model.say([rollback()])
    cart = world.api.get("deployments", NAMESPACE, "cart")
    assert cart is not None
    for number in range(count):
        meta = {"name": f"caller-{number}", "namespace": NAMESPACE, "labels": {"app": "caller"}}
        world.api.put("deployments", {**cart, "metadata": meta})
        file_report(
            world.api,
            f"caller-{number}",
            target={"kind": "Deployment", "name": f"caller-{number}"},
            fault={"type": "errors", "severity": "Low"},
            evidence=[{"kind": "Log", "text": "GET http://cart:8080/: status 500"}],
        )
    file_report(world.api, "cart-down", fault={"type": "bad-rollout", "severity": "Critical"})
    async with world.operator():
        await world.until(lambda: gauge(world, "reme_report_storm_active") == 1)
        await world.until(lambda: refused(world, Reason.SAME_CAUSE, "caller-7"))
        condition = accepted(world, "caller-7")
        assert condition is not None
        assert "shop/cart-down is acted on first" in condition.message

        await world.until(lambda: outcome_of(world, "cart-down"), 60)
        # Until then nothing else was begun, though there was room for one more at a time.
        started_at = {r.spec.report_ref.name for r in world.remediations()}
        assert started_at == {"cart-down"}
        await world.until(lambda: len(well(world)) >= 3, 100)
    assert outcome_of(world, "cart-down") is Outcome.VERIFIED
    assert len(world.runner.ran) == 1


def outcome_of(world: World, report: str) -> Outcome | None:
    remediations = [r for r in world.remediations() if r.spec.report_ref.name == report]
    return remediations[0].status.outcome if remediations else None


def well(world: World) -> list[Remediation]:
    return [r for r in world.remediations() if r.status.outcome is Outcome.NO_ACTION_NEEDED]


async def test_a_namespace_is_touched_only_so_far(world: World) -> None:
    budgets = {"cooldownSeconds": 0, "maxConcurrent": 9, "maxPerHour": 99, "maxWorkloadsPercent": 1}
    open_shop(world.api, budgets=budgets)
    world.model.say([rollback()])
    cart = world.api.get("deployments", NAMESPACE, "cart")
    assert cart is not None
    meta = {"name": "stock", "namespace": NAMESPACE, "labels": {"app": "stock"}}
    world.api.put("deployments", {**cart, "metadata": meta})
    async with world.operator():
        file_report(world.api)
        assert (await world.ended()).status.outcome is Outcome.VERIFIED
        file_report(world.api, "stock-down", target={"kind": "Deployment", "name": "stock"})
        await world.until(lambda: refused(world, Reason.BUDGET_EXHAUSTED, "stock-down"))
        condition = accepted(world, "stock-down")
        assert condition is not None
        assert "allows 1 of 2 workloads of shop" in condition.message


async def test_a_target_that_could_not_be_helped_rests_longer_and_longer(world: World) -> None:
    budgets = {"cooldownSeconds": 1, "maxConcurrent": 9, "maxPerHour": 99}
    open_shop(world.api, budgets=budgets, verification={"windowSeconds": 1, "timeoutSeconds": 5,
                                                         "baselineSamples": 1})  # fmt: skip
    world.model.say([restart()])
    async with world.operator():
        file_report(world.api, "first")
        first = await world.ended(30)
        assert first.status.outcome is Outcome.ROLLED_BACK
        file_report(world.api, "second")
        await world.until(lambda: refused(world, Reason.COOLING_DOWN, "second"))
        condition = accepted(world, "second")
        assert condition is not None
        assert "cools down for 2 s" in condition.message
        await world.until(lambda: len(world.remediations()) == 2, 20)
    second = next(r for r in world.remediations() if r.spec.report_ref.name == "second")
    assert second.metadata.annotations["reme.dev/failures-before"] == "1"


async def test_a_profile_is_kept_as_what_it_says(world: World) -> None:
    open_shop(world.api)
    body = world.api.get("remediationpolicies", NAMESPACE, "usual")
    assert body is not None
    spec = {
        "mode": "Auto",
        "profile": "Standard",
        "verification": body["spec"]["verification"],
        "evidence": {"minPersistenceSeconds": 0},
    }
    world.api.put("remediationpolicies", {**body, "spec": spec})
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED
    remediation_policy_spec = ended.spec.policy.spec
    assert remediation_policy_spec.budgets.max_workloads_percent == 25
    assert remediation_policy_spec == RemediationPolicy.model_validate({**body, "spec": spec}).spec


async def test_where_no_allowed_action_helps_nothing_is_done_and_what_was_seen_is_kept(
    world: World,
) -> None:
    open_shop(world.api, actions=[{"name": "ResumeRollout"}])
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.ABSTAINED,
        Reason.NO_ACTION_HELPS,
    )
    assert "ResumeRollout NoChange" in ended.status.message
    assert "probe answers passed 0 of 1" in ended.status.message
    (attempt,) = ended.status.attempts
    assert any("cart" in line for line in attempt.observations)
    assert world.model.asked == []
    page = world.metrics.page().body.decode()
    assert 'reme_remediations_total{outcome="Abstained",reason="NoActionHelps"} 1.0' in page


LASTING = {"evidence": {"minPersistenceSeconds": 3}}


def waits_for_persistence(world: World) -> bool:
    remediations = world.remediations()
    return bool(remediations) and succeeded(remediations[0]) is Reason.WAITING_FOR_PERSISTENCE


def rights(world: World) -> list[str]:
    return [
        kind for kind in ("rungrants", "serviceaccounts", "rolebindings") if world.api.all(kind)
    ]


async def test_a_fault_that_passes_by_itself_is_left_alone(world: World) -> None:
    open_shop(world.api, **LASTING)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: waits_for_persistence(world))
        assert world.model.asked, "it is asked meanwhile"
        assert rights(world) == []
        world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"template": template(GOOD)}})
        ended = await world.ended()
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.NO_ACTION_NEEDED,
        Reason.ALREADY_HEALTHY,
    )
    (attempt,) = ended.status.attempts
    assert attempt.run is None
    assert attempt.plan is not None
    assert attempt.plan.digest is None, "no plan was made"
    assert jobs(world) == []
    assert world.api.writes("/rungrants") == []
    assert world.leftovers() == []


async def test_one_that_lasts_is_repaired_after_the_wait(world: World) -> None:
    open_shop(world.api, **LASTING)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: waits_for_persistence(world))
        ended = await world.ended()
    repaired_after(world, ended, 3)


async def test_the_next_operator_waits_no_longer_and_no_shorter(world: World) -> None:
    open_shop(world.api, **LASTING)
    world.model.say([rollback()])
    async with world.operator() as operator:
        file_report(world.api)
        await world.until(lambda: waits_for_persistence(world))
        world.kill(operator)
    async with world.operator():
        ended = await world.ended()
    repaired_after(world, ended, 3)


def repaired_after(world: World, ended: Remediation, seconds: int) -> None:
    """Check that a fault was measured and acted on once it had lasted so long."""
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    (attempt,) = ended.status.attempts
    assert ended.status.start_time is not None
    lasted = ended.status.start_time + timedelta(seconds=seconds)
    assert ended.status.baseline is not None
    assert ended.status.baseline.start_time >= lasted
    assert attempt.run is not None
    assert attempt.run.created_time is not None
    assert attempt.run.created_time >= lasted
    assert len(jobs(world)) == 1
    assert len(world.model.asked) == 1


async def test_the_wait_is_called_off_like_anything_else(world: World) -> None:
    open_shop(world.api, evidence={"minPersistenceSeconds": 600})
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: waits_for_persistence(world))
        switch_on(world)
        await world.until(lambda: succeeded(world.remediations()[0]) is Reason.KILL_SWITCH, 20)
        switch_off(world)
        await world.until(lambda: waits_for_persistence(world), 20)
        (remediation,) = world.remediations()
        world.api.edit(
            "remediations", NAMESPACE, remediation.metadata.name, {"spec": {"cancel": True}}
        )
        ended = await world.ended()
    assert (ended.status.outcome, ended.status.reason) == (Outcome.CANCELLED, Reason.CANCELLED)
    assert jobs(world) == []
    assert world.leftovers() == []


async def test_a_target_gets_no_second_one_from_the_operator_that_comes_next(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    world.runner.seconds = 4.0
    async with world.operator() as first:
        file_report(world.api, "first")
        await world.until(lambda: world.runner.ran)
        world.kill(first)
    file_report(world.api, "second")
    async with world.operator():
        await world.until(lambda: refused(world, Reason.TARGET_LOCKED, "second"))
        assert len(world.remediations()) == 1
        await world.until(lambda: outcome_of(world, "first"), 40)
        await world.until(lambda: outcome_of(world, "second"), 40)
    assert outcome_of(world, "first") is Outcome.VERIFIED
    assert outcome_of(world, "second") is Outcome.NO_ACTION_NEEDED
    assert len(world.runner.ran) == 1

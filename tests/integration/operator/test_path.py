"""From a report to its outcome, through every part of the operator."""

import asyncio
import json

import pytest

from reme_api.conditions import Status, find_condition
from reme_api.reasons import ConditionType, Outcome, Reason, Step
from reme_api.remediation import Remediation
from tests.doubles.fake_model import Answer
from tests.doubles.shop import (
    BAD,
    GOOD,
    NAMESPACE,
    file_report,
    image_of,
    open_shop,
    restart,
    rollback,
    scale,
    set_policy,
)
from tests.integration.operator.conftest import World


def condition(remediation: Remediation, kind: ConditionType) -> tuple[Status, Reason]:
    result = find_condition(remediation.status.conditions, kind)
    assert result is not None
    return result.status, result.reason


def replicas(world: World) -> int:
    cart = world.api.get("deployments", NAMESPACE, "cart")
    assert cart is not None
    return int(cart["spec"]["replicas"])


async def test_the_right_playbook_is_verified(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    async with world.operator():
        report = file_report(world.api)
        ended = await world.ended()

        def remediated() -> bool:
            result = find_condition(world.report().status.conditions, ConditionType.REMEDIATED)
            return result is not None and result.status is Status.TRUE

        await world.until(remediated)
        await world.until(
            lambda: not world.api.all("remediations")[0]["metadata"].get("finalizers")
        )
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert image_of(world.api) == GOOD
    (attempt,) = ended.status.attempts
    assert attempt.run is not None
    assert world.runner.ran == [attempt.run.name]
    assert world.leftovers() == []
    assert ended.spec.report_ref.uid == report["metadata"]["uid"]
    accepted = find_condition(world.report().status.conditions, ConditionType.ACCEPTED)
    assert accepted is not None
    assert accepted.reason is Reason.REMEDIATION_CREATED
    assert condition(ended, ConditionType.SUCCEEDED) == (Status.TRUE, Reason.PROBES_PASSED)
    assert attempt.generation is not None
    assert attempt.generation.completion_tokens == 20
    assert attempt.generation.model_digest == "sha256:abcdefabcdef"
    assert attempt.plan is not None
    assert attempt.plan.digest is not None
    image = "spec.template.spec.containers[cart].image"
    assert [(c.field, c.before, c.after) for c in attempt.changes] == [(image, BAD, GOOD)]
    steps = {t.step for t in [*ended.status.timings, *attempt.timings]}
    assert {Step.BASELINE, Step.CONTEXT, Step.GENERATE, Step.VALIDATE, Step.CAPTURE} <= steps
    assert {Step.PREPARE, Step.EXECUTE, Step.VERIFY, Step.CLEAN_UP} <= steps
    page = world.metrics.page().body.decode()
    assert 'reme_remediations_total{outcome="Verified",reason="ProbesPassed"} 1.0' in page


async def test_the_grant_is_there_before_any_right_and_goes_after_it(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        await world.ended()
    lines = [
        c.path.split("/")[-1]
        for c in world.api.writes("")
        if "reme-system" in c.path or "rolebindings" in c.path
    ]
    assert lines.index("rungrants") < lines.index("rolebindings")
    assert lines[-1] == "jobs" or "jobs" in lines[lines.index("rolebindings") :]
    gone = [c.path for c in world.api.writes("", verb="DELETE")]
    last_binding = max(i for i, path in enumerate(gone) if "rolebindings" in path)
    assert last_binding < min(i for i, path in enumerate(gone) if "rungrants" in path)


async def test_a_useless_playbook_is_never_called_verified(world: World) -> None:
    open_shop(world.api, verification={"windowSeconds": 1, "timeoutSeconds": 5})
    world.model.say([restart()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.ROLLED_BACK
    assert condition(ended, ConditionType.SUCCEEDED)[0] is Status.FALSE
    assert condition(ended, ConditionType.VERIFIED) == (Status.FALSE, Reason.PROBES_FAILED)
    assert ended.status.attempts[0].rollback is None  # a restart has nothing to roll back
    assert world.leftovers() == []


async def test_a_repair_in_the_wrong_field_is_rolled_back_by_its_own_job(world: World) -> None:
    open_shop(world.api)
    world.model.say([scale(2)])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    assert ended.status.outcome is Outcome.ROLLED_BACK, ended.status.message
    assert replicas(world) == 1
    (attempt,) = ended.status.attempts
    assert attempt.run is not None
    assert attempt.rollback is not None
    assert world.runner.ran == [attempt.run.name, f"{attempt.run.name}-rollback"]
    assert attempt.rollback_verification is not None
    assert world.leftovers() == []


async def test_a_rollback_without_effect_is_reported_and_ends_the_repair(world: World) -> None:
    open_shop(world.api, maxAttempts=3)
    world.model.say([scale(2)])

    def rollback_without_effect() -> None:
        world.runner.apply = not world.runner.ran[-1].endswith("-rollback")

    world.runner.before = rollback_without_effect
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    assert ended.status.outcome is Outcome.ROLLBACK_FAILED
    assert len(ended.status.attempts) == 1
    assert condition(ended, ConditionType.STALLED) == (Status.TRUE, Reason.ROLLBACK_FAILED)


async def test_the_second_attempt_is_told_of_the_first(world: World) -> None:
    open_shop(world.api, maxAttempts=2)
    world.model.say([restart()], [rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    assert ended.status.outcome is Outcome.VERIFIED
    assert [a.outcome for a in ended.status.attempts] == [Outcome.ROLLED_BACK, Outcome.VERIFIED]
    first, second = (str(request["messages"][-1]) for request in world.model.asked)
    assert "attempt 1" not in first
    assert "attempt 1" in second


async def test_what_did_not_help_is_not_done_again(world: World) -> None:
    actions = [{"name": "Restart"}, {"name": "Scale", "maxIncreasePercent": 300}]
    open_shop(world.api, maxAttempts=3, actions=actions)
    # Another number of replicas is the same try.
    world.model.say([scale(2)], [scale(3)], [restart()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(60)
    first, second, third = ended.status.attempts
    assert first.outcome is third.outcome is Outcome.ROLLED_BACK
    assert second.run is None
    assert second.rejection is not None
    assert second.rejection.rule == "AlreadyTried"
    assert second.rejection.message.startswith("attempt 1 did the same")
    assert all(action.effect for action in (*first.actions, *third.actions))
    assert first.target_before is not None
    assert first.target_after is not None
    assert replicas(world) == 1


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.shell": "kubectl delete ns shop"},
        {
            "kubernetes.core.k8s_rollback": {
                "kind": "Deployment",
                "name": "coredns",
                "namespace": "kube-system",
            }
        },
        scale(1000),
    ],
    ids=["shell", "elsewhere", "too much"],
)
async def test_a_harmful_playbook_is_rejected_and_nothing_runs(
    world: World, task: dict[str, object]
) -> None:
    open_shop(world.api)
    world.model.say([task])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.REJECTED
    assert ended.status.attempts[0].rejection is not None
    assert condition(ended, ConditionType.VALIDATED)[0] is Status.FALSE
    assert world.api.writes("/jobs") == []
    assert image_of(world.api) == BAD


async def test_an_abstention_is_an_answer(world: World) -> None:
    open_shop(world.api, maxAttempts=3)
    world.model.say('{"abstain":"unclear"}')
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.ABSTAINED
    assert len(world.model.asked) == 1
    assert world.api.writes("/jobs") == []


async def test_a_healthy_target_is_left_alone_and_the_model_is_not_asked(world: World) -> None:
    open_shop(world.api)
    world.api.edit(
        "deployments",
        NAMESPACE,
        "cart",
        {"spec": {"template": {"spec": {"containers": [{"name": "cart", "image": GOOD}]}}}},
    )
    world.model.say([restart()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.NO_ACTION_NEEDED
    assert condition(ended, ConditionType.SUCCEEDED) == (Status.TRUE, Reason.ALREADY_HEALTHY)
    assert world.model.asked == []


async def test_observe_plans_and_never_runs(world: World) -> None:
    open_shop(world.api, mode="Observe")
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.OBSERVED
    assert ended.status.attempts[0].actions
    assert ended.status.attempts[0].changes
    assert world.api.writes("/jobs") == []


async def test_a_policy_that_is_suspended_holds_the_run_and_lets_it_go(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(delay_seconds=0.5, content=_text(rollback())))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.model.asked)
        set_policy(world.api, suspend=True)

        def held() -> Remediation | None:
            for value in world.remediations():
                stated = find_condition(value.status.conditions, ConditionType.SUCCEEDED)
                if stated and stated.reason is Reason.SUSPENDED:
                    return value
            return None

        value = await world.until(held)
        await asyncio.sleep(0.3)
        assert world.api.writes("/jobs") == []
        set_policy(world.api)
        # Nothing tells a remediation that a policy changed; an edit of itself wakes it.
        world.api.edit(
            "remediations", NAMESPACE, value.metadata.name, {"metadata": {"labels": {"x": "y"}}}
        )
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED


async def test_what_cannot_be_measured_is_unverified(world: World) -> None:
    open_shop(world.api)
    world.prober.unmeasurable = True
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.UNVERIFIED
    assert condition(ended, ConditionType.SUCCEEDED) == (
        Status.FALSE,
        Reason.PROBES_INCONCLUSIVE,
    )
    assert image_of(world.api) == GOOD  # kept: nothing says that it did harm


@pytest.mark.parametrize("recovers", [True, False])
async def test_a_neighbour_that_got_worse_is_a_failure(world: World, recovers: bool) -> None:
    open_shop(world.api, rollback={"timeoutSeconds": 5})
    stock = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "stock", "namespace": NAMESPACE},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "stock"}}}},
        "status": {"availableReplicas": 2},
    }
    world.api.put("deployments", stock)
    world.model.say([rollback()])

    def change_stock() -> None:
        rolls_back = world.runner.ran[-1].endswith("-rollback")
        available = 2 if rolls_back and recovers else 0
        status = {"status": {"availableReplicas": available}}
        world.api.edit("deployments", NAMESPACE, "stock", status)

    world.runner.before = change_stock
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    if recovers:
        assert ended.status.outcome is Outcome.ROLLED_BACK
        assert ended.status.reason is Reason.NEIGHBOURS_DEGRADED
    else:  # every field is restored, and a person must look after what is worse all the same
        assert ended.status.outcome is Outcome.ROLLBACK_FAILED
        assert "worse than before: Deployment/stock" in ended.status.message
    assert image_of(world.api) == BAD


async def test_two_reports_for_one_target_take_turns(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(delay_seconds=0.5, content=_text(rollback())))
    async with world.operator():
        file_report(world.api, "twin-a")
        await world.until(world.remediations)
        file_report(world.api, "twin-b")

        def refused() -> bool:
            result = find_condition(
                world.report("twin-b").status.conditions, ConditionType.ACCEPTED
            )
            return result is not None and result.reason is Reason.TARGET_LOCKED

        await world.until(refused)
        assert world.report("twin-b").status.retry_time is not None
        await world.until(
            lambda: len([r for r in world.remediations() if r.status.outcome]) == 2, 30
        )
    outcomes = {r.spec.report_ref.name: r.status.outcome for r in world.remediations()}
    assert outcomes == {"twin-a": Outcome.VERIFIED, "twin-b": Outcome.NO_ACTION_NEEDED}


def _text(task: dict[str, object]) -> str:
    return json.dumps([task])

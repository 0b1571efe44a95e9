"""A person decides: approve, reject, edit, roll back; and what a dry run says before that."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from reme_api.conditions import Status, find_condition
from reme_api.probes import ProbeVerdict
from reme_api.reasons import ConditionType, Outcome, Reason, Step
from reme_api.remediation import Remediation
from tests.doubles.fake_api import refusal
from tests.doubles.rollouts import Rollouts
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
)
from tests.integration.operator.conftest import World

LIMITS = {"verification": {"windowSeconds": 1, "timeoutSeconds": 5, "baselineSamples": 1}}
RIGHTS = ("rungrants", "serviceaccounts", "rolebindings")


def waits(world: World, reason: Reason) -> Callable[[], Remediation | None]:
    def check() -> Remediation | None:
        for remediation in world.remediations():
            stated = find_condition(remediation.status.conditions, ConditionType.APPROVED)
            if stated and stated.reason is reason:
                return remediation
        return None

    return check


async def plan_of(world: World, reason: Reason = Reason.WAITING_FOR_APPROVAL) -> Remediation:
    value = await world.until(waits(world, reason))
    assert isinstance(value, Remediation)
    return value


def decide(
    world: World, remediation: Remediation, decision: str = "Approve", **fields: Any
) -> None:
    attempt = remediation.status.attempts[-1]
    assert attempt.playbook is not None
    assert attempt.plan is not None
    approval = {
        "decision": decision,
        "username": "ann",
        "attempt": attempt.number,
        "playbookDigest": attempt.playbook.digest,
        "planDigest": attempt.plan.digest,
        "reason": None,
        "editedPlaybook": None,
    }
    body = {"spec": {"approval": approval | fields}}
    world.api.edit("remediations", NAMESPACE, remediation.metadata.name, body)


async def test_an_approved_plan_runs_and_the_record_says_whose_word_it_was(world: World) -> None:
    open_shop(world.api, mode="Approve")
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        remediation = await plan_of(world)
        assert not any(world.api.all(kind) for kind in RIGHTS), "rights while a person thinks"
        assert image_of(world.api) == BAD
        decide(world, remediation, planDigest="sha256:" + "0" * 64)
        await asyncio.sleep(0.5)
        assert world.api.writes("/jobs") == []
        decide(world, remediation, reason="looks right")
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED
    (attempt,) = ended.status.attempts
    (record,) = attempt.approvals
    assert (record.decision, record.username, record.reason) == ("Approve", "ann", "looks right")
    assert attempt.plan is not None
    assert record.plan_digest == attempt.plan.digest
    approved = find_condition(ended.status.conditions, ConditionType.APPROVED)
    assert approved is not None
    assert (approved.status, approved.reason) == (Status.TRUE, Reason.APPROVED_BY_PERSON)
    assert "ann" in approved.message
    assert {Step.DRY_RUN, Step.APPROVE} <= {t.step for t in attempt.timings}
    assert world.leftovers() == []


async def test_a_plan_that_has_changed_since_needs_another_approval(world: World) -> None:
    open_shop(world.api, mode="Approve")
    world.model.say([scale(2)])
    async with world.operator():
        file_report(world.api)
        remediation = await plan_of(world)
        (change,) = remediation.status.attempts[0].changes
        assert (change.field, change.before, change.after) == ("spec.replicas", "1", "2")
        world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"replicas": 3}})
        decide(world, remediation)
        changed = await plan_of(world, Reason.PLAN_CHANGED)
        assert world.api.writes("/jobs") == []
        (change,) = changed.status.attempts[0].changes
        assert (change.before, change.after) == ("3", "2")
        decide(world, changed, "Reject", reason="three is right")
        ended = await world.ended()
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.REJECTED,
        Reason.REJECTED_BY_PERSON,
    )
    assert "three is right" in ended.status.message
    assert world.runner.ran == []
    assert world.leftovers() == []


def ingress_patch(index: str) -> str:
    path = f"/spec/rules/{index}/http/paths/0/backend/service"
    patch = [{"op": "replace", "path": path, "value": {"name": "cart", "port": {"number": 80}}}]
    task = {"kind": "Ingress", "name": "shop", "namespace": NAMESPACE, "patch": patch}
    return json.dumps([{"kubernetes.core.k8s_json_patch": task}])


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (ingress_patch("\u00b2"), "Field"),
        (ingress_patch("9" * 5000), "Field"),
        ("I would rather restart it", "Shape"),
        ("- name: '{{ x }}'", "Template"),
        ("- " * 4000, "TooDeep"),
        ("- [" + "\u2028", "Syntax"),
    ],
)
async def test_an_edit_that_is_no_playbook_is_refused_with_a_reason(
    world: World, edit: str, rule: str
) -> None:
    open_shop(world.api, mode="Approve")
    world.model.say([restart()])
    async with world.operator():
        file_report(world.api)
        remediation = await plan_of(world)
        decide(world, remediation, "Edit", editedPlaybook=edit)
        refused = await plan_of(world, Reason.EDIT_REFUSED)
        attempt = refused.status.attempts[0]
        assert attempt.playbook == remediation.status.attempts[0].playbook
        assert attempt.approvals[-1].refusal_message.startswith(f"{rule}: ")
        decide(world, refused, "Reject")
        ended = await world.ended()
    assert ended.status.reason is Reason.REJECTED_BY_PERSON


async def test_an_edited_playbook_passes_the_gate_and_waits_for_its_own_approval(
    world: World,
) -> None:
    open_shop(world.api, mode="Approve")
    world.model.say([restart()])
    async with world.operator():
        file_report(world.api)
        remediation = await plan_of(world)
        outside = json.dumps([rollback() | {"name": "x"}]).replace("cart", "stock")
        decide(world, remediation, "Edit", editedPlaybook=outside)
        refused = await plan_of(world, Reason.EDIT_REFUSED)
        assert refused.status.attempts[0].playbook == remediation.status.attempts[0].playbook
        decide(
            world,
            refused,
            "Edit",
            editedPlaybook=json.dumps([rollback()]),
            reason="go back instead",
        )

        def edited() -> Remediation | None:
            (now,) = world.remediations()
            attempt = now.status.attempts[0]
            planned = attempt.plan is not None and attempt.plan.completion_time is not None
            other = attempt.playbook != remediation.status.attempts[0].playbook
            return now if planned and other else None

        other = await world.until(edited)
        assert world.api.writes("/jobs") == [], "an edit is no approval of what it came to"
        assert [c.after for c in other.status.attempts[0].changes] == [GOOD]
        decide(world, other)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert image_of(world.api) == GOOD
    records = ended.status.attempts[0].approvals
    assert [r.decision for r in records] == ["Edit", "Edit", "Approve"]
    assert records[0].refusal_message
    assert records[1].original_playbook == remediation.status.attempts[0].playbook
    assert records[1].edited_playbook is not None
    config_map = world.api.get("configmaps", NAMESPACE, records[1].edited_playbook.name)
    assert config_map is not None
    assert json.loads(config_map["data"]["playbook.txt"]) == [rollback()]


async def test_a_plan_that_nobody_decides_on_expires(world: World) -> None:
    open_shop(world.api, mode="Approve", approvalTimeoutSeconds=5)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        remediation = await plan_of(world)
        ended = await world.ended(20)
        decide(world, remediation)  # too late
        await asyncio.sleep(0.5)
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.TIMED_OUT,
        Reason.APPROVAL_EXPIRED,
    )
    assert world.runner.ran == []
    assert world.leftovers() == []


@pytest.mark.parametrize("mode", ["Auto", "Approve", "Observe"])
async def test_a_dry_run_that_is_refused_rejects_the_playbook(world: World, mode: str) -> None:
    open_shop(world.api, mode=mode)
    world.model.say([scale(2)])
    world.api.faults.append(refusal(403, "Forbidden", times=10**9, verb="PATCH", path="/scale"))
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
        await world.until(lambda: world.leftovers() == [])
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.REJECTED,
        Reason.DRY_RUN_REFUSED,
    )
    assert "injected by a test" in ended.status.message
    assert world.runner.ran == []


async def test_without_an_admission_policy_nothing_runs(world: World) -> None:
    open_shop(world.api)
    world.api.fenced = False
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
        await world.until(lambda: world.leftovers() == [])
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.FAILED,
        Reason.RUN_NOT_STARTED,
    )
    assert "does not hold the run to its grant" in ended.status.message
    assert world.runner.ran == []


async def test_observe_has_the_plan_and_leaves_no_rights(world: World) -> None:
    open_shop(world.api, mode="Observe")
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
        await world.until(lambda: world.leftovers() == [])
    assert ended.status.outcome is Outcome.OBSERVED
    (attempt,) = ended.status.attempts
    assert attempt.plan is not None
    assert attempt.plan.digest is not None
    assert [(c.before, c.after) for c in attempt.changes] == [(BAD, GOOD)]


def request_rollback(world: World, number: int = 1) -> None:
    (remediation,) = world.remediations()
    body = {"spec": {"rollback": {"username": "ann", "number": number}}}
    world.api.edit("remediations", NAMESPACE, remediation.metadata.name, body)


async def manual_rollback_ended(world: World, number: int = 1) -> Remediation:
    def check() -> Remediation | None:
        (value,) = world.remediations()
        done = [u for u in value.status.manual_rollbacks if u.number == number and u.outcome]
        return value if done else None

    value = await world.until(check)
    assert isinstance(value, Remediation)
    return value


async def test_a_verified_repair_is_rolled_back_on_request(world: World) -> None:
    open_shop(world.api, **LIMITS)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        await world.ended()
        assert image_of(world.api) == GOOD
        await world.until(lambda: not world.leftovers())
        request_rollback(world)
        remediation = await manual_rollback_ended(world)
        assert image_of(world.api) == BAD
        assert remediation.status.outcome is Outcome.VERIFIED, "what it came to stays on record"
        (manual_rollback,) = remediation.status.manual_rollbacks
        assert (manual_rollback.outcome, manual_rollback.username, manual_rollback.attempt) == (
            Outcome.ROLLED_BACK,
            "ann",
            1,
        )
        assert manual_rollback.run is not None
        assert world.runner.ran[-1] == manual_rollback.run.name
        await world.until(lambda: not world.leftovers())
        request_rollback(world)  # the same number again asks for nothing
        await asyncio.sleep(0.3)
        assert len(world.remediations()[0].status.manual_rollbacks) == 1
        await world.until(
            lambda: not world.api.all("remediations")[0]["metadata"].get("finalizers")
        )


async def test_a_manual_rollback_is_refused_after_another_change(world: World) -> None:
    open_shop(world.api, **LIMITS)
    rollouts = Rollouts(world.api, 0.2)  # a rollback is over when the pods have followed it
    rollouts.begin()
    world.api.hooks.append(rollouts)
    world.model.say([scale(2)])
    world.runner.after = lambda: world.api.edit(  # the repair works, and not by its replicas
        "deployments",
        NAMESPACE,
        "cart",
        {
            "spec": {"template": {"spec": {"containers": [{"name": "cart", "image": GOOD}]}}},
            "status": {"replicas": 2, "availableReplicas": 2},
        },
    )
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
        assert ended.status.outcome is Outcome.VERIFIED
        await world.until(lambda: not world.leftovers())
        world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"replicas": 5}})
        request_rollback(world)
        remediation = await manual_rollback_ended(world)
        (manual_rollback,) = remediation.status.manual_rollbacks
        assert manual_rollback.outcome is Outcome.REJECTED
        assert manual_rollback.run is None
        assert [(k.object_name, k.field) for k in manual_rollback.skipped_fields] == [
            ("cart", "spec.replicas")
        ]
        cart = world.api.get("deployments", NAMESPACE, "cart")
        assert cart is not None
        assert cart["spec"]["replicas"] == 5
        world.api.edit("deployments", NAMESPACE, "cart", {"spec": {"replicas": 2}})
        world.runner.after = lambda: world.api.edit(  # the rollout of the rollback settles
            "deployments", NAMESPACE, "cart", {"status": {"replicas": 1, "availableReplicas": 1}}
        )
        request_rollback(world, 2)
        remediation = await manual_rollback_ended(world, 2)
        assert remediation.status.manual_rollbacks[-1].outcome is Outcome.ROLLED_BACK


async def test_a_manual_rollback_is_refused_without_its_capture(world: World) -> None:
    open_shop(world.api, **LIMITS)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
        await world.until(lambda: not world.leftovers())
        capture = ended.status.attempts[0].capture
        assert capture is not None
        world.api.remove("configmaps", NAMESPACE, capture.name)
        request_rollback(world)
        remediation = await manual_rollback_ended(world)
    (manual_rollback,) = remediation.status.manual_rollbacks
    assert manual_rollback.outcome is Outcome.REJECTED
    assert "captured state cannot be used" in manual_rollback.message
    assert image_of(world.api) == GOOD


async def test_what_somebody_else_changed_meanwhile_is_kept_and_named(world: World) -> None:
    open_shop(world.api, **LIMITS)
    world.model.say([scale(2)])
    world.runner.after = lambda: world.api.edit(
        "deployments", NAMESPACE, "cart", {"spec": {"replicas": 7}}
    )
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    (attempt,) = ended.status.attempts
    assert ended.status.outcome is Outcome.ROLLED_BACK
    assert [(k.object_name, k.field) for k in attempt.skipped_fields] == [("cart", "spec.replicas")]
    assert attempt.rollback_verification is not None
    assert attempt.rollback_verification.verdict is ProbeVerdict.PASSED
    assert "not restored, because others changed" in ended.status.message
    cart = world.api.get("deployments", NAMESPACE, "cart")
    assert cart is not None
    assert cart["spec"]["replicas"] == 7

"""What the model, the API server, the cluster and people do wrong, each with its own ending."""

import asyncio
import json

import pytest

from reme_api.conditions import find_condition
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_operator.admission.controller import ReportController
from tests.doubles.fake_api import refusal
from tests.doubles.fake_model import Answer
from tests.doubles.shop import (
    BAD,
    GOOD,
    NAMESPACE,
    RELEASE,
    file_report,
    image_of,
    open_shop,
    rollback,
    scale,
)
from tests.integration.operator.conftest import World
from tests.integration.operator.test_approval import decide, plan_of

RIGHT = json.dumps([rollback()])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(""), Reason.MODEL_REPLY_EMPTY),
        (Answer("You should restart it, I think."), None),
        (Answer(body="\x00<html>not an API</html>"), None),
        (Answer('[{"kubernetes.core.k8s":{"kind":"Deploy'), Reason.MODEL_REPLY_INVALID),
        (Answer("- " + "x" * 65_535), Reason.MODEL_REPLY_TOO_LARGE),
        (Answer("- " + "x" * 200_000), Reason.MODEL_REPLY_TOO_LARGE),
        (Answer("[" + "x" * 1_000_000), Reason.MODEL_REPLY_TOO_LARGE),
        (Answer("```a\n" * 13_000), Reason.MODEL_REPLY_INVALID),
    ],
    ids=["empty", "prose", "garbage", "truncated", "65537", "large", "huge", "fences"],
)
async def test_a_bad_reply_ends_with_a_reason_and_nothing_applied(
    world: World, answer: Answer, reason: Reason | None
) -> None:
    open_shop(world.api)
    world.model.say(answer)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    assert ended.status.outcome in {Outcome.REJECTED, Outcome.FAILED}, ended.status.message
    assert ended.status.message
    if reason is not None:
        assert ended.status.reason is reason
    assert "Traceback" not in ended.model_dump_json()
    assert world.api.writes("/jobs") == []
    assert image_of(world.api) == BAD


async def test_wrong_hints_and_long_texts_of_a_report_are_taken_with_notes(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(
            world.api,
            target={"kind": "deployment", "name": "cart", "container": "no-such-container"},
            fault={
                "type": "bad rollout!",
                "severity": "critical",
                "confidencePercent": "95%",
                "summary": "every request fails",
            },
            evidence=[{"kind": "log", "text": "GET / 500 " + "x" * 60_000 + " panic: no image"}],
        )
        ended = await world.ended(30)

        await world.until(lambda: world.report().status.notes, 10)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    spec = ended.spec
    assert (spec.target.kind, spec.target.container) == ("Deployment", None)
    assert (spec.fault.type, spec.fault.severity) == ("bad-rollout", "Critical")
    assert spec.fault.confidence_percent == 95
    status = world.report().status
    assert len(status.notes) == 4
    assert any("has no container no-such-container" in note for note in status.notes)
    accepted = find_condition(status.conditions, ConditionType.ACCEPTED)
    assert accepted is not None
    assert "and 3 more in status.notes" in accepted.message


async def test_a_model_that_is_busy_for_a_moment_is_asked_again(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(status=429), Answer(status=500), Answer(RIGHT))
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.VERIFIED


async def test_a_model_that_is_too_slow_is_said_so(world: World) -> None:
    open_shop(world.api)
    world.model_timeout_seconds = 0.3
    world.model.say(Answer(RIGHT, delay_seconds=5))
    async with world.operator():
        file_report(world.api)

        def stalled() -> bool:
            stated = [
                find_condition(r.status.conditions, ConditionType.STALLED)
                for r in world.remediations()
            ]
            return any(s and s.reason is Reason.MODEL_TIMED_OUT for s in stated)

        await world.until(stalled)
        world.model.say(Answer(RIGHT))
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.VERIFIED


async def test_an_api_server_that_stumbles_costs_time_and_nothing_else(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT))
    world.api.faults += [
        refusal(429, times=2, path="/configmaps"),
        refusal(500, times=2, verb="POST", path="/jobs"),
        refusal(503, times=3, verb="PUT", path="/status"),
        refusal(500, times=2, verb="DELETE", path="/rolebindings"),
    ]
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    assert ended.status.outcome is Outcome.VERIFIED
    assert len(world.runner.ran) == 1
    assert world.leftovers() == []


async def test_a_status_that_somebody_edits_meanwhile_is_not_lost(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT, delay_seconds=0.5))
    async with world.operator():
        file_report(world.api)
        (value,) = await world.until(world.remediations)
        await world.until(lambda: world.model.asked)
        # Its metadata changes while the model thinks: the write that follows meets a conflict.
        labels = {"metadata": {"labels": {"team": "shop"}}}
        world.api.edit("remediations", NAMESPACE, value.metadata.name, labels)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED
    assert ended.metadata.labels["team"] == "shop"
    assert len(world.model.asked) == 1


async def test_a_run_that_may_not_be_created_is_an_honest_failure(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT))
    world.api.faults.append(refusal(403, "Forbidden", times=99, verb="POST", path="/jobs"))
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.FAILED
    assert ended.status.reason is Reason.RUN_NOT_STARTED
    assert image_of(world.api) == BAD
    assert world.leftovers() == []


async def test_a_pod_that_never_starts_is_not_rolled_back(world: World) -> None:
    open_shop(world.api)
    world.runner.claims = False
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.FAILED
    assert ended.status.reason is Reason.RUN_NOT_STARTED
    assert ended.status.attempts[0].rollback is None


async def test_a_run_that_fails_is_rolled_back(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(json.dumps([scale(2)])))

    def fails_first() -> None:
        world.runner.end = "Succeeded" if world.runner.ran[-1].endswith("-rollback") else "Failed"

    world.runner.before = fails_first
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.ROLLED_BACK
    assert ended.status.reason is Reason.RUN_FAILED
    cart = world.api.get("deployments", NAMESPACE, "cart")
    assert cart is not None
    assert cart["spec"]["replicas"] == 1


async def test_a_job_that_vanishes_is_lost_and_never_made_again(world: World) -> None:
    open_shop(world.api)
    world.runner.seconds = 5
    world.model.say(Answer(json.dumps([scale(2)])))
    async with world.operator():
        file_report(world.api)

        def run_uid() -> str:
            attempts = [a for r in world.remediations() for a in r.status.attempts]
            return next((a.run.uid for a in attempts if a.run), "")

        await world.until(run_uid)
        (job,) = world.api.all("jobs")
        world.api.remove("jobs", RELEASE, job["metadata"]["name"])
        ended = await world.ended(30)
    assert ended.status.attempts[0].run is not None
    assert ended.status.attempts[0].run.reason is Reason.RUN_LOST
    assert ended.status.outcome is Outcome.ROLLED_BACK
    assert len(world.api.writes("/jobs")) == 1


async def test_a_target_that_vanishes_is_noticed(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT, delay_seconds=0.5))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.model.asked)
        world.prober.unmeasurable = True
        world.api.remove("deployments", NAMESPACE, "cart")
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.CANCELLED
    assert ended.status.reason is Reason.TARGET_DELETED
    assert world.leftovers() == []


async def test_cancelled_while_the_model_thinks(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT, delay_seconds=1))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.model.asked)
        (remediation,) = world.remediations()
        world.api.edit(
            "remediations", NAMESPACE, remediation.metadata.name, {"spec": {"cancel": True}}
        )
        ended = await world.ended()
    assert ended.status.outcome is Outcome.CANCELLED
    assert world.api.writes("/jobs") == []


async def test_a_run_is_rolled_back_when_its_report_is_deleted(world: World) -> None:
    open_shop(world.api)
    world.runner.seconds = 4
    world.model.say(Answer(json.dumps([scale(2)])))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.runner.ran)
        world.runner.seconds = 0.2
        world.api.remove("diagnosisreports", NAMESPACE, "cart-down")
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.CANCELLED
    assert ended.status.reason is Reason.REPORT_DELETED
    cart = world.api.get("deployments", NAMESPACE, "cart")
    assert cart is not None
    assert cart["spec"]["replicas"] == 1
    assert world.leftovers() == []


async def test_a_remediation_that_is_deleted_in_mid_run_leaves_nothing(world: World) -> None:
    open_shop(world.api)
    world.runner.seconds = 4
    world.model.say(Answer(json.dumps([scale(2)])))
    async with world.operator():
        file_report(world.api)
        await world.until(lambda: world.runner.ran)
        world.runner.seconds = 0.2
        (remediation,) = world.remediations()
        world.api.remove("remediations", NAMESPACE, remediation.metadata.name)
        await world.until(lambda: not world.remediations(), 30)
        await asyncio.sleep(0.3)
    assert world.leftovers() == []
    assert len([r for r in world.runner.ran if not r.endswith("-rollback")]) == 1
    # Nor is it begun again: the report has had its remediation.
    assert world.remediations() == []


async def test_a_text_that_was_tampered_with_is_not_run(world: World) -> None:
    open_shop(world.api, mode="Approve")
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api)

        remediation = await plan_of(world)
        name = f"{remediation.metadata.name}-1-playbook"
        other = json.dumps([scale(2)])
        world.api.edit("configmaps", NAMESPACE, name, {"data": {"playbook.json": other}})
        decide(world, remediation)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.FAILED
    assert ended.status.reason is Reason.TAMPERED
    assert world.api.writes("/jobs") == []


async def test_a_report_about_nothing_says_so(world: World) -> None:
    open_shop(world.api)
    async with world.operator():
        file_report(world.api, target={"kind": "Deployment", "name": "nobody"})

        def refused() -> Reason | None:
            condition = find_condition(world.report().status.conditions, ConditionType.ACCEPTED)
            return condition.reason if condition else None

        assert await world.until(refused) is Reason.TARGET_NOT_FOUND
    assert world.remediations() == []
    assert image_of(world.api) != GOOD


async def test_a_report_that_cannot_be_read_says_why(world: World) -> None:
    """It was logged, and its author saw nothing."""
    open_shop(world.api)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api, fault={"type": "bad-rollout", "startTime": "yesterday"})

        def refused() -> bool:
            report = world.api.get("diagnosisreports", NAMESPACE, "cart-down") or {}
            conditions = (report.get("status") or {}).get("conditions") or []
            return any(
                (c["type"], c["status"], c["reason"]) == ("Accepted", "False", "InvalidObject")
                and "spec.fault.startTime" in c["message"]
                for c in conditions
            )

        await world.until(refused)
        assert world.remediations() == []
        corrected = {"spec": {"fault": {"startTime": "2026-05-04T12:00:00Z"}}}
        world.api.edit("diagnosisreports", NAMESPACE, "cart-down", corrected)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED
    accepted = find_condition(world.report().status.conditions, ConditionType.ACCEPTED)
    assert accepted is not None
    assert accepted.reason is Reason.REMEDIATION_CREATED


async def test_a_remediation_that_cannot_be_read_says_why_and_keeps_its_record(
    world: World,
) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
        name = ended.metadata.name
        world.api.edit("remediations", NAMESPACE, name, {"status": {"outcome": "Splendid"}})

        def stalled() -> bool:
            status = (world.api.get("remediations", NAMESPACE, name) or {})["status"]
            return any(
                (c["type"], c["status"], c["reason"]) == ("Stalled", "True", "InvalidObject")
                for c in status["conditions"]
            )

        await world.until(stalled)
        body = world.api.get("remediations", NAMESPACE, name)
        assert body is not None
        assert len(body["status"]["conditions"]) == len(ended.status.conditions)
        assert body["status"]["attempts"][0]["run"]["name"]
        writes = len(world.api.writes(f"/remediations/{name}/status"))
        await asyncio.sleep(1)
        assert len(world.api.writes(f"/remediations/{name}/status")) == writes


async def test_admission_that_dies_is_started_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task was gone, nothing was admitted any more, and nobody could tell."""
    loads = ReportController._load_remediations
    failed: list[str] = []

    async def fails_once(self: ReportController) -> None:
        if not failed:
            failed.append("once")
            raise KeyError("uid")
        await loads(self)

    monkeypatch.setattr(ReportController, "_load_remediations", fails_once)
    open_shop(world.api)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended(40)
    assert failed
    assert ended.status.outcome is Outcome.VERIFIED
    page = world.metrics.page().body.decode()
    assert 'reme_background_task_failures_total{task="admission"} 1.0' in page

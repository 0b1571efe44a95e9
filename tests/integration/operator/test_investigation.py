"""Method ThinkRemed: rounds of inspections before the playbook, recorded and bounded."""

import json
from typing import Any

from reme_api.base import ArtifactReference
from reme_api.investigation import Choice, InspectionName
from reme_api.reasons import Outcome, Reason, Step
from reme_api.remediation import Attempt
from tests.doubles.api_rules import Json
from tests.doubles.fake_model import Answer
from tests.doubles.shop import (
    BAD,
    GOOD,
    NAMESPACE,
    file_report,
    image_of,
    open_shop,
    rollback,
    template,
)
from tests.integration.operator.conftest import World


def artifact(world: World, reference: ArtifactReference | None) -> Any:
    assert reference is not None
    config_map = world.api.get("configmaps", NAMESPACE, reference.name)
    assert config_map is not None
    return json.loads(config_map["data"][reference.key])


def choices(attempt: Attempt) -> list[Choice]:
    return [entry.choice for entry in attempt.investigation]


async def test_a_round_of_inspections_comes_before_the_playbook(world: World) -> None:
    # More is worth inspecting than fits into one round.
    open_shop(world.api, method="ThinkRemed", investigation={"maxRounds": 1})
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert image_of(world.api) == GOOD
    (attempt,) = ended.status.attempts
    assert choices(attempt) == [Choice.INSPECT, Choice.ACT]
    first, last = attempt.investigation
    assert first.coordinator == "rules"
    assert first.completion_time is not None
    assert first.results is not None
    assert first.inspections
    assert all(one.result for one in first.inspections)
    assert len(artifact(world, first.view)["choice"]["inspections"]) == len(first.inspections)
    assert len(artifact(world, first.results)) == len(first.inspections)
    assert last.results is None
    assert Step.INVESTIGATE in {timing.step for timing in attempt.timings}
    page = world.metrics.page().body.decode()
    assert 'reme_investigation_rounds_total{choice="Inspect"} 1.0' in page
    name = first.inspections[0].name
    assert name in set(InspectionName)
    assert f'reme_inspections_total{{inspection="{name}",result=' in page


async def test_solo_gen_inspects_nothing(world: World) -> None:
    open_shop(world.api)
    world.model.say([rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED
    assert ended.status.attempts[0].investigation == []


async def test_a_model_chooses_the_rounds_where_it_is_asked_to(world: World) -> None:
    world.settings = {"model_coordinator": "model"}
    open_shop(world.api, method="ThinkRemed")
    label = "ObjectEvents Deployment/cart"
    world.model.say(f'{{"inspect":["{label}"]}}', '{"act":"now"}', [rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    (attempt,) = ended.status.attempts
    first, last = attempt.investigation
    assert (first.coordinator, first.prompt_tokens, first.completion_tokens) == ("reme", 100, 20)
    assert [one.name for one in first.inspections] == [InspectionName.OBJECT_EVENTS]
    assert last.choice is Choice.ACT
    assert len(world.model.asked) == 3
    assert label in json.dumps(world.model.asked[0])
    page = world.metrics.page().body.decode()
    assert 'reme_coordinator_tokens_total{kind="prompt"} 200.0' in page


async def test_the_rules_choose_while_the_model_is_away(world: World) -> None:
    """Each round falls back by itself; the playbook waits for the model as ever."""
    world.settings = {"model_coordinator": "model", "model_attempts": 1}
    world.model_timeout_seconds = 1.0
    open_shop(world.api, method="ThinkRemed", investigation={"maxSeconds": 30})
    world.model.say(*[Answer(status=400)] * 3, [rollback()])
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    rounds = ended.status.attempts[0].investigation
    assert [entry.coordinator for entry in rounds] == ["rules"] * 3
    assert rounds[0].message.startswith("the model could not be asked")


async def test_a_dependency_outside_that_fails_ends_it_without_asking_the_model(
    world: World,
) -> None:
    open_shop(world.api, method="ThinkRemed")
    url = {"name": "BANK_URL", "value": "https://bank.example.com/pay"}
    containers = [{"name": "cart", "image": BAD, "env": [url]}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    world.api.edit("deployments", NAMESPACE, "cart", patch)
    text = "ERROR dependency failed: https://bank.example.com/pay: connection refused"
    async with world.operator():
        file_report(world.api, evidence=[{"kind": "Log", "source": "cart", "text": text}])
        ended = await world.ended()
    assert ended.status.outcome is Outcome.ABSTAINED, ended.status.message
    assert ended.status.reason is Reason.FAULT_ELSEWHERE
    assert "bank.example.com" in ended.status.message
    assert world.model.asked == []
    assert choices(ended.status.attempts[0])[-1] is Choice.ABSTAIN


async def test_results_that_were_changed_end_it(world: World) -> None:
    open_shop(world.api, method="ThinkRemed")
    world.model.say([rollback()])

    def change(what: str, obj: Json) -> None:
        if what == "ADDED configmaps" and obj["metadata"]["name"].endswith("-results"):
            name = obj["metadata"]["name"]
            world.api.edit("configmaps", NAMESPACE, name, {"data": {"results.json": "[]"}})

    world.api.hooks.append(change)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.FAILED
    assert ended.status.reason is Reason.TAMPERED
    assert world.model.asked == []
    assert world.runner.ran == []


async def test_the_findings_are_in_the_prompt(world: World) -> None:
    open_shop(world.api, method="ThinkRemed")
    world.model.say([rollback()])
    (owner,) = [o for o in world.api.all("replicasets") if o["metadata"]["name"] == "cart-2"]
    controller = {"kind": "ReplicaSet", "name": "cart-2", "uid": owner["metadata"]["uid"]}
    status = {"name": "cart", "ready": True, "restartCount": 0, "state": {"running": {}}}
    world.api.put(
        "pods",
        {
            "metadata": {
                "name": "cart-2-x",
                "namespace": NAMESPACE,
                "labels": {"app": "cart"},
                "ownerReferences": [controller | {"controller": True}],
            },
            "spec": template(BAD)["spec"],
            "status": {"phase": "Running", "containerStatuses": [status]},
        },
    )
    lines = [f"INFO request {n} done" for n in range(500)]
    lines[300] = "ERROR no such table: orders_v2 password=hunter22x"
    world.api.logs[("cart-2-x", "cart", False)] = "\n".join(lines)
    async with world.operator():
        file_report(world.api)
        ended = await world.ended()
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    (logs,) = [
        one
        for entry in ended.status.attempts[0].investigation
        for one in entry.inspections
        if one.name is InspectionName.CONTAINER_LOGS
    ]
    prompt = json.dumps(world.model.asked[-1]["messages"])
    for text in (logs.finding, prompt):
        assert "no such table: orders_v2" in text
        assert "hunter22x" not in text

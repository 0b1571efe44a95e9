"""Method ThinkRemed: rounds of inspections before the playbook, recorded and bounded."""

import json
from typing import Any

from reme_api.base import ArtifactReference
from reme_api.investigation import Choice, InspectionName
from reme_api.reasons import Outcome, Step
from reme_api.remediation import Attempt
from tests.doubles.shop import GOOD, NAMESPACE, file_report, image_of, open_shop, rollback
from tests.integration.operator.conftest import World


def artifact(world: World, reference: ArtifactReference | None) -> Any:
    assert reference is not None
    config_map = world.api.get("configmaps", NAMESPACE, reference.name)
    assert config_map is not None
    return json.loads(config_map["data"][reference.key])


def choices(attempt: Attempt) -> list[Choice]:
    return [entry.choice for entry in attempt.investigation]


async def test_a_round_of_inspections_comes_before_the_playbook(world: World) -> None:
    open_shop(world.api, method="ThinkRemed")
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

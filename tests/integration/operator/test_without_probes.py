"""Reports without probes: derived ones see what they can, and passing prove nothing."""

import json
from typing import Any

import pytest

from reme_api.probe_coverage import ProbeSource
from reme_api.reasons import Outcome, Reason
from tests.doubles.fake_model import Answer
from tests.doubles.shop import BAD, file_report, image_of, open_shop, rollback
from tests.integration.operator.conftest import World

RIGHT = json.dumps([rollback()])
EVIDENCE = [{"kind": "Text", "text": "customers call: no checkout works"}]


async def test_a_fault_that_a_derived_probe_sees_is_repaired(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api, probes=[], fault={"type": "down", "summary": "cart is down!!"})
        ended = await world.ended(30)
        await world.until(lambda: world.report().status.notes)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert ended.spec.coverage.source is ProbeSource.DERIVED
    assert [p.name for p in ended.spec.probes] == ["answers", "rollout"]
    assert "derived ones are used: GET / of cart:8080" in world.report().status.notes[0]


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ({}, {}),
        ({"evidence": EVIDENCE}, {"evidence": {"requireProbeFailure": True}}),
    ],
    ids=["terse", "strict"],
)
async def test_what_no_probe_sees_is_never_called_healthy(
    world: World, fields: dict[str, Any], policy: dict[str, Any]
) -> None:
    open_shop(world.api, **policy)
    world.prober.blind = True
    async with world.operator():
        file_report(world.api, probes=[], fault={"type": "down"}, **fields)
        ended = await world.ended(30)
    assert (ended.status.outcome, ended.status.reason) == (
        Outcome.ABSTAINED,
        Reason.TOO_LITTLE_EVIDENCE,
    )
    assert "add a probe to the report" in ended.status.message
    assert "probe answers passed" in ended.status.message
    assert world.model.asked == []
    assert image_of(world.api) == BAD


async def test_a_report_with_evidence_is_brought_before_the_model(world: World) -> None:
    open_shop(world.api)
    world.prober.blind = True
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api, probes=[], fault={"type": "down"}, evidence=EVIDENCE)
        ended = await world.ended(30)
    assert ended.status.outcome is Outcome.UNVERIFIED, ended.status.message
    assert "check that the fault is gone" in ended.status.message


async def test_a_failing_post_that_only_gets_are_probed_for_is_never_called_healthy(
    world: World,
) -> None:
    """Every checkout failed, every GET answered, and the report ended as AlreadyHealthy."""
    open_shop(world.api)
    world.prober.blind = True
    fault = {
        "type": "checkout-fails",
        "summary": "POST /cart/checkout answers 500 for every user",
        "severity": "Critical",
        "confidencePercent": 95,
    }
    world.model.say(Answer(RIGHT))
    async with world.operator():
        file_report(world.api, fault=fault)
        ended = await world.ended(30)
    assert world.model.asked != []
    assert ended.status.outcome is Outcome.UNVERIFIED
    assert "no probe sends what the report says fails: POST /cart/checkout" in ended.status.message

"""A report full of an attacker's words, and a model that does exactly as they say."""

import json

import pytest

from reme_api.reasons import Outcome
from tests.attack.injection_corpus import Injection, harm, harms, injections
from tests.doubles.fake_model import Answer
from tests.doubles.shop import BAD, NAMESPACE, file_report, image_of, open_shop
from tests.integration.operator.conftest import World


def of(expected: str) -> list[Injection]:
    return [attempt for attempt in injections() if attempt.wants == expected]


@pytest.mark.parametrize("expected", harms())
async def test_a_model_that_obeys_is_rejected_and_nothing_is_written(
    world: World, expected: str
) -> None:
    open_shop(world.api)
    before = json.dumps(world.api.get("deployments", NAMESPACE, "cart")["spec"])  # type: ignore[index]
    text = json.dumps(harm(expected, NAMESPACE))
    world.model.say(Answer(text))
    texts = [attempt.text for attempt in of(expected)]
    async with world.operator():
        file_report(
            world.api,
            fault={"type": "bad-rollout", "summary": texts[0][:1024]},
            evidence=[{"kind": "Log", "source": t[:256], "text": t[:4096]} for t in texts],
        )
        ended = await world.ended(40)
    assert ended.status.outcome is Outcome.REJECTED, ended.status.message
    assert world.runner.ran == []
    assert world.api.writes("/jobs") == []
    assert world.leftovers() == []
    assert image_of(world.api) == BAD
    after = json.dumps(world.api.get("deployments", NAMESPACE, "cart")["spec"])  # type: ignore[index]
    assert after == before


async def test_what_the_model_is_asked_holds_no_mark_of_a_message(world: World) -> None:
    open_shop(world.api)
    world.model.say(Answer(json.dumps({"abstain": "nothing helps"})))
    texts = [attempt.text[:4096] for attempt in injections()][:32]
    async with world.operator():
        file_report(
            world.api, evidence=[{"kind": "Log", "source": t[:256], "text": t} for t in texts]
        )
        await world.ended(40)
    items = [m for request in world.model.asked for m in request["messages"]]
    assert [m for m in items if m["role"] == "user"]
    content = items[-1]["content"]
    assert items[-1]["role"] == "user"
    assert "<|" not in content
    assert not any(ord(c) < 32 and c != "\n" for c in content)

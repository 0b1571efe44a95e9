"""The speed measurement sends what the operator would send, with and without the grammar."""

import pytest

from reme_lab.serving_speed import measure_server, memory_bandwidth, sample_requests, table
from reme_model.inference.errors import ModelUnavailableError
from tests.doubles.fake_model import Answer, FakeModel

DELAY_SECONDS = 0.02


async def test_each_incident_is_asked_both_ways_and_then_all_at_once() -> None:
    model = FakeModel()
    model.say(Answer('{"abstain":"healthy"}', delay_seconds=DELAY_SECONDS))
    requests = sample_requests(1, 3)
    async with model.running():
        result = await measure_server(model.url, requests, together=4)
    ways = ["response_format" in request for request in model.asked]
    assert ways.count(True) == ways.count(False) == 1 + 3 + 4
    for way in ("grammar", "free"):
        assert result["alone"][way]["replies"] == result["alone"][way]["valid"] == 3
        assert result["alone"][way]["median_seconds"] >= DELAY_SECONDS
        assert result["together"][way]["seconds"] < 4 * result["together"][way]["median_seconds"]
    bound = {"weights_mebibytes": 100, "mebibytes_per_second": 1000, "tokens_per_second": 10}
    assert "memory allows 10 tokens/s" in table(result | {"bound": bound})


async def test_prose_is_counted_as_no_reply() -> None:
    model = FakeModel()
    model.say("I would restart it.")
    async with model.running():
        result = await measure_server(model.url, sample_requests(1, 1), together=1)
    assert result["alone"]["free"]["valid"] == 0


async def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModelUnavailableError):
        await measure_server("http://127.0.0.1:9/v1", sample_requests(1, 1), together=1)


def test_incidents_are_distinct_and_the_same_for_a_seed() -> None:
    prompts = [one.messages[-1]["content"] for one in sample_requests(1, 4)]
    assert len(set(prompts)) == 4
    assert prompts == [one.messages[-1]["content"] for one in sample_requests(1, 4)]


def test_memory_is_read_at_some_speed() -> None:
    assert memory_bandwidth(1) > 100

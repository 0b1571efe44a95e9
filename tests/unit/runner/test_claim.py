"""At most one pod ever executes a run."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_playbook.execution import result
from reme_runner.api_client import ApiResponse
from reme_runner.claim import CLAIM_SECONDS, ClaimOutcome, claim_run

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STATE = result.RunResult(run="r", started=NOW)


def claim(nonce: str) -> result.Claim:
    return result.Claim(pod="p", nonce=nonce, time=NOW)


class FakeConfigMap:
    """Applies JSON patches as the API server does, with faults before or after on demand."""

    def __init__(self, *faults: str | int) -> None:
        self.data = {"claim.json": "", "result.json": "", "events.jsonl": ""}
        self.faults = list(faults)
        self.patches = 0

    def patch(self, body: Any, content_type: str) -> ApiResponse:
        assert content_type == "application/json-patch+json"
        self.patches += 1
        fault = self.faults.pop(0) if self.faults else ""
        if isinstance(fault, int):
            return ApiResponse(fault, {"message": "no"})
        if fault == "lost-before":
            return ApiResponse(0, {})
        data = dict(self.data)
        for step in json.loads(json.dumps(body)):
            key = step["path"].removeprefix("/data/")
            if step["op"] == "test" and data.get(key) != step["value"]:
                return ApiResponse(422, {"message": "test failed"})
            if step["op"] == "replace":
                data[key] = step["value"]
        self.data = data
        return ApiResponse(0, {}) if fault == "lost-after" else ApiResponse(200, {})


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def attempt(config_map: FakeConfigMap, nonce: str) -> ClaimOutcome:
    clock = Clock()
    return claim_run(
        config_map, claim(nonce), STATE, lambda: False, clock=clock, sleep=clock.sleep
    )[0]


def test_the_first_pod_claims_the_run_in_one_request() -> None:
    config_map = FakeConfigMap()
    assert attempt(config_map, "one") is ClaimOutcome.OURS
    assert config_map.patches == 1
    claimed = result.parse_claim(config_map.data)
    assert claimed is not None
    assert claimed.time == NOW
    assert result.parse_result(config_map.data) == STATE


def test_the_second_pod_is_refused() -> None:
    config_map = FakeConfigMap()
    attempt(config_map, "one")
    before = dict(config_map.data)
    assert attempt(config_map, "two") is ClaimOutcome.ANOTHERS
    assert config_map.data == before


def test_a_lost_response_does_not_lose_the_run() -> None:
    assert attempt(FakeConfigMap("lost-after"), "one") is ClaimOutcome.OURS
    assert attempt(FakeConfigMap("lost-before"), "one") is ClaimOutcome.OURS


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503])
def test_a_passing_refusal_is_retried(status: int) -> None:
    assert attempt(FakeConfigMap(status, status), "one") is ClaimOutcome.OURS


def test_a_lasting_refusal_ends_with_nothing_run() -> None:
    config_map = FakeConfigMap(*[403] * 1000)
    clock = Clock()
    outcome, message = claim_run(
        config_map, claim("one"), STATE, lambda: False, clock=clock, sleep=clock.sleep
    )
    assert outcome is ClaimOutcome.UNKNOWN
    assert message == "403 no"
    assert CLAIM_SECONDS <= clock.now < CLAIM_SECONDS + 5


def test_without_its_config_map_a_run_does_not_wait() -> None:
    config_map = FakeConfigMap(404)
    assert attempt(config_map, "one") is ClaimOutcome.UNKNOWN
    assert config_map.patches == 1


@given(st.lists(st.lists(st.sampled_from(["", "lost-before", "lost-after", 403, 500]), max_size=6)))
def test_whatever_is_lost_at_most_one_of_many_claims_it(faults: list[list[str | int]]) -> None:
    config_map = FakeConfigMap()
    outcomes = []
    for number, faults_of_pod in enumerate(faults):
        config_map.faults = list(faults_of_pod)
        outcomes.append(attempt(config_map, str(number)))
    assert outcomes.count(ClaimOutcome.OURS) == min(1, len(faults))


def test_a_terminated_pod_does_not_retry_its_claim() -> None:
    config_map = FakeConfigMap(*[403] * 1000)
    clock = Clock()
    outcome, message = claim_run(
        config_map, claim("one"), STATE, lambda: True, clock=clock, sleep=clock.sleep
    )
    assert (outcome, message) == (ClaimOutcome.UNKNOWN, "403 no")
    assert (config_map.patches, clock.now) == (1, 0)

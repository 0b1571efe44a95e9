"""How the operator reads the result of a run."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_api.reasons import Reason
from reme_playbook.execution import result
from reme_playbook.execution.result import Claim, RunEnd, RunResult, UnreadableResultError

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_an_empty_result_is_none() -> None:
    for data in ({}, {"claim.json": "", "result.json": ""}):
        assert result.parse_result(data) is None
        assert result.event_lines(data) == ""


def test_what_was_written_is_read_back() -> None:
    state = RunResult(run="r", started=NOW, first_task=NOW, tasks=1, end=RunEnd.SUCCEEDED)
    claim = Claim(pod="p", nonce="n", time=NOW)
    data = {
        "claim.json": claim.model_dump_json(by_alias=True),
        "result.json": state.model_dump_json(by_alias=True),
    }
    assert result.parse_result(data) == state
    assert result.parse_claim(data) == claim


@given(st.text(min_size=1))
def test_garbage_is_said_to_be_garbage(text: str) -> None:
    for read in (result.parse_result, result.parse_claim):
        key = "result.json" if read is result.parse_result else "claim.json"
        try:
            state = read({key: text})
        except UnreadableResultError:
            continue
        assert state is not None


def test_a_huge_result_is_not_even_parsed() -> None:
    with pytest.raises(UnreadableResultError, match="at most"):
        result.parse_result({"result.json": " " * 10_000})


def test_huge_events_are_cut() -> None:
    assert len(result.event_lines({"events.jsonl": "x" * 1_000_000})) == result.MAX_EVENTS_BYTES


@pytest.mark.parametrize("end", list(RunEnd))
def test_every_end_has_its_reason(end: RunEnd) -> None:
    state = RunResult(run="r", started=NOW, end=end)
    assert isinstance(state.reason, Reason)
    assert state.ok == (end is RunEnd.SUCCEEDED)
    assert state.ended == (end is not RunEnd.RUNNING)


def test_only_a_run_with_an_end_and_no_first_task_has_started_none() -> None:
    lost = RunResult(run="r", started=NOW)
    assert not lost.no_task_started
    assert RunResult(run="r", started=NOW, end=RunEnd.REJECTED).no_task_started
    running = RunResult(run="r", started=NOW, end=RunEnd.INTERRUPTED, first_task=NOW)
    assert not running.no_task_started

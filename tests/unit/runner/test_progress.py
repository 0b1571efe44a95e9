"""The recorded state after Ansible's events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_playbook.execution.result import MAX_MESSAGE, RunEnd, RunResult
from reme_runner.progress import apply_event, end_run, outcome

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STARTED = RunResult(run="reme-0a1b2c3d-1", started=NOW, planned=2)


def ansible_event(event: str, task: str = "one", at: int = 1, **res: Any) -> dict[str, Any]:
    data = {"task": task, "res": res, "duration": 0.25}
    created = (NOW + timedelta(seconds=at)).isoformat()
    return {"event": event, "created": created, "event_data": data}


def follow(*events: dict[str, Any], state: RunResult = STARTED) -> RunResult:
    for event in events:
        state = apply_event(state, event).state
    return state


def test_two_tasks_that_succeed() -> None:
    state = follow(
        ansible_event("playbook_on_task_start", at=1),
        ansible_event("runner_on_ok", at=2, changed=True),
        ansible_event("playbook_on_task_start", "two", at=3),
        ansible_event("runner_on_ok", "two", at=4, changed=False),
    )
    assert (state.tasks, state.changed, state.running_task) == (2, 1, "")
    assert state.first_task == NOW + timedelta(seconds=1)
    assert outcome(state, 0) == (RunEnd.SUCCEEDED, "")


def test_a_failed_task_has_the_message_of_the_api_server() -> None:
    message = (
        'Failed to patch object: b\'{"kind":"Status","message":"deployments \\\\"cart\\\\" '
        'is forbidden: not you","code":403}\\n\''
    )
    state = follow(
        ansible_event("playbook_on_task_start"), ansible_event("runner_on_failed", msg=message)
    )
    assert state.failed_task == "one"
    assert state.message == 'deployments "cart" is forbidden: not you'
    assert outcome(state, 2) == (RunEnd.FAILED, state.message)


def test_a_failure_without_a_status_keeps_its_first_line() -> None:
    state = follow(ansible_event("runner_on_failed", msg="no\nTraceback with secrets"))
    assert state.message == "no"
    assert follow(ansible_event("runner_on_failed")).message


def test_the_first_failure_is_the_one_that_is_kept() -> None:
    state = follow(
        ansible_event("runner_on_failed", "one", msg="first"),
        ansible_event("runner_on_failed", "two", msg="second"),
    )
    assert (state.failed_task, state.message) == ("one", "first")


def test_a_patch_of_a_missing_object_is_a_failure() -> None:
    warning = "resource 'kind=Deployment,name=cart' was not found but will not be created"
    state = follow(ansible_event("runner_on_ok", changed=False, warnings=[warning]))
    assert state.failed_task == "one"
    assert outcome(state, 0)[0] is RunEnd.FAILED


def test_a_skipped_or_unreachable_task_is_a_failure() -> None:
    for event in ("runner_on_skipped", "runner_on_unreachable"):
        assert outcome(follow(ansible_event(event)), 0)[0] is RunEnd.FAILED


def test_a_run_with_too_few_tasks_is_a_failure() -> None:
    end, message = outcome(follow(ansible_event("runner_on_ok", changed=True)), 0)
    assert end is RunEnd.FAILED
    assert "1 of 2" in message


def test_an_error_before_any_task_is_recorded() -> None:
    state = follow({"event": "verbose", "stdout": "[ERROR]: bad file\nmore"})
    assert outcome(state, 4) == (RunEnd.FAILED, "[ERROR]: bad file")
    assert outcome(STARTED, None)[0] is RunEnd.FAILED


def test_a_running_task_may_or_may_not_have_been_applied() -> None:
    state = follow(ansible_event("playbook_on_task_start", "Restart cart"))
    ended, event = end_run(state, RunEnd.INTERRUPTED, "stopped", NOW)
    assert ended.message == "stopped; 'Restart cart' may or may not have been applied"
    assert ended.finished == NOW
    assert event is not None
    assert event.status == "Interrupted"


def test_the_end_is_recorded_with_ansibles_statistics() -> None:
    good = follow(ansible_event("runner_on_ok", "one"), ansible_event("runner_on_ok", "two"))
    ended, event = apply_event(good, {"event": "playbook_on_stats", "created": NOW.isoformat()})
    assert (ended.end, ended.finished) == (RunEnd.SUCCEEDED, NOW)
    assert event is not None
    assert event.event == "run-ended"
    bad = follow(
        ansible_event("runner_on_failed", "one", msg="no"), ansible_event("playbook_on_stats")
    )
    assert (bad.end, bad.message) == (RunEnd.FAILED, "no")


def test_a_success_has_no_message() -> None:
    assert end_run(STARTED, RunEnd.SUCCEEDED, "noise", NOW).state.message == ""


def test_no_module_output_is_recorded() -> None:
    secret = "hunter2"
    update = apply_event(
        STARTED,
        ansible_event(
            "runner_on_ok", changed=True, result={"data": {"password": secret}}, diff=secret
        ),
    )
    assert update.event is not None
    assert secret not in update.event.line()
    assert secret not in update.state.model_dump_json()


@pytest.mark.parametrize(
    "event", ["playbook_on_start", "playbook_on_play_start", "warning", None, 3]
)
def test_other_events_change_nothing(event: Any) -> None:
    assert apply_event(STARTED, {"event": event, "event_data": None}) == (STARTED, None)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(
        ["playbook_on_task_start", "runner_on_ok", "runner_on_failed", "runner_on_skipped"]
    ),
    _json,
    _json,
    _json,
)
def test_any_event_gives_a_bounded_state(event: str, task: Any, res: Any, created: Any) -> None:
    data = {"task": task, "res": res, "duration": created}
    update = apply_event(STARTED, {"event": event, "created": created, "event_data": data})
    assert len(update.state.message) <= MAX_MESSAGE
    assert update.event is not None
    assert len(update.event.line()) < 4096 + 8 * MAX_MESSAGE
    assert "\n" not in update.event.line()

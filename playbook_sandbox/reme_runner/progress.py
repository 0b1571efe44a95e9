"""Turns Ansible's events into the recorded state of a run: pure, bounded, without module output."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import Field

from reme_api.base import ObservedModel, Short, Time
from reme_playbook.execution.result import MAX_MESSAGE, RunEnd, RunResult


class RunEvent(ObservedModel):
    """One line of the run's log and of its stored events."""

    time: Time
    event: Short
    run: Short
    task: Short = ""
    status: Short = ""
    milliseconds: int | None = Field(default=None, ge=0)
    message: str = Field(default="", max_length=MAX_MESSAGE)

    def line(self) -> str:
        """Return the event as one line of JSON."""
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)


class Update(NamedTuple):
    """The state after an event, and the line to log, if any."""

    state: RunResult
    event: RunEvent | None = None


def apply_event(state: RunResult, event: Mapping[str, Any]) -> Update:
    """Return the state after one event of ansible-runner; unknown events change nothing."""
    data = event.get("event_data")
    data = data if isinstance(data, Mapping) else {}
    match event.get("event"):
        case "playbook_on_task_start":
            return _start_task(state, _time(event), _short(data.get("task")))
        case "runner_on_ok":
            return _end_task(state, event, data, _missing_object(data))
        case "runner_on_failed" | "runner_on_unreachable":
            return _end_task(state, event, data, _failure(data))
        case "runner_on_skipped":
            return _end_task(state, event, data, "the task was skipped")
        case "playbook_on_stats":
            # Recorded now, because Ansible takes some time to exit after this event.
            return end_run(state, *outcome(state, 0), _time(event))
        case "verbose" | "error" if not state.message:
            return Update(state.model_copy(update={"message": _ansible_error(event)}))
        case _:
            return Update(state)


def end_run(state: RunResult, end: RunEnd, message: str, now: datetime) -> Update:
    """Return the state with the end of the run; the message of a failed task is kept."""
    if state.running_task:
        message = f"{message}; '{state.running_task}' may or may not have been applied"
    ended = state.model_copy(
        update={
            "end": end,
            "finished": now,
            "message": "" if end is RunEnd.SUCCEEDED else (state.message or message)[:MAX_MESSAGE],
        }
    )
    event = RunEvent(
        time=now, event="run-ended", run=state.run, status=end.value, message=ended.message
    )
    return Update(ended, event)


def outcome(state: RunResult, return_code: int | None) -> tuple[RunEnd, str]:
    """Return how a run ended whose Ansible has exited: it succeeded if every task did."""
    if state.failed_task:
        return RunEnd.FAILED, state.message
    if return_code != 0:
        return RunEnd.FAILED, state.message or f"Ansible exited with code {return_code}"
    if state.tasks < state.planned:
        return RunEnd.FAILED, f"only {state.tasks} of {state.planned} tasks were executed"
    return RunEnd.SUCCEEDED, ""


def _start_task(state: RunResult, time: datetime, task: str) -> Update:
    after = state.model_copy(update={"first_task": state.first_task or time, "running_task": task})
    return Update(after, RunEvent(time=time, event="task-started", run=state.run, task=task))


def _end_task(
    state: RunResult, event: Mapping[str, Any], data: Mapping[str, Any], failure: str
) -> Update:
    """Return the state after a task; an empty `failure` is a success."""
    task = _short(data.get("task")) or state.running_task
    result = data.get("res")
    changed = not failure and isinstance(result, Mapping) and result.get("changed") is True
    update: dict[str, Any] = {
        "tasks": state.tasks + 1,
        "changed": state.changed + changed,
        "running_task": "",
    }
    if failure and not state.failed_task:
        update |= {"failed_task": task or "unknown", "message": failure}
    line = RunEvent(
        time=_time(event),
        event="task-ended",
        run=state.run,
        task=task,
        status="failed" if failure else "changed" if changed else "unchanged",
        milliseconds=_milliseconds(data.get("duration")),
        message=failure,
    )
    return Update(state.model_copy(update=update), line)


def _ansible_error(event: Mapping[str, Any]) -> str:
    """Return the first line of an error that Ansible prints before any task."""
    text = str(event.get("stdout", "")).strip()
    return text.splitlines()[0][:MAX_MESSAGE] if text.startswith(("ERROR", "[ERROR]")) else ""


def _missing_object(data: Mapping[str, Any]) -> str:
    """Return that the object does not exist: the module succeeds then, with a warning."""
    result = data.get("res")
    if not isinstance(result, Mapping) or result.get("changed") is True:
        return ""
    warnings = result.get("warnings")
    for warning in warnings if isinstance(warnings, list) else []:
        if "was not found" in str(warning) or "No rollout history" in str(warning):
            return str(warning)[:MAX_MESSAGE]
    return ""


def _failure(data: Mapping[str, Any]) -> str:
    """Return why a task failed: the API server's message if there is one, else the first line."""
    result = data.get("res")
    text = str(result.get("msg", "")) if isinstance(result, Mapping) else ""
    begin, end = text.find("{"), text.rfind("}")
    if 0 <= begin < end:
        body = text[begin : end + 1]
        # The module quotes the server's JSON as it is, or as a Python string.
        for form in (body, body.replace("\\'", "'").replace("\\\\", "\\")):
            try:
                return str(json.loads(form)["message"])[:MAX_MESSAGE]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
    lines = text.strip().splitlines()
    return lines[0][:MAX_MESSAGE] if lines else "the task failed without a message"


def _milliseconds(seconds: object) -> int | None:
    if isinstance(seconds, int | float) and 0 <= seconds < 1e6:
        return int(seconds * 1000)
    return None


def _short(value: object) -> str:
    return value[:256] if isinstance(value, str) else ""


def _time(event: Mapping[str, Any]) -> datetime:
    try:
        time = datetime.fromisoformat(str(event.get("created")))
    except ValueError:
        return datetime.now(UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)

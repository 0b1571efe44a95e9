"""From Ansible's events to what is told of them: pure, bounded, and without module output."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import Field

from reme_api.base import ObservedModel, Short, Time
from reme_playbook.execution.result import MAX_MESSAGE, RunEnd, RunResult


class RunEvent(ObservedModel):
    """One line of the run's log, and of what is kept of it."""

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


class Step(NamedTuple):
    """The state after an event, and the line that it is worth."""

    state: RunResult
    event: RunEvent | None = None


def advance(state: RunResult, raw: Mapping[str, Any]) -> Step:
    """Take one event of ansible-runner into account; unknown ones change nothing."""
    data = raw.get("event_data")
    data = data if isinstance(data, Mapping) else {}
    match raw.get("event"):
        case "playbook_on_task_start":
            return _started(state, _time(raw), _short(data.get("task")))
        case "runner_on_ok":
            return _ended(state, raw, data, _unless_missing(data))
        case "runner_on_failed" | "runner_on_unreachable":
            return _ended(state, raw, data, _failure(data))
        case "runner_on_skipped":
            return _ended(state, raw, data, "the task was skipped")
        case "playbook_on_stats":
            # All is said: nobody need wait until Ansible has taken itself apart.
            return close(state, *outcome(state, 0), _time(raw))
        case "verbose" | "error" if not state.message:
            return Step(state.model_copy(update={"message": _complaint(raw)}))
        case _:
            return Step(state)


def close(state: RunResult, end: RunEnd, message: str, now: datetime) -> Step:
    """Say how the run ended; what is already known of a failed task is kept."""
    if state.running_task:
        message = f"{message}; '{state.running_task}' may or may not have been applied"
    closed = state.model_copy(
        update={
            "end": end,
            "finished": now,
            "message": "" if end is RunEnd.SUCCEEDED else (state.message or message)[:MAX_MESSAGE],
        }
    )
    event = RunEvent(
        time=now, event="run-ended", run=state.run, status=end.value, message=closed.message
    )
    return Step(closed, event)


def outcome(state: RunResult, return_code: int | None) -> tuple[RunEnd, str]:
    """Judge a run whose Ansible has ended by itself: every task seen to succeed, or a failure."""
    if state.failed_task:
        return RunEnd.FAILED, state.message
    if return_code != 0:
        return RunEnd.FAILED, state.message or f"Ansible ended with code {return_code}"
    if state.tasks < state.planned:
        return RunEnd.FAILED, f"only {state.tasks} of {state.planned} tasks were carried out"
    return RunEnd.SUCCEEDED, ""


def _started(state: RunResult, time: datetime, task: str) -> Step:
    after = state.model_copy(update={"first_task": state.first_task or time, "running_task": task})
    return Step(after, RunEvent(time=time, event="task-started", run=state.run, task=task))


def _ended(state: RunResult, raw: Mapping[str, Any], data: Mapping[str, Any], why: str) -> Step:
    task = _short(data.get("task")) or state.running_task
    result = data.get("res")
    changed = not why and isinstance(result, Mapping) and result.get("changed") is True
    update: dict[str, Any] = {
        "tasks": state.tasks + 1,
        "changed": state.changed + changed,
        "running_task": "",
    }
    if why and not state.failed_task:
        update |= {"failed_task": task or "unknown", "message": why}
    event = RunEvent(
        time=_time(raw),
        event="task-ended",
        run=state.run,
        task=task,
        status="failed" if why else "changed" if changed else "unchanged",
        milliseconds=_milliseconds(data.get("duration")),
        message=why,
    )
    return Step(state.model_copy(update=update), event)


def _complaint(raw: Mapping[str, Any]) -> str:
    """Return what Ansible itself says when it cannot even begin."""
    text = str(raw.get("stdout", "")).strip()
    return text.splitlines()[0][:MAX_MESSAGE] if text.startswith(("ERROR", "[ERROR]")) else ""


def _unless_missing(data: Mapping[str, Any]) -> str:
    """Call a patch of nothing a failure: the module only warns when the object is not there."""
    result = data.get("res")
    if not isinstance(result, Mapping) or result.get("changed") is True:
        return ""
    warnings = result.get("warnings")
    for warning in warnings if isinstance(warnings, list) else []:
        if "was not found" in str(warning) or "No rollout history" in str(warning):
            return str(warning)[:MAX_MESSAGE]
    return ""


def _failure(data: Mapping[str, Any]) -> str:
    """Say why a task failed: what the API server said of it where it spoke, else the first line."""
    result = data.get("res")
    text = str(result.get("msg", "")) if isinstance(result, Mapping) else ""
    begin, end = text.find("{"), text.rfind("}")
    if 0 <= begin < end:
        quote = text[begin : end + 1]
        for form in (quote, quote.replace("\\'", "'").replace("\\\\", "\\")):
            try:
                return str(json.loads(form)["message"])[:MAX_MESSAGE]
            except (ValueError, KeyError, TypeError):
                continue
    lines = text.strip().splitlines()
    return lines[0][:MAX_MESSAGE] if lines else "the task failed without a word"


def _milliseconds(seconds: object) -> int | None:
    if isinstance(seconds, int | float) and 0 <= seconds < 1e6:
        return int(seconds * 1000)
    return None


def _short(value: object) -> str:
    return value[:256] if isinstance(value, str) else ""


def _time(raw: Mapping[str, Any]) -> datetime:
    try:
        time = datetime.fromisoformat(str(raw.get("created")))
    except ValueError:
        return datetime.now(UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)

"""Kubernetes Events and metrics for what a status write has changed."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.investigation import FollowUp, InvestigationRound
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation, Run
from reme_kube.events import EventType
from reme_kube.protocols import Cluster
from reme_operator.decision.conditions import SUCCESSES
from reme_operator.telemetry.metrics import Metrics

_ACTION = "Remediate"
_NORMAL_OUTCOMES = SUCCESSES | {Outcome.OBSERVED, Outcome.CANCELLED, Outcome.ABSTAINED}


class Event(NamedTuple):
    """One Event."""

    type: EventType
    reason: str
    message: str


async def post_events(cluster: Cluster, before: Remediation, after: Remediation) -> None:
    """Post an Event for every change that people want to know of."""
    for event in changes(before, after):
        await cluster.post_event(after, event.type, event.reason, _ACTION, event.message)


def changes(before: Remediation, after: Remediation) -> Iterator[Event]:
    """Return the Events for what has changed between two states."""
    old_attempts = {attempt.number: attempt for attempt in before.status.attempts}
    for attempt in after.status.attempts:
        yield from _attempt_changes(old_attempts.get(attempt.number), attempt)
    old_rollbacks = {rollback.number: rollback for rollback in before.status.manual_rollbacks}
    for rollback in after.status.manual_rollbacks:
        old_rollback = old_rollbacks.get(rollback.number)
        if rollback.outcome is not None and (old_rollback is None or old_rollback.outcome is None):
            restored = rollback.outcome is Outcome.ROLLED_BACK
            yield Event(
                EventType.NORMAL if restored else EventType.WARNING,
                rollback.outcome.value,
                f"manual rollback {rollback.number} by {rollback.username}: {rollback.message}",
            )
    yield from _follow_up_changes(before.status.follow_up, after.status.follow_up)
    outcome = after.status.outcome
    if outcome is not None and before.status.outcome is None:
        normal = outcome in _NORMAL_OUTCOMES
        event_type = EventType.NORMAL if normal else EventType.WARNING
        yield Event(event_type, outcome.value, after.status.message)


def _follow_up_changes(old: FollowUp | None, new: FollowUp | None) -> Iterator[Event]:
    if new is None:
        return
    same = old is not None and old.report == new.report
    if new.uid and not (same and old is not None and old.uid):
        cause = f"{new.cause.kind} {new.cause.name}"
        evidence = f": {'; '.join(new.cause.evidence)}" if new.cause.evidence else ""
        text = f"opened report {new.report} about {cause}, the cause{evidence}"
        yield Event(EventType.NORMAL, Reason.FOLLOWING_CAUSE, text[:1024])
    if new.completion_time is not None and not (same and old is not None and old.completion_time):
        helped = new.outcome in SUCCESSES
        ended = f"ended with {new.outcome}" if new.outcome else "was not acted on"
        text = f"report {new.report} {ended}: {new.message}"
        event_type = EventType.NORMAL if helped else EventType.WARNING
        yield Event(event_type, "FollowUpEnded", text[:1024])


def _attempt_changes(old: Attempt | None, new: Attempt) -> Iterator[Event]:
    prefix = f"attempt {new.number}"
    for entry in new.investigation[len(old.investigation) if old else 0 :]:
        text = f"{prefix}, round {entry.number}: {entry.choice}"
        text += f": {entry.message}" if entry.message else ""
        yield Event(EventType.NORMAL, "RoundChosen", text)
    if new.playbook is not None and (old is None or old.playbook is None):
        actions = "; ".join(action.summary for action in new.actions)
        yield Event(EventType.NORMAL, Reason.PLAYBOOK_ALLOWED, f"{prefix}: {actions}")
    for record in new.approvals[len(old.approvals) if old else 0 :]:
        text = f"{prefix}: {record.decision} by {record.username}"
        text += f": {record.reason}" if record.reason else ""
        yield Event(EventType.NORMAL, "Decided", text)
    if new.rejection is not None and (old is None or old.rejection is None):
        text = f"{prefix}: {new.rejection.rule}: {new.rejection.message}"
        yield Event(EventType.WARNING, Reason.PLAYBOOK_REJECTED, text)
    yield from _run_changes(f"{prefix}: run", old.run if old else None, new.run)
    yield from _run_changes(f"{prefix}: rollback", old.rollback if old else None, new.rollback)


def _run_changes(prefix: str, old: Run | None, new: Run | None) -> Iterator[Event]:
    if new is None:
        return
    if new.uid and (old is None or not old.uid):
        yield Event(EventType.NORMAL, "RunStarted", f"{prefix} {new.name} in {new.namespace}")
    if new.reason is not None and (old is None or old.reason is None):
        succeeded = new.reason is Reason.RUN_SUCCEEDED
        event_type = EventType.NORMAL if succeeded else EventType.WARNING
        yield Event(event_type, new.reason, f"{prefix} {new.name}: {_result(new)}")


def _result(run: Run) -> str:
    """Return how a run ended; a run that succeeded leaves no message of its own."""
    if run.message:
        return run.message
    if run.reason is Reason.RUN_SUCCEEDED:
        return f"{run.changed_task_count} of {run.task_count} tasks changed something"
    return f"ended with {run.reason}"


def record_metrics(
    metrics: Metrics, before: Remediation, after: Remediation, now: datetime
) -> None:
    """Count what has changed between two states."""
    old_attempts = {attempt.number: attempt for attempt in before.status.attempts}
    for attempt in after.status.attempts:
        old = old_attempts.get(attempt.number)
        _record_rounds(metrics, old.investigation if old else [], attempt.investigation)
        if attempt.rejection is not None and (old is None or old.rejection is None):
            metrics.playbook_rejected(attempt.rejection.rule)
        if attempt.outcome is not None and (old is None or old.outcome is None):
            for timing in attempt.timings:
                metrics.step_ended(timing.step, timing.duration_milliseconds / 1000)
    status = after.status
    if status.outcome is not None and before.status.outcome is None:
        created = after.metadata.creation_timestamp or status.start_time or now
        seconds = max(0.0, (now - created) / timedelta(seconds=1))
        metrics.remediation_ended(status.outcome, status.reason or Reason.INTERNAL_ERROR, seconds)
        for timing in status.timings:
            metrics.step_ended(timing.step, timing.duration_milliseconds / 1000)


def _record_rounds(
    metrics: Metrics, old: Sequence[InvestigationRound], new: Sequence[InvestigationRound]
) -> None:
    """Count the rounds that were chosen, and the inspections that were performed."""
    complete = {entry.number for entry in old if entry.results is not None}
    for entry in new:
        if entry.number > len(old):
            metrics.round_chosen(entry.choice, entry.prompt_tokens, entry.completion_tokens)
        if entry.results is not None and entry.number not in complete:
            for inspection in entry.inspections:
                metrics.inspection_performed(inspection.name, inspection.result)

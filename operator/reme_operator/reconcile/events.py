"""Tells people and machines what changed: events and metrics, few kinds, nothing foreign."""

from datetime import datetime, timedelta

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_kube.events import EventType
from reme_kube.protocols import Cluster
from reme_operator.decision.conditions import SUCCESSES
from reme_operator.telemetry.metrics import Metrics

_ACTION = "Remediate"
_QUIET = SUCCESSES | {Outcome.OBSERVED, Outcome.CANCELLED, Outcome.ABSTAINED}


async def announce(cluster: Cluster, before: Remediation, after: Remediation) -> None:
    """Post an event for every step of the record that people would want to know of."""
    was = {a.number: a for a in before.status.attempts}
    for attempt in after.status.attempts:
        for kind, reason, message in _news(was.get(attempt.number), attempt):
            await cluster.post_event(after, kind, reason, _ACTION, message)
    for undo in after.status.manual_rollbacks:
        old = next((u for u in before.status.manual_rollbacks if u.number == undo.number), None)
        if undo.outcome is not None and (old is None or old.outcome is None):
            good = undo.outcome is Outcome.ROLLED_BACK
            kind = EventType.NORMAL if good else EventType.WARNING
            words = f"undo {undo.number} by {undo.username}: {undo.message}"
            await cluster.post_event(after, kind, undo.outcome.value, _ACTION, words)
    outcome = after.status.outcome
    if outcome is not None and before.status.outcome is None:
        kind = EventType.NORMAL if outcome in _QUIET else EventType.WARNING
        message = after.status.message
        await cluster.post_event(after, kind, outcome.value, _ACTION, message)


def _news(was: Attempt | None, now: Attempt) -> list[tuple[EventType, str, str]]:
    news: list[tuple[EventType, str, str]] = []
    n = now.number
    if now.playbook is not None and (was is None or was.playbook is None):
        planned = "; ".join(action.summary for action in now.actions)
        news.append((EventType.NORMAL, Reason.PLAYBOOK_ALLOWED, f"attempt {n}: {planned}"))
    for record in now.approvals[len(was.approvals) if was else 0 :]:
        words = f"attempt {n}: {record.decision} by {record.username}: {record.reason}"
        news.append((EventType.NORMAL, "Decided", words.removesuffix(": ")))
    if now.rejection is not None and (was is None or was.rejection is None):
        words = f"attempt {n}: {now.rejection.rule}: {now.rejection.message}"
        news.append((EventType.WARNING, Reason.PLAYBOOK_REJECTED, words))
    for what, old, run in (
        ("run", was.run if was else None, now.run),
        ("undo", was.rollback if was else None, now.rollback),
    ):
        if run is not None and run.uid and (old is None or not old.uid):
            words = f"attempt {n}: {what} {run.name} in {run.namespace}"
            news.append((EventType.NORMAL, "RunStarted", words))
        if run is not None and run.reason and (old is None or not old.reason):
            good = run.reason is Reason.RUN_SUCCEEDED
            kind = EventType.NORMAL if good else EventType.WARNING
            news.append((kind, run.reason, f"attempt {n}: {what} {run.name}: {run.message}"))
    return news


def count(metrics: Metrics, before: Remediation, after: Remediation, now: datetime) -> None:
    """Count what a write of the status brought about."""
    was = {a.number: a for a in before.status.attempts}
    for attempt in after.status.attempts:
        old = was.get(attempt.number)
        if attempt.rejection is not None and (old is None or old.rejection is None):
            metrics.playbook_rejected(attempt.rejection.rule)
        if attempt.outcome is not None and (old is None or old.outcome is None):
            for timing in attempt.timings:
                metrics.step_ended(timing.step, timing.duration_milliseconds / 1000)
    status = after.status
    if status.outcome is not None and before.status.outcome is None:
        begun = after.metadata.creation_timestamp or status.start_time or now
        seconds = max(0.0, (now - begun) / timedelta(seconds=1))
        metrics.remediation_ended(status.outcome, status.reason or Reason.INTERNAL_ERROR, seconds)
        for timing in status.timings:
            metrics.step_ended(timing.step, timing.duration_milliseconds / 1000)

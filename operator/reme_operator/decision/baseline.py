"""How the target and its neighbours are before anything is done: measured, and measured anew. Pure.

What a repair is held against must be how things were when it began. While a plan waits for a
person the fault goes on: neighbours that it has reached by then are not the repair's doing, and a
target that has healed needs none. The same holds while a fault is given time to pass by itself.
"""

from datetime import datetime, timedelta

from reme_api.policy import Mode
from reme_api.remediation import Attempt
from reme_operator.decision.abstention import has_run
from reme_operator.decision.decisions import ConcludeBaseline, Decision, ProbeBaseline, Wait
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import baseline_verdict

BASELINE_TRUSTED = timedelta(minutes=5)
"""How old a baseline may be when the run begins: a model on two cores has its minute or two."""


def decide_baseline(seen: Observed, now: datetime) -> Decision:
    """Return the next sample, or what the samples show."""
    wanted = seen.remediation.spec.policy.spec.verification
    measured, again = seen.probe_history, seen.remediation.status.baseline is not None
    if measured is None:
        return ProbeBaseline(again)
    if verdict := baseline_verdict(measured, wanted.baseline_samples):
        return ConcludeBaseline(verdict, again)
    due = (measured.last_at or now) + timedelta(seconds=wanted.period_seconds)
    return ProbeBaseline(again) if now >= due else Wait(due)


def baseline_is_stale(seen: Observed, attempt: Attempt, now: datetime) -> bool:
    """Return whether the baseline says too little about now to begin a run on it."""
    baseline = seen.remediation.status.baseline
    if baseline is None or baseline.completion_time is None:
        return True
    if now - baseline.completion_time >= BASELINE_TRUSTED:
        return True
    by_person = seen.remediation.spec.policy.spec.mode is Mode.APPROVE and attempt.approvals
    return bool(by_person) and baseline.completion_time < attempt.approvals[-1].decision_time


def persistence_end(seen: Observed) -> datetime | None:
    """Return when a fault that is still there no longer counts as one that passes by itself.

    Nothing where that is not asked for: mode Observe writes nothing, and what comes after a first
    run has that run's verification behind it. An attempt that came to no run proves nothing.
    """
    policy, start = seen.remediation.spec.policy.spec, seen.remediation.status.start_time
    seconds = policy.evidence.min_persistence_seconds
    if not seconds or start is None or policy.mode is Mode.OBSERVE or has_run(seen):
        return None
    return start + timedelta(seconds=seconds)


def baseline_completed_since(seen: Observed, moment: datetime) -> bool:
    """Return whether the baseline was complete at that moment or later."""
    baseline = seen.remediation.status.baseline
    return (
        baseline is not None
        and baseline.completion_time is not None
        and baseline.completion_time >= moment
    )

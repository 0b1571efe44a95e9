"""Waiting after a rollback until the target is as it was before the run. Pure.

That the fields have their earlier values says what is declared, not what runs: the pods of the run
are still being replaced. An attempt that looked now would take them for symptoms. So rounds of
probes are taken until a rollout has settled and the target is as available as before the run, and
nothing is worse than at the baseline. The wait only reads; it ends after `rollback.timeoutSeconds`,
counted from the status, or at once when the remediation must end.

The rollback has failed if something is worse than before when the time is over. A rollout that has
only not settled has not failed: the fields are restored, and the record says what is missing.
"""

from datetime import datetime, timedelta

from reme_api.probes import ProbeVerdict, ProbeWindow
from reme_operator.decision.decisions import (
    ConcludeRollback,
    Decision,
    SettleRollback,
    Wait,
)
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import ProbeHistory, WindowVerdict


def decide_settling(
    observed: Observed, window: ProbeWindow, now: datetime, *, end: str = "", manual: bool = False
) -> Decision:
    """Return the next round after a rollback, or its conclusion; `window` is open.

    `end` says why the remediation must end now, if it must.
    """
    if end:
        message = f"{window.message}; whether the target is as before was not measured: {end}"
        return ConcludeRollback(WindowVerdict(ProbeVerdict.PASSED, message), manual)
    history = observed.probe_history
    if history is None or history.last_at is None:
        return SettleRollback(manual)
    limit = timedelta(seconds=observed.policy.rollback.timeout_seconds)
    is_over = now >= window.start_time + limit
    # The baseline of a manual rollback is old: others have changed since for their own reasons.
    baseline = None if manual else observed.remediation.status.baseline
    if verdict := settled_verdict(history, window.message, baseline, limit if is_over else None):
        return ConcludeRollback(verdict, manual)
    due = history.last_at + timedelta(seconds=observed.policy.verification.period_seconds)
    return SettleRollback(manual) if now >= due else Wait(due)


def settled_verdict(
    history: ProbeHistory, restored: str, baseline: ProbeWindow | None, over: timedelta | None
) -> WindowVerdict | None:
    """Return whether the target is as before, or nothing while that may still come.

    `restored` says what was restored; `over` is the time that was waited, once it is over.
    """
    worse = [*history.degraded, *_newly_failing(history, baseline)]
    if not worse and not history.unsettled:
        message = f"{restored}; the target is as it was before"
        return WindowVerdict(ProbeVerdict.PASSED, message)
    if over is None:
        return None
    if history.target_worse:
        worse.insert(0, history.target_worse)
    if worse:
        message = f"worse than before: {', '.join(worse)}; {restored}"
        return WindowVerdict(ProbeVerdict.FAILED, message)
    seconds = int(over.total_seconds())
    message = f"{restored}; not settled within {seconds} s: {history.unsettled}"
    return WindowVerdict(ProbeVerdict.PASSED, message)


def _newly_failing(history: ProbeHistory, baseline: ProbeWindow | None) -> list[str]:
    """Return the probes that passed at the baseline, every time, and fail now."""
    passed = {
        probe.name
        for probe in (baseline.probes if baseline else ())
        if probe.passed and not probe.failed and not probe.errors
    }
    return [
        f"probe {probe.name}"
        for probe in history.probes
        if probe.name in passed and probe.verdict is ProbeVerdict.FAILED
    ]

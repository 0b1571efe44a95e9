"""What comes next for an attempt that was aborted after its run: roll it back, close it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt
from reme_operator.decision.decisions import (
    CleanUp,
    CloseAttempt,
    Decision,
    PlanRollback,
    RunKind,
    StopRun,
    VerifyRollback,
)
from reme_operator.decision.observed import Observed
from reme_operator.decision.run_progress import decide_run, wait_for_kill_switch
from reme_operator.decision.settling import decide_settling

ABORT_OUTCOMES: Mapping[Reason, Outcome] = MappingProxyType(
    {
        Reason.CANCELLED: Outcome.CANCELLED,
        Reason.REPORT_DELETED: Outcome.CANCELLED,
        Reason.TARGET_DELETED: Outcome.CANCELLED,
        Reason.KILL_SWITCH: Outcome.CANCELLED,
        Reason.DEADLINE_EXCEEDED: Outcome.TIMED_OUT,
        Reason.INTERNAL_ERROR: Outcome.FAILED,
    }
)
"""The outcome of an attempt that was aborted for something other than a failed repair."""

NOTHING_CHANGED = frozenset({Reason.RUN_NOT_STARTED, Reason.PLAYBOOK_REJECTED})
"""How a run ends that has changed nothing."""


def decide_rollback(observed: Observed, attempt: Attempt, now: datetime, end: str = "") -> Decision:
    """Return what comes next after an abort; the run has ended and is cleaned up.

    `end` says why the remediation must end now, if it must: nothing but the wait ends for that.
    """
    run, rollback = attempt.run, attempt.rollback
    if run is None or run.reason in NOTHING_CHANGED:
        return close_aborted(attempt, f"{attempt.message}; nothing was changed")
    window = attempt.rollback_verification
    if window is not None and window.completion_time is not None:
        return _close_rolled_back(attempt)
    if observed.target_gone and (rollback is None or rollback.reason is not None):
        message = "the target was deleted"
        return CloseAttempt(Outcome.CANCELLED, Reason.TARGET_DELETED, message)
    if window is not None:
        return decide_settling(observed, window, now, end=end)
    if rollback is None:
        return _begin(observed, attempt, now)
    if rollback.reason is None:
        if observed.switch.aborts_runs and rollback.uid:
            return StopRun(Reason.KILL_SWITCH, observed.switch.text(), RunKind.ROLLBACK)
        return decide_run(observed, rollback, now, RunKind.ROLLBACK)
    if not rollback.cleaned_up:
        return CleanUp(attempt.number, RunKind.ROLLBACK)
    return VerifyRollback()


def close_aborted(attempt: Attempt, message: str) -> Decision:
    """Close an attempt of which nothing is left."""
    reason = attempt.reason or Reason.INTERNAL_ERROR
    return CloseAttempt(ABORT_OUTCOMES.get(reason, Outcome.ROLLED_BACK), reason, message)


def _begin(observed: Observed, attempt: Attempt, now: datetime) -> Decision:
    if not observed.policy.rollback.enabled:
        reason = attempt.reason or Reason.INTERNAL_ERROR
        message = f"{attempt.message}; not rolled back, because the policy disables it"
        if reason in ABORT_OUTCOMES:
            return CloseAttempt(ABORT_OUTCOMES[reason], reason, message)
        return CloseAttempt(Outcome.FAILED, Reason.ROLLBACK_DISABLED, message)
    if observed.switch.on:
        return wait_for_kill_switch(observed, now)
    return PlanRollback()


def _close_rolled_back(attempt: Attempt) -> Decision:
    window = attempt.rollback_verification
    assert window is not None, "only called for a rollback that was verified"
    if window.verdict is not ProbeVerdict.PASSED:
        return CloseAttempt(Outcome.ROLLBACK_FAILED, Reason.ROLLBACK_FAILED, window.message)
    return close_aborted(attempt, f"{attempt.message}; {window.message}")

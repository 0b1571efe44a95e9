"""What comes next for a rollback that a person asked for, after the remediation has ended. Pure.

    BeginManualRollback -> PlanRollback -> CreateRun -> RecordRun -> CleanUp -> VerifyRollback
                        -> SettleRollback.. -> ConcludeRollback -> CloseManualRollback

It takes the steps of a rollback that reme starts by itself, with a grant of its own. The outcome of
the remediation stays what it was; the result of the manual rollback is recorded beside it.
"""

from datetime import datetime

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import ManualRollback, Remediation, Run
from reme_operator.decision.decisions import (
    BeginManualRollback,
    CleanUp,
    CloseManualRollback,
    Decision,
    PlanRollback,
    RunKind,
    StopRun,
    VerifyRollback,
)
from reme_operator.decision.observed import Observed
from reme_operator.decision.run_progress import decide_run, wait_for_kill_switch
from reme_operator.decision.settling import decide_settling

_OUTCOMES = {
    ProbeVerdict.PASSED: Outcome.ROLLED_BACK,
    ProbeVerdict.FAILED: Outcome.ROLLBACK_FAILED,
    ProbeVerdict.UNKNOWN: Outcome.REJECTED,  # it could not be started: nothing was changed
}


def latest_manual_rollback(remediation: Remediation) -> ManualRollback | None:
    """Return the latest manual rollback."""
    manual_rollbacks = remediation.status.manual_rollbacks
    return manual_rollbacks[-1] if manual_rollbacks else None


def manual_rollback_requested(remediation: Remediation) -> bool:
    """Return whether a manual rollback is in progress, or was asked for and not started."""
    request, latest = remediation.spec.rollback, latest_manual_rollback(remediation)
    if remediation.status.outcome is None:
        return False
    if latest is not None and latest.outcome is None:
        return True
    return (
        request is not None
        and request.number > (latest.number if latest else 0)
        and remediation.metadata.deletion_timestamp is None
    )


def decide_manual_rollback(observed: Observed, now: datetime) -> Decision | None:
    """Return what comes next; nothing when no manual rollback is asked for."""
    if not manual_rollback_requested(observed.remediation):
        return None
    latest = latest_manual_rollback(observed.remediation)
    if latest is None or latest.outcome is not None:
        return _unless_stopped(observed, BeginManualRollback(), now)
    if latest.verification is not None and latest.verification.completion_time is None:
        return decide_settling(observed, latest.verification, now, end=_end(observed), manual=True)
    if latest.verification is not None:
        outcome = _OUTCOMES[latest.verification.verdict or ProbeVerdict.UNKNOWN]
        return CloseManualRollback(outcome, latest.verification.message)
    if latest.run is None:
        return _unless_stopped(observed, PlanRollback(manual=True), now)
    return _with_run(observed, latest, latest.run, now)


def _end(observed: Observed) -> str:
    if observed.remediation.metadata.deletion_timestamp is not None:
        return "the remediation was deleted"
    return "the target was deleted" if observed.target_gone else observed.internal_error


def _with_run(observed: Observed, rollback: ManualRollback, run: Run, now: datetime) -> Decision:
    if run.reason is None:
        if observed.switch.aborts_runs and run.uid:
            message = observed.switch.text()
            return StopRun(Reason.KILL_SWITCH, message, RunKind.MANUAL_ROLLBACK)
        return decide_run(observed, run, now, RunKind.MANUAL_ROLLBACK)
    if not run.cleaned_up:
        return CleanUp(rollback.attempt, RunKind.MANUAL_ROLLBACK)
    return VerifyRollback(manual=True)


def _unless_stopped(observed: Observed, decision: Decision, now: datetime) -> Decision:
    return wait_for_kill_switch(observed, now) if observed.switch.on else decision

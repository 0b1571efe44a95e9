"""What comes next for an undo that a person asked for, after the remediation has ended. Pure.

    BeginUndo -> PlanUndo -> CreateRun -> RecordRun -> CleanUp -> VerifyUndo -> CloseUndo

It takes the way of an undo that reme begins by itself, with a grant of its own. The outcome of the
remediation stays what it was; what came of the undo stands beside it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import ManualRollback, Remediation, Run
from reme_operator.decision.decisions import (
    BeginManualRollback,
    CleanUp,
    CloseManualRollback,
    CreateRun,
    Decision,
    PlanRollback,
    RecordRun,
    StopRun,
    VerifyRollback,
    Wait,
)
from reme_operator.decision.observed import Observed

_POLL = timedelta(seconds=2)

_OUTCOMES = {
    ProbeVerdict.PASSED: Outcome.ROLLED_BACK,
    ProbeVerdict.FAILED: Outcome.ROLLBACK_FAILED,
    ProbeVerdict.UNKNOWN: Outcome.REJECTED,  # it could not be begun, and nothing was done
}


def manual_rollback_requested(remediation: Remediation) -> bool:
    """Return whether an undo is under way, or was asked for and not begun."""
    request, status = remediation.spec.rollback, remediation.status
    last = status.manual_rollbacks[-1] if status.manual_rollbacks else None
    if status.outcome is None:
        return False
    if last is not None and last.outcome is None:
        return True
    return (
        request is not None
        and request.number > (last.number if last else 0)
        and remediation.metadata.deletion_timestamp is None
    )


def decide_manual_rollback(
    seen: Observed, now: datetime, running: Callable[[Observed, Run, datetime], Decision]
) -> Decision | None:
    """Return what comes next; nothing when no undo is wanted. `running` is asked of its run."""
    if not manual_rollback_requested(seen.remediation):
        return None
    manual_rollbacks = seen.remediation.status.manual_rollbacks
    last = manual_rollbacks[-1] if manual_rollbacks else None
    if last is None or last.outcome is not None:
        return _held(seen, now) or BeginManualRollback()
    if last.verification is not None:
        outcome = _OUTCOMES[last.verification.verdict or ProbeVerdict.UNKNOWN]
        return CloseManualRollback(outcome, last.verification.message)
    if last.run is None:
        return _held(seen, now) or PlanRollback(manual=True)
    return _with_run(seen, last, last.run, now, running)


def _with_run(
    seen: Observed,
    undo: ManualRollback,
    run: Run,
    now: datetime,
    running: Callable[[Observed, Run, datetime], Decision],
) -> Decision:
    if run.reason is None:
        if seen.switch.stops and run.uid:
            text = seen.switch.text()
            return StopRun(Reason.KILL_SWITCH, text, undo=True, manual=True)
        decision = running(seen, run, now)
        if isinstance(decision, CreateRun | RecordRun | StopRun):
            return replace(decision, manual=True)
        return decision
    if not run.cleaned_up:
        return CleanUp(undo.attempt, undo=True, manual=True)
    return VerifyRollback(manual=True)


def _held(seen: Observed, now: datetime) -> Decision | None:
    if seen.switch.on:
        return Wait(now + _POLL, Reason.KILL_SWITCH, seen.switch.text())
    return None

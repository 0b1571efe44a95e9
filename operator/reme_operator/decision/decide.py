"""The one place that says what happens next: pure, total, and the same after every restart.

    Begin -> Measure.. -> ConcludeBaseline
    -> OpenAttempt -> Generate -> Gate -> (`permission`: plan, approval) -> Capture -> CreateRun
                   -> RecordRun -> CleanUp
                   -> BeginVerification -> Verify.. -> ConcludeVerification -> CloseAttempt
       and when that did not help, or somebody called it off:
                   GoBack -> (StopRun) -> PlanUndo -> CreateRun -> RecordRun -> CleanUp
                   -> VerifyRollback
                   -> CloseAttempt -> the next OpenAttempt, or Finish
       and after the end, when a person wants it: `hand_undo`

What has happened is read from the status alone. An effect that must not be repeated is recorded
before it is caused; everything else may be done twice.
"""

from datetime import datetime, timedelta

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Run
from reme_operator.decision.abstention import (
    abstention_reason,
    has_run,
    no_action_reason,
    unmeasured_fault_reason,
)
from reme_operator.decision.baseline import decide_baseline
from reme_operator.decision.decisions import (
    AbortAttempt,
    Begin,
    BeginVerification,
    CleanUp,
    CloseAttempt,
    ConcludeVerification,
    CreateRun,
    Decision,
    Done,
    Finish,
    Generate,
    OpenAttempt,
    PlanRollback,
    RecordRun,
    StopRun,
    Validate,
    Verify,
    VerifyRollback,
    Wait,
)
from reme_operator.decision.manual_rollback import decide_manual_rollback
from reme_operator.decision.observed import JobState, Observed
from reme_operator.decision.plan_approval import permission, waits_for_person
from reme_operator.decision.probe_verdict import verification_verdict
from reme_playbook.execution.manifests import START_SECONDS
from reme_playbook.execution.runner_contract import TERMINATION_GRACE_SECONDS

RUN_POLL = timedelta(seconds=2)
"""How often a run that is under way is looked at, should its watch events not come."""

RUN_GRACE = timedelta(seconds=START_SECONDS + TERMINATION_GRACE_SECONDS + 30)
"""What a Job may take beyond the deadline of its playbook before it is stopped from here."""

STUCK_PATIENCE = timedelta(seconds=45)
"""How long a pod may be kept from starting: a registry may be away for a moment."""

_AGAIN = {Outcome.REJECTED, Outcome.ROLLED_BACK, Outcome.FAILED}
_FINAL_REASONS = {
    Reason.POLICY_ALLOWS_NOTHING,
    Reason.MODEL_UNAVAILABLE,
    Reason.MODEL_TIMED_OUT,
    Reason.RUN_NOT_STARTED,
    Reason.REJECTED_BY_PERSON,
    Reason.TAMPERED,
    Reason.INTERNAL_ERROR,
}
_NOT_REJECTED = {Reason.TAMPERED, Reason.RUN_NOT_STARTED}
_DID_NOTHING = {Reason.RUN_NOT_STARTED, Reason.PLAYBOOK_REJECTED}
_CALLED_OFF = {
    Reason.CANCELLED: Outcome.CANCELLED,
    Reason.REPORT_DELETED: Outcome.CANCELLED,
    Reason.TARGET_DELETED: Outcome.CANCELLED,
    Reason.KILL_SWITCH: Outcome.CANCELLED,
    Reason.DEADLINE_EXCEEDED: Outcome.TIMED_OUT,
    Reason.INTERNAL_ERROR: Outcome.FAILED,
}


def decide(seen: Observed, now: datetime) -> Decision:
    """Return what to do next; never raises."""
    status = seen.remediation.status
    last = seen.attempt
    if status.outcome is not None:
        return _untidy(seen) or decide_manual_rollback(seen, now, _running_undo) or Done()
    if status.start_time is None:
        return Begin()
    if last is None or last.outcome is not None:
        return _untidy(seen) or _between_attempts(seen, last, now)
    return _within_attempt(seen, last, now)


def _untidy(seen: Observed) -> Decision | None:
    for attempt in seen.remediation.status.attempts:
        for run, undo in ((attempt.run, False), (attempt.rollback, True)):
            if run is not None and not run.cleaned_up:
                return CleanUp(attempt.number, undo)
        # A run takes over the rights of its dry run, and they end with it.
        if attempt.run is None and attempt.plan is not None and not attempt.plan.cleaned_up:
            return CleanUp(attempt.number, plan=True)
    return None


def _called_off(seen: Observed, now: datetime) -> tuple[Reason, str] | None:
    """Return why the remediation must end now, if it must."""
    remediation = seen.remediation
    spec, start = remediation.spec, remediation.status.start_time
    if remediation.metadata.deletion_timestamp is not None:
        return Reason.CANCELLED, "the remediation was deleted"
    if spec.cancel:
        return Reason.CANCELLED, "cancelled by request"
    if seen.report_gone:
        return Reason.REPORT_DELETED, "the report was deleted"
    if seen.target_gone:
        return Reason.TARGET_DELETED, "the target does not exist any more"
    if seen.internal_error:
        return Reason.INTERNAL_ERROR, seen.internal_error
    limit = spec.policy.spec.deadline_seconds
    if waits_for_person(seen):
        return None
    decided = [
        a.decision_time for attempt in remediation.status.attempts for a in attempt.approvals
    ]
    start = max([start, *decided]) if start is not None else None
    if start is not None and now >= start + timedelta(seconds=limit):
        return Reason.DEADLINE_EXCEEDED, f"not done within {limit} s"
    return None


def _between_attempts(seen: Observed, last: Attempt | None, now: datetime) -> Decision:
    policy = seen.remediation.spec.policy.spec
    if last is not None and _is_final(last):
        return _finish_like(last)
    if called_off := _called_off(seen, now):
        reason, message = called_off
        return Finish(_CALLED_OFF[reason], reason, message)
    baseline = seen.remediation.status.baseline
    if baseline is None:
        return decide_baseline(seen, now)
    if baseline.verdict is ProbeVerdict.PASSED:
        return Finish(Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY, baseline.message)
    if baseline.verdict is not ProbeVerdict.FAILED and policy.evidence.require_probe_failure:
        return Finish(Outcome.ABSTAINED, *unmeasured_fault_reason(seen))
    number = last.number if last else 0
    if last is not None and number >= policy.max_attempts:
        return _finish_like(last)
    return OpenAttempt(number + 1)


def _is_final(attempt: Attempt) -> bool:
    return attempt.outcome not in _AGAIN or attempt.reason in _FINAL_REASONS


def _finish_like(last: Attempt) -> Decision:
    outcome = last.outcome or Outcome.FAILED
    message = last.message
    if not _is_final(last) and last.number > 1:
        message = f"none of {last.number} attempts helped; the last: {message}"
    return Finish(outcome, last.reason or Reason.INTERNAL_ERROR, message)


def _within_attempt(seen: Observed, attempt: Attempt, now: datetime) -> Decision:
    run = attempt.run
    if _is_settled(attempt):
        return _close_verified(seen, attempt)
    if attempt.reason is None and (called_off := _called_off(seen, now)):
        reason, message = called_off
        if run is None:
            return CloseAttempt(_CALLED_OFF[reason], reason, message)
        return AbortAttempt(reason, message)
    if run is None:
        if attempt.reason is not None:  # nothing was begun, so there is nothing to go back from
            return _close_gone_back(attempt, attempt.message)
        return _before_run(seen, attempt, now)
    return _with_run(seen, attempt, run, now)


def _with_run(seen: Observed, attempt: Attempt, run: Run, now: datetime) -> Decision:
    if run.reason is None:
        if attempt.reason is not None:
            return StopRun(attempt.reason, attempt.message)
        about_to_begin = seen.run.job is JobState.ABSENT and not (run.uid or seen.run.claimed)
        if (seen.switch.stops and run.uid) or (seen.switch.on and about_to_begin):
            # What was looked at for it would be old by the time the switch is off again.
            return AbortAttempt(Reason.KILL_SWITCH, seen.switch.text())
        return _running(seen, run, now, undo=False)
    if not run.cleaned_up:
        return CleanUp(attempt.number)
    if attempt.reason is not None:
        return _going_back(seen, attempt, now)
    if run.reason is Reason.RUN_NOT_STARTED:
        return CloseAttempt(Outcome.FAILED, run.reason, run.message)
    if run.reason is Reason.PLAYBOOK_REJECTED:  # by the run itself, before anything was done
        return CloseAttempt(Outcome.REJECTED, run.reason, run.message)
    if run.reason is not Reason.RUN_SUCCEEDED:
        return AbortAttempt(run.reason, run.message)
    return _verifying(seen, attempt, now)


def _before_run(seen: Observed, attempt: Attempt, now: datetime) -> Decision:
    if attempt.rejection is not None:
        rule = attempt.rejection.rule
        reason = Reason(rule) if rule in list(Reason) else Reason.PLAYBOOK_REJECTED
        # Nobody rejected what was tampered with: it is not what was decided on.
        outcome = Outcome.FAILED if reason in _NOT_REJECTED else Outcome.REJECTED
        if reason is Reason.POLICY_ALLOWS_NOTHING and not has_run(seen):
            # There was nothing to reject: no action that is allowed would do anything here.
            reason, message = no_action_reason(seen, attempt.rejection.message)
            return CloseAttempt(Outcome.ABSTAINED, reason, message)
        return CloseAttempt(outcome, reason, attempt.rejection.message)
    if attempt.generation is None:
        return _generating(seen, now)
    if attempt.generation.abstention_reason:
        return CloseAttempt(
            Outcome.ABSTAINED, *abstention_reason(seen, attempt.generation.abstention_reason)
        )
    if attempt.playbook is None:
        return Validate()
    return permission(seen, attempt, now)


def _held_by_switch(seen: Observed, now: datetime) -> Wait:
    return Wait(now + RUN_POLL, Reason.KILL_SWITCH, seen.switch.text())


def _generating(seen: Observed, now: datetime) -> Decision:
    model_failures = seen.model_failures
    if model_failures.exhausted:
        return CloseAttempt(Outcome.FAILED, model_failures.reason, model_failures.message)
    if model_failures.retry_at is not None and now < model_failures.retry_at:
        return Wait(model_failures.retry_at, model_failures.reason, model_failures.message)
    return Generate()


def _running(seen: Observed, run: Run, now: datetime, *, undo: bool) -> Decision:
    found = seen.run
    absent = found.job is JobState.ABSENT
    if found.reason is not None:
        return RecordRun(found.reason, found.message, undo)
    if not run.uid:
        if absent and found.claimed:
            return RecordRun(Reason.RUN_LOST, "it had begun, and its Job is gone", undo)
        if seen.switch.on and absent:
            return _held_by_switch(seen, now)
        return CreateRun(undo)
    if absent:
        return RecordRun(Reason.RUN_LOST, "its Job vanished before it left a result", undo)
    if found.job in (JobState.FAILED, JobState.OVERDUE) and not found.claimed:
        return RecordRun(Reason.RUN_NOT_STARTED, found.message or "its pod did not start", undo)
    if found.job is JobState.OVERDUE:
        return RecordRun(Reason.RUN_TIMED_OUT, found.message or "it took too long", undo)
    if found.job is JobState.FAILED:
        return RecordRun(Reason.RUN_FAILED, found.message or "its pod failed", undo)
    if found.job is JobState.COMPLETE:
        return RecordRun(Reason.RUN_LOST, "its Job completed and left no result", undo)
    if found.stuck and now >= (run.created_time or now) + STUCK_PATIENCE:
        words = f"its pod does not start: {found.stuck}"
        return StopRun(Reason.RUN_NOT_STARTED, words[:500], undo)
    if now >= _latest_end(seen, run, undo=undo):
        return StopRun(Reason.RUN_TIMED_OUT, "its Job neither ended nor was ended in time", undo)
    return Wait(now + RUN_POLL)


def _running_undo(seen: Observed, run: Run, now: datetime) -> Decision:
    return _running(seen, run, now, undo=True)


def _latest_end(seen: Observed, run: Run, *, undo: bool) -> datetime:
    policy = seen.remediation.spec.policy.spec
    seconds = policy.rollback.timeout_seconds if undo else policy.sandbox.deadline_seconds
    begun = run.created_time or seen.remediation.status.start_time
    assert begun is not None, "a run has a start: decide() begins every status with one"
    return begun + timedelta(seconds=seconds) + RUN_GRACE


def _verifying(seen: Observed, attempt: Attempt, now: datetime) -> Decision:
    begun = attempt.verification
    if begun is None:
        return BeginVerification()
    if begun.completion_time is not None:  # failed: whatever else it says is settled already
        return AbortAttempt(Reason.PROBES_FAILED, begun.message)
    wanted = seen.remediation.spec.policy.spec.verification
    measured = seen.probe_history
    if measured is None:
        return Verify()
    period = timedelta(seconds=wanted.period_seconds)
    window = timedelta(seconds=wanted.window_seconds)
    # A restart loses the samples, not the clock; one whole window always gets its chance.
    deadline = max(
        begun.start_time + timedelta(seconds=wanted.timeout_seconds),
        measured.started + window + 2 * period,
    )
    if verdict := verification_verdict(measured, now, window=window, deadline=deadline):
        return ConcludeVerification(verdict)
    due = (measured.last_at or now - period) + period
    return Verify() if now >= due else Wait(due)


def _is_settled(attempt: Attempt) -> bool:
    """Whether the verification ended with anything but a failure."""
    window = attempt.verification
    return (
        window is not None
        and window.completion_time is not None
        and window.verdict is not ProbeVerdict.FAILED
        and attempt.reason is None
    )


def _close_verified(seen: Observed, attempt: Attempt) -> Decision:
    window, baseline = attempt.verification, seen.remediation.status.baseline
    assert window is not None, "only a settled attempt gets here"
    if window.verdict is not ProbeVerdict.PASSED:
        return CloseAttempt(Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE, window.message)
    if baseline is None or baseline.verdict is not ProbeVerdict.FAILED:
        return CloseAttempt(
            Outcome.UNVERIFIED,
            Reason.PROBES_INCONCLUSIVE,
            "healthy now, but the fault could not be measured before",
        )
    return CloseAttempt(Outcome.VERIFIED, Reason.PROBES_PASSED, window.message)


def _going_back(seen: Observed, attempt: Attempt, now: datetime) -> Decision:
    run, undo = attempt.run, attempt.rollback
    if run is None or run.reason in _DID_NOTHING:
        return _close_gone_back(attempt, f"{attempt.message}; nothing had been changed")
    if attempt.rollback_verification is not None:
        return _close_undone(attempt)
    if seen.target_gone and (undo is None or undo.reason is not None):
        return CloseAttempt(
            Outcome.CANCELLED, Reason.TARGET_DELETED, "the target does not exist any more"
        )
    if undo is None:
        if not seen.remediation.spec.policy.spec.rollback.enabled:
            return _close_not_undone(attempt)
        if seen.switch.on:
            return _held_by_switch(seen, now)
        return PlanRollback()
    if undo.reason is None:
        if seen.switch.stops and undo.uid:
            return StopRun(Reason.KILL_SWITCH, seen.switch.text(), undo=True)
        return _running(seen, undo, now, undo=True)
    if not undo.cleaned_up:
        return CleanUp(attempt.number, undo=True)
    return VerifyRollback()


def _close_gone_back(attempt: Attempt, message: str) -> Decision:
    reason = attempt.reason or Reason.INTERNAL_ERROR
    return CloseAttempt(_CALLED_OFF.get(reason, Outcome.ROLLED_BACK), reason, message)


def _close_undone(attempt: Attempt) -> Decision:
    window = attempt.rollback_verification
    assert window is not None, "only an attempt whose undo was verified gets here"
    if window.verdict is not ProbeVerdict.PASSED:
        return CloseAttempt(Outcome.ROLLBACK_FAILED, Reason.ROLLBACK_FAILED, window.message)
    return _close_gone_back(attempt, f"{attempt.message}; {window.message}")


def _close_not_undone(attempt: Attempt) -> Decision:
    reason = attempt.reason or Reason.INTERNAL_ERROR
    message = f"{attempt.message}; not undone, because the policy forbids it"
    if reason in _CALLED_OFF:
        return CloseAttempt(_CALLED_OFF[reason], reason, message)
    return CloseAttempt(Outcome.FAILED, Reason.ROLLBACK_DISABLED, message)

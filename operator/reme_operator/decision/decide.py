"""What happens next to a remediation: pure, total, and the same after every restart.

    Begin -> ProbeBaseline.. -> ConcludeBaseline
    -> OpenAttempt -> (`investigation`: rounds of inspections) -> Generate -> Validate
                   -> (`plan_approval`: dry run, approval, hold) -> Capture
                   -> CreateRun -> RecordRun -> CleanUp
                   -> BeginVerification -> Verify.. -> ConcludeVerification -> CloseAttempt
       and when that did not help, or the attempt is aborted:
                   AbortAttempt -> (StopRun) -> PlanRollback -> CreateRun -> RecordRun -> CleanUp
                   -> VerifyRollback -> SettleRollback.. -> ConcludeRollback
                   -> CloseAttempt -> the next OpenAttempt, or Finish
       and instead of a playbook, when another workload is the cause: `follow_up`
       and after the end, when a person asks for it: `manual_rollback`

What has happened is read from the status alone. A side effect that must not be repeated is recorded
before it is caused; everything else may be done twice.
"""

from collections.abc import Callable
from datetime import datetime

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_operator.decision.abstention import (
    abstention_reason,
    no_action_reason,
    unmeasured_fault_reason,
)
from reme_operator.decision.baseline import decide_baseline
from reme_operator.decision.coverage import may_ask_model
from reme_operator.decision.decisions import (
    AbortAttempt,
    Begin,
    CleanUp,
    CloseAttempt,
    Decision,
    Done,
    Finish,
    Generate,
    OpenAttempt,
    RunKind,
    StopRun,
    Validate,
    Wait,
)
from reme_operator.decision.early_end import early_end
from reme_operator.decision.follow_up import (
    close_followed,
    decide_follow_up,
    follow_up_note,
    may_try_again,
)
from reme_operator.decision.investigation import decide_investigation
from reme_operator.decision.manual_rollback import (
    decide_manual_rollback,
    manual_rollback_requested,
)
from reme_operator.decision.observed import (
    JobState,
    Observed,
    follow_up_of,
    rejection_reason,
)
from reme_operator.decision.plan_approval import decide_plan
from reme_operator.decision.reflection import finish_without_help
from reme_operator.decision.rollback import ABORT_OUTCOMES, close_aborted, decide_rollback
from reme_operator.decision.run_progress import decide_run
from reme_operator.decision.verification import close_verified, decide_verification

_RETRIED_OUTCOMES = {Outcome.REJECTED, Outcome.ROLLED_BACK, Outcome.FAILED}
"""Outcomes of an attempt after which another attempt may follow."""

_FINAL_REASONS = {
    Reason.POLICY_ALLOWS_NOTHING,
    Reason.FAULT_ELSEWHERE,
    Reason.MODEL_UNAVAILABLE,
    Reason.MODEL_TIMED_OUT,
    Reason.RUN_NOT_STARTED,
    Reason.REJECTED_BY_PERSON,
    Reason.TAMPERED,
    Reason.INTERNAL_ERROR,
}
"""Reasons that another attempt would not change."""

_NOTHING_TO_DO = {
    Reason.POLICY_ALLOWS_NOTHING: Reason.NO_ACTION_HELPS,
    Reason.FAULT_ELSEWHERE: Reason.FAULT_ELSEWHERE,
}
"""Reasons of a rejection before the model was asked, and the reasons for doing nothing."""

_OPERATOR_FAILURES = {Reason.TAMPERED, Reason.RUN_NOT_STARTED}
"""Reasons of a rejection that say nothing about the playbook."""


def decide(observed: Observed, now: datetime) -> Decision:
    """Return what to do next; never raises."""
    remediation = observed.remediation
    if remediation.status.outcome is not None:
        return _leftover_run(remediation) or decide_manual_rollback(observed, now) or Done()
    if remediation.status.start_time is None:
        return Begin()
    attempt = observed.attempt
    if attempt is None or attempt.outcome is not None:
        return _leftover_run(remediation) or _between_attempts(observed, attempt, now)
    return _within_attempt(observed, attempt, now)


def is_finished(remediation: Remediation) -> bool:
    """Return whether nothing is left to do."""
    return (
        remediation.status.outcome is not None
        and _leftover_run(remediation) is None
        and not manual_rollback_requested(remediation)
    )


def _leftover_run(remediation: Remediation) -> Decision | None:
    """Return the clean-up of a run that was not cleaned up when its attempt was closed."""
    for attempt in remediation.status.attempts:
        for run, kind in ((attempt.run, RunKind.REPAIR), (attempt.rollback, RunKind.ROLLBACK)):
            if run is not None and not run.cleaned_up:
                return CleanUp(attempt.number, kind)
        # A run takes over the rights of its dry run; both end together.
        if attempt.run is None and attempt.plan is not None and not attempt.plan.cleaned_up:
            return CleanUp(attempt.number, RunKind.DRY_RUN)
    return None


# between attempts --------------------------------------------------------------------------------


def _between_attempts(observed: Observed, last: Attempt | None, now: datetime) -> Decision:
    if last is not None and _is_final(observed.remediation, last):
        return _finish_like(observed.remediation, last)
    if end := early_end(observed, now):
        return Finish(ABORT_OUTCOMES[end[0]], *end)
    if observed.remediation.status.baseline is None:
        return decide_baseline(observed, now)
    return _no_fault(observed) or _next_attempt(observed, last)


def _no_fault(observed: Observed) -> Decision | None:
    """Return the end of a remediation whose baseline shows no fault."""
    baseline = observed.remediation.status.baseline
    if baseline is None or baseline.verdict is ProbeVerdict.FAILED:
        return None
    if baseline.verdict is ProbeVerdict.PASSED:
        return Finish(Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY, baseline.message)
    if not may_ask_model(observed):
        return Finish(Outcome.ABSTAINED, *unmeasured_fault_reason(observed.remediation))
    return None


def _next_attempt(observed: Observed, last: Attempt | None) -> Decision:
    if last is None:
        return OpenAttempt(1)
    if last.number >= observed.policy.max_attempts:
        return _finish_like(observed.remediation, last)
    return OpenAttempt(last.number + 1)


def _is_final(remediation: Remediation, attempt: Attempt) -> bool:
    if may_try_again(remediation, attempt):
        return False
    return attempt.outcome not in _RETRIED_OUTCOMES or attempt.reason in _FINAL_REASONS


def _finish_like(remediation: Remediation, last: Attempt) -> Decision:
    return finish_without_help(remediation, last, exhausted=not _is_final(remediation, last))


# within an attempt -------------------------------------------------------------------------------


def _within_attempt(observed: Observed, attempt: Attempt, now: datetime) -> Decision:
    for rule in _ATTEMPT_RULES:
        if decision := rule(observed, attempt, now):
            return decision
    return decide_verification(observed, attempt, now)


def _close_verified(observed: Observed, attempt: Attempt, _: datetime) -> Decision | None:
    return close_followed(observed, attempt) or close_verified(observed, attempt)


def _end_early(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    if attempt.reason is not None:  # it is being ended already
        return None
    end = early_end(observed, now)
    if end is None:
        return None
    if attempt.run is None:
        note = follow_up_note(observed.remediation)
        return CloseAttempt(ABORT_OUTCOMES[end[0]], end[0], f"{end[1]}{note}")
    return AbortAttempt(*end)


def _follow_cause(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    follow_up = follow_up_of(observed.remediation, attempt)
    if follow_up is None or attempt.run is not None or attempt.reason is not None:
        return None
    return decide_follow_up(observed, attempt, follow_up.cause, now)


def _before_run(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    if attempt.run is not None:
        return None
    if attempt.reason is not None:  # aborted before its run: there is nothing to roll back
        return close_aborted(attempt, attempt.message)
    if attempt.rejection is not None:
        return _close_rejected(observed, attempt)
    if attempt.generation is None:
        return decide_investigation(observed, attempt, now) or _generate(observed, now)
    if attempt.generation.abstention_reason:
        reply = attempt.generation.abstention_reason
        return CloseAttempt(Outcome.ABSTAINED, *abstention_reason(observed.remediation, reply))
    if attempt.playbook is None:
        return Validate()
    return decide_plan(observed, attempt, now)


def _during_run(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    run, switch = attempt.run, observed.switch
    if run is None or run.reason is not None:
        return None
    if attempt.reason is not None:
        return StopRun(attempt.reason, attempt.message)
    absent = observed.run.job is JobState.ABSENT
    not_created = absent and not run.uid and not observed.run.claimed
    # What a run that is not created yet was validated against would be old once the switch is off.
    if (switch.aborts_runs and run.uid) or (switch.on and not_created):
        return AbortAttempt(Reason.KILL_SWITCH, switch.text())
    return decide_run(observed, run, now, RunKind.REPAIR)


def _clean_up_run(_: Observed, attempt: Attempt, __: datetime) -> Decision | None:
    cleaned_up = attempt.run is None or attempt.run.cleaned_up
    return None if cleaned_up else CleanUp(attempt.number)


def _roll_back(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    if attempt.reason is None:
        return None
    end = early_end(observed, now)
    return decide_rollback(observed, attempt, now, end[1] if end else "")


def _failed_run(_: Observed, attempt: Attempt, __: datetime) -> Decision | None:
    reason = attempt.run.reason if attempt.run else None
    message = attempt.run.message if attempt.run else ""
    match reason:
        case None | Reason.RUN_SUCCEEDED:
            return None
        case Reason.RUN_NOT_STARTED:
            return CloseAttempt(Outcome.FAILED, reason, message)
        case Reason.PLAYBOOK_REJECTED:  # by the run itself, before it changed anything
            return CloseAttempt(Outcome.REJECTED, reason, message)
        case _:
            return AbortAttempt(reason, message)


_ATTEMPT_RULES: tuple[Callable[[Observed, Attempt, datetime], Decision | None], ...] = (
    _close_verified,
    _end_early,
    _follow_cause,
    _before_run,
    _during_run,
    _clean_up_run,
    _roll_back,
    _failed_run,
)
"""In order: the first rule that has a decision decides. What is left is to be verified."""


def _close_rejected(observed: Observed, attempt: Attempt) -> Decision:
    assert attempt.rejection is not None, "only called for a rejected attempt"
    reason, message = rejection_reason(attempt), attempt.rejection.message
    if reason in _NOTHING_TO_DO:
        # Nothing was rejected: no action would help that is allowed and was not tried.
        why = _NOTHING_TO_DO[reason]
        return CloseAttempt(
            Outcome.ABSTAINED, *no_action_reason(observed.remediation, message, why)
        )
    outcome = Outcome.FAILED if reason in _OPERATOR_FAILURES else Outcome.REJECTED
    return CloseAttempt(outcome, reason, message)


def _generate(observed: Observed, now: datetime) -> Decision:
    failures = observed.model_failures
    if failures.exhausted:
        return CloseAttempt(Outcome.FAILED, failures.reason, failures.message)
    if failures.retry_at is not None and now < failures.retry_at:
        return Wait(failures.retry_at, failures.reason, failures.message)
    return Generate()

"""What stands between a validated playbook and its run: dry run, approval, hold. Pure.

    RunDryRun -> (Auto)    Capture
              -> (Observe) CleanUp, the end
              -> (Approve) CleanUp, wait -> RecordApproval
                             -> Approve: the baseline again, RenewPlan, RunDryRun, Capture
                             -> Reject:  the end
                             -> Edit:    ApplyEdit, RunDryRun, wait

Before the first dry run the policy may require that the fault persists: wait, then the baseline
again. A run starts only while the rights of its dry run are in force, so that nothing lies between
what was looked at and what is done. An approval names the digest of a plan: when the dry run before
the run finds another digest, the approval was of another plan, and a new one is waited for.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

from reme_api.approval import Approval, ApprovalDecision, ApprovalRecord
from reme_api.policy import Mode
from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_operator.decision.abstention import unmeasured_fault_reason
from reme_operator.decision.baseline import (
    baseline_completed_since,
    baseline_is_stale,
    decide_baseline,
    persistence_end,
)
from reme_operator.decision.decisions import (
    ApplyEdit,
    Capture,
    CleanUp,
    CloseAttempt,
    Decision,
    RecordApproval,
    RenewPlan,
    RunDryRun,
    RunKind,
    Wait,
)
from reme_operator.decision.holds import HOLD_POLL, decide_hold
from reme_operator.decision.observed import Observed, latest_attempt

PLAN_TTL = timedelta(seconds=30)
"""How old a dry run may be when the run starts; after that its rights are revoked."""


def decide_plan(observed: Observed, attempt: Attempt, now: datetime) -> Decision:
    """Return what comes next for a validated playbook that has no run yet."""
    plan = attempt.plan
    if plan is None:
        return _persistence(observed, attempt, now) or RenewPlan()
    rules = _BEFORE_DRY_RUN if plan.completion_time is None else _BEFORE_RUN
    obstacle = _first(rules, observed, attempt, now)
    if isinstance(obstacle, RecordApproval):
        return obstacle
    if obstacle is None and not plan.cleaned_up and now - plan.created_time < PLAN_TTL:
        return RunDryRun() if plan.completion_time is None else Capture()
    if not plan.cleaned_up:  # nobody holds rights while somebody waits
        return CleanUp(attempt.number, RunKind.DRY_RUN)
    return obstacle or RenewPlan()


def waits_for_person(remediation: Remediation) -> bool:
    """Return whether a person must decide about a plan before anything else happens."""
    attempt = latest_attempt(remediation)
    return (
        attempt is not None
        and is_undecided(remediation)
        and not is_new_decision(remediation.spec.approval, attempt)
    )


def is_undecided(remediation: Remediation) -> bool:
    """Return whether a plan is complete and no decision about it is recorded: one may be sent."""
    attempt = latest_attempt(remediation)
    return (
        remediation.spec.policy.spec.mode is Mode.APPROVE
        and remediation.status.outcome is None
        and attempt is not None
        and attempt.run is None
        and attempt.outcome is None
        and attempt.rejection is None
        and attempt.plan is not None
        and attempt.plan.completion_time is not None
        and attempt.plan.cleaned_up
        and decided_about_plan(attempt) is None
    )


def decided_about_plan(attempt: Attempt) -> ApprovalRecord | None:
    """Return what a person decided about the plan as it is; nothing while that is open.

    An edit that was refused leaves the decision open.
    """
    record = attempt.approvals[-1] if attempt.approvals else None
    if record is None or record.refusal_message or not _is_about(record, attempt):
        return None
    return record


def is_new_decision(approval: Approval | None, attempt: Attempt) -> bool:
    """Return whether the decision is about the plan as it is, and not recorded yet."""
    plan, playbook = attempt.plan, attempt.playbook
    if approval is None or plan is None or playbook is None:
        return False
    about = (approval.attempt, approval.playbook_digest, approval.plan_digest)
    if about != (attempt.number, playbook.digest, plan.digest):
        return False
    last = attempt.approvals[-1] if attempt.approvals else None
    return last is None or _fields(approval) != (
        last.decision,
        last.username,
        last.playbook_digest,
        last.plan_digest,
        last.reason,
        last.edited_playbook.digest if last.edited_playbook else "",
    )


def _fields(approval: Approval) -> tuple[str, ...]:
    digest = ""
    if approval.decision is ApprovalDecision.EDIT:
        digest = f"sha256:{sha256(approval.edited_playbook.encode()).hexdigest()}"
    return (
        approval.decision,
        approval.username,
        approval.playbook_digest,
        approval.plan_digest,
        approval.reason,
        digest,
    )


def _is_about(record: ApprovalRecord, attempt: Attempt) -> bool:
    plan, playbook = attempt.plan, attempt.playbook
    return (
        plan is not None
        and playbook is not None
        and (record.playbook_digest, record.plan_digest) == (playbook.digest, plan.digest)
    )


def _first(
    rules: tuple["Rule", ...], observed: Observed, attempt: Attempt, now: datetime
) -> Decision | None:
    for rule in rules:
        if decision := rule(observed, attempt, now):
            return decision
    return None


# rules: each returns what is in the way of the next step, or nothing -----------------------------


def _mode(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    if observed.policy.mode is Mode.AUTO:
        return None
    if observed.policy.mode is Mode.OBSERVE:
        message = "planned and not run: the policy has mode Observe"
        return CloseAttempt(Outcome.OBSERVED, Reason.OBSERVE_ONLY, message)
    if is_new_decision(observed.remediation.spec.approval, attempt):
        return RecordApproval()
    record = decided_about_plan(attempt)
    match record.decision if record else None:
        case ApprovalDecision.APPROVE:
            return None
        case ApprovalDecision.EDIT:
            return ApplyEdit()
        case ApprovalDecision.REJECT:
            message = f"rejected by {record.username}: {record.reason}"[:1024] if record else ""
            return CloseAttempt(Outcome.REJECTED, Reason.REJECTED_BY_PERSON, message)
        case None:
            return _wait_for_person(observed, attempt, now)


def _hold(observed: Observed, _: Attempt, now: datetime) -> Decision | None:
    return decide_hold(observed, now)


def _persistence(observed: Observed, _: Attempt, now: datetime) -> Decision | None:
    """Wait until the fault has persisted for the time that the policy requires; probe it again."""
    until = persistence_end(observed)
    if until is None:
        return None
    if now < until:
        seconds = observed.policy.evidence.min_persistence_seconds
        message = (
            f"waiting until {until:%Y-%m-%d %H:%M:%S} UTC: the policy requires the fault to "
            f"persist for {seconds} s"
        )
        return Wait(min(now + HOLD_POLL, until), Reason.WAITING_FOR_PERSISTENCE, message)
    if not baseline_completed_since(observed, until):
        return decide_baseline(observed, now)
    return _no_fault(observed)


def _baseline(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    """Probe the target again if the baseline is too old to compare a repair with."""
    if baseline_is_stale(observed, attempt, now):
        return decide_baseline(observed, now)
    return _no_fault(observed)


Rule = Callable[[Observed, Attempt, datetime], Decision | None]

_BEFORE_DRY_RUN: tuple[Rule, ...] = (_hold, _persistence)
_BEFORE_RUN: tuple[Rule, ...] = (_mode, _hold, _persistence, _baseline)


def _wait_for_person(observed: Observed, attempt: Attempt, now: datetime) -> Decision:
    plan, last = attempt.plan, attempt.approvals[-1] if attempt.approvals else None
    assert plan is not None, "only a plan waits for a decision"
    assert plan.completion_time is not None, "only a complete plan waits for a decision"
    seconds = observed.policy.approval_timeout_seconds
    until = plan.completion_time + timedelta(seconds=seconds)
    if now >= until:
        message = f"nobody decided about the plan within {seconds} s (approvalTimeoutSeconds)"
        return CloseAttempt(Outcome.TIMED_OUT, Reason.APPROVAL_EXPIRED, message)
    reason, message = Reason.WAITING_FOR_APPROVAL, f"plan {plan.digest} waits for a decision"
    if last is not None and last.refusal_message:
        reason = Reason.EDIT_REFUSED
        message = f"{message}; the edit of {last.username} was refused: {last.refusal_message}"
    elif last is not None and last.decision is ApprovalDecision.APPROVE:
        reason = Reason.PLAN_CHANGED
        message = f"{message}; it differs from the plan that {last.username} approved"
    return Wait(min(now + HOLD_POLL, until), reason, message[:1024])


def _no_fault(observed: Observed) -> Decision | None:
    """Return the end of an attempt whose newest baseline shows no fault, else nothing."""
    baseline = observed.remediation.status.baseline
    if baseline is None or baseline.verdict is ProbeVerdict.FAILED:
        return None
    if baseline.verdict is ProbeVerdict.PASSED:
        message = f"healthy again before the run: {baseline.message}"
        return CloseAttempt(Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY, message)
    if observed.policy.evidence.require_probe_failure:
        return CloseAttempt(Outcome.ABSTAINED, *unmeasured_fault_reason(observed.remediation))
    return None

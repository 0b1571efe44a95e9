"""Whether a playbook that passed the gate may run: its plan, the mode, what people decided. Pure.

    Rehearse -> (Auto)    Capture
             -> (Observe) CleanUp, the end
             -> (Approve) CleanUp, wait -> NoteApproval -> Approve: the baseline anew, Replan,
                                                                    Rehearse, Capture
                                                        -> Reject:  the end
                                                        -> Edit:    TakeEdit, Rehearse, wait

Before the first plan a fault may have to persist, by the policy: wait, then the baseline anew.

A run begins only while the rights of its dry run are in force, so that nothing lies between what
was looked at and what is done. What was approved is a digest: if the second dry run finds another
one, the approval was of another plan, and a new one is waited for.
"""

from datetime import datetime, timedelta
from hashlib import sha256

from reme_api.approval import Approval, ApprovalDecision, ApprovalRecord
from reme_api.policy import Mode
from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt
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
    Wait,
)
from reme_operator.decision.observed import Observed

HELD_POLL = timedelta(seconds=10)
"""How often something that waits for a person, or for time, is looked at, beside its events."""

SWITCH_POLL = timedelta(seconds=2)

PLAN_TRUSTED = timedelta(seconds=30)
"""How old a dry run may be when the run begins; its rights are taken away after that."""


def permission(seen: Observed, attempt: Attempt, now: datetime) -> Decision:
    """Return what comes next for a playbook that passed the gate and has no run yet."""
    plan = attempt.plan
    if plan is None:
        return _persisting(seen, now) or RenewPlan()
    in_force = not plan.cleaned_up and now - plan.created_time < PLAN_TRUSTED
    if plan.completion_time is None:
        verdict = _hold(seen, now) or _persisting(seen, now)
        ready: Decision = RunDryRun()
    else:
        verdict = _verdict(seen, attempt, now)
        ready = Capture()
    if isinstance(verdict, RecordApproval):
        return verdict
    if verdict is None and plan.completion_time is not None:
        verdict = _persisting(seen, now) or _as_before(seen, attempt, now)
    if verdict is None and in_force:
        return ready
    # Nobody holds rights while somebody else thinks.
    return CleanUp(attempt.number, plan=True) if not plan.cleaned_up else verdict or RenewPlan()


def _persisting(seen: Observed, now: datetime) -> Decision | None:
    """Return what comes before a fault is one that does not pass by itself; nothing when it is."""
    since = persistence_end(seen)
    if since is None:
        return None
    if now < since:
        seconds = seen.remediation.spec.policy.spec.evidence.min_persistence_seconds
        words = f"left alone until {since:%Y-%m-%d %H:%M:%S} UTC: the fault must last {seconds} s"
        return Wait(min(now + HELD_POLL, since), Reason.WAITING_FOR_PERSISTENCE, words)
    if not baseline_completed_since(seen, since):
        return decide_baseline(seen, now)
    return _needless(seen)


def _as_before(seen: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    """Return what is to be measured before the run; nothing when that is known well enough."""
    if baseline_is_stale(seen, attempt, now):
        return decide_baseline(seen, now)
    return _needless(seen)


def _needless(seen: Observed) -> Decision | None:
    """Return that the baseline, by now, speaks against a run; nothing when it does not."""
    baseline = seen.remediation.status.baseline
    if baseline is None or baseline.verdict is ProbeVerdict.FAILED:
        return None
    if baseline.verdict is ProbeVerdict.PASSED:
        words = f"healthy again before the run began: {baseline.message}"
        return CloseAttempt(Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY, words)
    if seen.remediation.spec.policy.spec.evidence.require_probe_failure:
        return CloseAttempt(Outcome.ABSTAINED, *unmeasured_fault_reason(seen))
    return None


def waits_for_person(seen: Observed) -> bool:
    """Return whether it is a person's turn: time that counts against nobody's deadline."""
    attempt = seen.attempt
    return (
        seen.remediation.spec.policy.spec.mode is Mode.APPROVE
        and attempt is not None
        and attempt.run is None
        and attempt.outcome is None
        and attempt.rejection is None
        and attempt.plan is not None
        and attempt.plan.completion_time is not None
    )


def _hold(seen: Observed, now: datetime) -> Decision | None:
    if seen.remediation.spec.policy.spec.mode is Mode.OBSERVE:
        return None  # nothing is written: there is nothing to hold
    if seen.switch.on:
        return Wait(now + SWITCH_POLL, Reason.KILL_SWITCH, seen.switch.text())
    if seen.held:
        return Wait(now + HELD_POLL, seen.held_for, seen.held)
    return None


def _verdict(seen: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    """Return why the plan does not run now; nothing when it may."""
    mode = seen.remediation.spec.policy.spec.mode
    if mode is Mode.OBSERVE:
        return CloseAttempt(
            Outcome.OBSERVED, Reason.OBSERVE_ONLY, "planned, and not run: the policy only observes"
        )
    if mode is Mode.APPROVE:
        return _by_person(seen, attempt, now)
    return _hold(seen, now)


def _by_person(seen: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    if is_new_decision(seen.remediation.spec.approval, attempt):
        return RecordApproval()
    last = attempt.approvals[-1] if attempt.approvals else None
    if last is not None and _is_about(last, attempt):
        match last.decision:
            case ApprovalDecision.APPROVE:
                return _hold(seen, now)
            case ApprovalDecision.REJECT:
                words = f"rejected by {last.username}: {last.reason}"
                return CloseAttempt(Outcome.REJECTED, Reason.REJECTED_BY_PERSON, words[:1024])
            case ApprovalDecision.EDIT if not last.refusal_message:
                return ApplyEdit()
    return _waiting(seen, attempt, last, now)


def _waiting(
    seen: Observed, attempt: Attempt, last: ApprovalRecord | None, now: datetime
) -> Decision:
    plan = attempt.plan
    assert plan is not None, "only a plan waits for a decision"
    assert plan.completion_time is not None, "and only one that is known"
    seconds = seen.remediation.spec.policy.spec.approval_timeout_seconds
    until = plan.completion_time + timedelta(seconds=seconds)
    if now >= until:
        words = f"nobody approved the plan within {seconds} s"
        return CloseAttempt(Outcome.TIMED_OUT, Reason.APPROVAL_EXPIRED, words)
    reason, message = Reason.WAITING_FOR_APPROVAL, f"plan {plan.digest} waits for a decision"
    if last is not None and last.refusal_message:
        reason = Reason.EDIT_REFUSED
        message = f"{message}; the edit of {last.username} may not run: {last.refusal_message}"
    elif last is not None and last.decision is ApprovalDecision.APPROVE:
        reason = Reason.PLAN_CHANGED
        message = f"{message}; it is not the plan any more that {last.username} approved"
    return Wait(min(now + HELD_POLL, until), reason, message[:1024])


def is_new_decision(approval: Approval | None, attempt: Attempt) -> bool:
    """Return whether the decision is about the plan as it is, and not taken note of yet."""
    plan, playbook = attempt.plan, attempt.playbook
    if approval is None or plan is None or playbook is None:
        return False
    now = (attempt.number, playbook.digest, plan.digest)
    if (approval.attempt, approval.playbook_digest, approval.plan_digest) != now:
        return False
    last = attempt.approvals[-1] if attempt.approvals else None
    return last is None or _words(approval) != (
        last.decision,
        last.username,
        last.playbook_digest,
        last.plan_digest,
        last.reason,
        last.edited_playbook.digest if last.edited_playbook else "",
    )


def _words(approval: Approval) -> tuple[str, ...]:
    edit = ""
    if approval.decision is ApprovalDecision.EDIT:
        edit = f"sha256:{sha256(approval.edited_playbook.encode()).hexdigest()}"
    return (
        approval.decision,
        approval.username,
        approval.playbook_digest,
        approval.plan_digest,
        approval.reason,
        edit,
    )


def _is_about(record: ApprovalRecord, attempt: Attempt) -> bool:
    plan, playbook = attempt.plan, attempt.playbook
    return (
        plan is not None
        and playbook is not None
        and (record.playbook_digest, record.plan_digest) == (playbook.digest, plan.digest)
    )

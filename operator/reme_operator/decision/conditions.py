"""The conditions of a remediation: derived from its status, so that both always agree. Pure."""

from datetime import datetime
from typing import NamedTuple

from reme_api.approval import ApprovalDecision
from reme_api.conditions import Condition, Status, set_condition
from reme_api.policy import Mode
from reme_api.probes import ProbeVerdict
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Attempt, Remediation, RemediationStatus
from reme_operator.decision.decisions import Wait
from reme_operator.decision.observed import latest_attempt, rejection_reason
from reme_operator.decision.plan_approval import decided_about_plan, waits_for_person

SUCCESSES = frozenset({Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED})
"""Outcomes after which the target is known to work."""

_MODEL_WAITS = {Reason.MODEL_UNAVAILABLE, Reason.MODEL_TIMED_OUT}


class Statement(NamedTuple):
    """A condition without its times."""

    status: Status
    reason: Reason
    message: str = ""


_PENDING = Statement(Status.UNKNOWN, Reason.PENDING)


def derive(
    remediation: Remediation, status: RemediationStatus, now: datetime, wait: Wait | None = None
) -> list[Condition]:
    """Return the conditions of this status; `wait` is what the remediation waits for, if it does.

    A transition time is kept while the condition's status stays the same.
    """
    current = remediation.model_copy(update={"status": status})
    attempt = latest_attempt(current)
    statements = {
        ConditionType.SUCCEEDED: _succeeded(status, wait),
        ConditionType.GENERATED: _generated(attempt, wait),
        ConditionType.VALIDATED: _validated(attempt),
        ConditionType.APPROVED: _approved(current, attempt, wait),
        ConditionType.EXECUTED: _executed(attempt),
        ConditionType.VERIFIED: _verified(attempt, status),
        ConditionType.STALLED: _stalled(status, wait),
    }
    conditions = list(status.conditions)
    for condition_type, statement in statements.items():
        conditions = set_condition(
            conditions,
            condition_type,
            statement.status,
            statement.reason,
            statement.message,
            generation=remediation.metadata.generation,
            now=now,
        )
    return conditions


def _succeeded(status: RemediationStatus, wait: Wait | None) -> Statement:
    if status.outcome is None:
        if wait is not None and wait.why is not None:
            return Statement(Status.UNKNOWN, wait.why, wait.message)
        return Statement(Status.UNKNOWN, Reason.IN_PROGRESS)
    last_reason = status.attempts[-1].reason if status.attempts else None
    reason = status.reason or last_reason or Reason.INTERNAL_ERROR
    succeeded = Status.TRUE if status.outcome in SUCCESSES else Status.FALSE
    return Statement(succeeded, reason, status.message)


def _generated(attempt: Attempt | None, wait: Wait | None) -> Statement:
    if attempt is None:
        return _PENDING
    if attempt.generation is not None:
        if attempt.generation.abstention_reason:
            return Statement(
                Status.FALSE, Reason.MODEL_ABSTAINED, attempt.generation.abstention_reason
            )
        return Statement(Status.TRUE, Reason.PLAYBOOK_GENERATED)
    if attempt.rejection is not None:
        return Statement(Status.FALSE, rejection_reason(attempt), attempt.rejection.message)
    if attempt.outcome is not None:
        return Statement(Status.FALSE, attempt.reason or Reason.INTERNAL_ERROR, attempt.message)
    if wait is not None and wait.why in _MODEL_WAITS:
        return Statement(Status.UNKNOWN, wait.why, wait.message)
    return Statement(Status.UNKNOWN, Reason.IN_PROGRESS)


def _validated(attempt: Attempt | None) -> Statement:
    if attempt is None:
        return _PENDING
    if attempt.rejection is not None:
        return Statement(Status.FALSE, rejection_reason(attempt), attempt.rejection.message)
    if attempt.playbook is not None:
        return Statement(Status.TRUE, Reason.PLAYBOOK_ALLOWED)
    return _PENDING


def _approved(remediation: Remediation, attempt: Attempt | None, wait: Wait | None) -> Statement:
    mode = remediation.spec.policy.spec.mode
    if attempt is None or attempt.playbook is None or attempt.rejection is not None:
        return _PENDING
    if mode is Mode.OBSERVE:
        return Statement(Status.FALSE, Reason.OBSERVE_ONLY)
    if waits_for_person(remediation):
        if wait is not None and wait.why is not None:
            return Statement(Status.UNKNOWN, wait.why, wait.message)
        return Statement(Status.UNKNOWN, Reason.WAITING_FOR_APPROVAL)
    if mode is Mode.APPROVE:
        record = decided_about_plan(attempt)
        if record is not None and record.decision is ApprovalDecision.APPROVE:
            message = f"approved by {record.username}"
            return Statement(Status.TRUE, Reason.APPROVED_BY_PERSON, message)
    elif attempt.run is not None:
        return Statement(Status.TRUE, Reason.APPROVED_BY_POLICY)
    if attempt.outcome is not None:
        return Statement(Status.FALSE, attempt.reason or Reason.CANCELLED, attempt.message)
    if wait is not None and remediation.status.hold is not None:
        return Statement(Status.UNKNOWN, remediation.status.hold.reason, wait.message)
    return _PENDING


def _executed(attempt: Attempt | None) -> Statement:
    run = attempt.run if attempt else None
    if run is None:
        return _PENDING
    if run.reason is None:
        return Statement(Status.UNKNOWN, Reason.IN_PROGRESS, run.name)
    succeeded = run.reason is Reason.RUN_SUCCEEDED
    return Statement(Status.TRUE if succeeded else Status.FALSE, run.reason, run.message)


def _verified(attempt: Attempt | None, status: RemediationStatus) -> Statement:
    window = attempt.verification if attempt else None
    if attempt is None or window is None:
        if status.outcome is Outcome.NO_ACTION_NEEDED:
            return Statement(Status.TRUE, Reason.ALREADY_HEALTHY)
        return _PENDING
    if window.completion_time is None:
        if attempt.reason is not None:
            return Statement(Status.FALSE, attempt.reason, attempt.message)
        return Statement(Status.UNKNOWN, Reason.IN_PROGRESS)
    if window.verdict is ProbeVerdict.FAILED:
        degraded = attempt.reason is Reason.NEIGHBOURS_DEGRADED
        reason = Reason.NEIGHBOURS_DEGRADED if degraded else Reason.PROBES_FAILED
        return Statement(Status.FALSE, reason, window.message)
    if window.verdict is ProbeVerdict.PASSED and attempt.outcome is not Outcome.UNVERIFIED:
        return Statement(Status.TRUE, Reason.PROBES_PASSED, window.message)
    message = attempt.message or window.message
    return Statement(Status.UNKNOWN, Reason.PROBES_INCONCLUSIVE, message)


def _stalled(status: RemediationStatus, wait: Wait | None) -> Statement:
    """Stalled is True when a person has to act: the model is away, or a rollback failed."""
    if status.outcome is Outcome.ROLLBACK_FAILED:
        return Statement(Status.TRUE, Reason.ROLLBACK_FAILED, status.message)
    if status.outcome is not None:
        return Statement(Status.FALSE, status.reason or Reason.IN_PROGRESS)
    if wait is not None and wait.why in _MODEL_WAITS:
        return Statement(Status.TRUE, wait.why, wait.message)
    return Statement(Status.FALSE, Reason.IN_PROGRESS)

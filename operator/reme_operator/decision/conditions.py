"""The conditions of a remediation: derived from its status, so that the two cannot disagree."""

from datetime import datetime
from typing import NamedTuple

from reme_api.conditions import Condition, Status, set_condition
from reme_api.policy import Mode
from reme_api.probes import ProbeVerdict
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Attempt, Remediation, RemediationStatus
from reme_operator.decision.decisions import Wait

SUCCESSES = frozenset({Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED})
"""Outcomes after which the target is known to work."""

_WAITS_ON_PERSON = {
    Reason.WAITING_FOR_APPROVAL,
    Reason.PLAN_CHANGED,
    Reason.EDIT_REFUSED,
    Reason.SUSPENDED,
}
_WAITS_ON_MODEL = {Reason.MODEL_UNAVAILABLE, Reason.MODEL_TIMED_OUT}


class Statement(NamedTuple):
    """A condition but for its times."""

    status: Status
    reason: Reason
    message: str = ""


_PENDING = Statement(Status.UNKNOWN, Reason.PENDING)


def derive(
    remediation: Remediation, status: RemediationStatus, now: datetime, wait: Wait | None = None
) -> list[Condition]:
    """Return the conditions that this status amounts to; `wait` is what it waits for, if it does.

    Transition times are kept from the conditions that the status has.
    """
    attempt = status.attempts[-1] if status.attempts else None
    mode = remediation.spec.policy.spec.mode
    statements = {
        ConditionType.SUCCEEDED: _succeeded(status, wait),
        ConditionType.GENERATED: _generated(attempt, wait),
        ConditionType.VALIDATED: _validated(attempt),
        ConditionType.APPROVED: _approved(attempt, mode, wait),
        ConditionType.EXECUTED: _executed(attempt),
        ConditionType.VERIFIED: _verified(attempt, status),
        ConditionType.STALLED: _stalled(status, wait),
    }
    conditions = list(status.conditions)
    for kind, (state, reason, message) in statements.items():
        conditions = set_condition(
            conditions,
            kind,
            state,
            reason,
            message,
            generation=remediation.metadata.generation,
            now=now,
        )
    return conditions


def _succeeded(status: RemediationStatus, wait: Wait | None) -> Statement:
    if status.outcome is None:
        if wait is not None and wait.why is not None:
            return Statement(Status.UNKNOWN, wait.why, wait.message)
        return Statement(Status.UNKNOWN, Reason.IN_PROGRESS)
    last = status.attempts[-1].reason if status.attempts else None
    reason = status.reason or last or Reason.INTERNAL_ERROR
    state = Status.TRUE if status.outcome in SUCCESSES else Status.FALSE
    return Statement(state, reason, status.message)


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
        return Statement(Status.FALSE, _rejected_for(attempt), attempt.rejection.message)
    if attempt.outcome is not None:
        return Statement(Status.FALSE, attempt.reason or Reason.INTERNAL_ERROR, attempt.message)
    if wait is not None and wait.why in _WAITS_ON_MODEL:
        return Statement(Status.UNKNOWN, wait.why or Reason.PENDING, wait.message)
    return Statement(Status.UNKNOWN, Reason.IN_PROGRESS)


def _rejected_for(attempt: Attempt) -> Reason:
    rule = attempt.rejection.rule if attempt.rejection else ""
    return Reason(rule) if rule in list(Reason) else Reason.PLAYBOOK_REJECTED


def _validated(attempt: Attempt | None) -> Statement:
    if attempt is None:
        return _PENDING
    if attempt.rejection is not None:
        return Statement(Status.FALSE, _rejected_for(attempt), attempt.rejection.message)
    if attempt.playbook is not None:
        return Statement(Status.TRUE, Reason.PLAYBOOK_ALLOWED)
    return _PENDING


def _approved(attempt: Attempt | None, mode: Mode, wait: Wait | None) -> Statement:
    if attempt is None or attempt.playbook is None or attempt.rejection is not None:
        return _PENDING
    if mode is Mode.OBSERVE:
        return Statement(Status.FALSE, Reason.OBSERVE_ONLY)
    if wait is not None and wait.why in _WAITS_ON_PERSON:
        return Statement(Status.UNKNOWN, wait.why, wait.message)
    if attempt.run is not None:
        if mode is not Mode.APPROVE:
            return Statement(Status.TRUE, Reason.APPROVED_BY_POLICY)
        by = attempt.approvals[-1].username if attempt.approvals else ""
        return Statement(Status.TRUE, Reason.APPROVED_BY_PERSON, f"approved by {by}")
    if attempt.outcome is not None:
        return Statement(Status.FALSE, attempt.reason or Reason.CANCELLED, attempt.message)
    return _PENDING


def _executed(attempt: Attempt | None) -> Statement:
    run = attempt.run if attempt else None
    if run is None:
        return _PENDING
    if run.reason is None:
        return Statement(Status.UNKNOWN, Reason.IN_PROGRESS, run.name)
    done = run.reason is Reason.RUN_SUCCEEDED
    return Statement(Status.TRUE if done else Status.FALSE, run.reason, run.message)


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
        reason = attempt.reason
        worse = reason is Reason.NEIGHBOURS_DEGRADED
        return Statement(
            Status.FALSE,
            Reason.NEIGHBOURS_DEGRADED if worse else Reason.PROBES_FAILED,
            window.message,
        )
    if window.verdict is ProbeVerdict.PASSED and attempt.outcome is not Outcome.UNVERIFIED:
        return Statement(Status.TRUE, Reason.PROBES_PASSED, window.message)
    return Statement(Status.UNKNOWN, Reason.PROBES_INCONCLUSIVE, attempt.message or window.message)


def _stalled(status: RemediationStatus, wait: Wait | None) -> Statement:
    """A person has to look: the model is away, or an undo did not work."""
    if status.outcome is Outcome.ROLLBACK_FAILED:
        return Statement(Status.TRUE, Reason.ROLLBACK_FAILED, status.message)
    if status.outcome is None and wait is not None and wait.why in _WAITS_ON_MODEL:
        return Statement(Status.TRUE, wait.why or Reason.PENDING, wait.message)
    if status.outcome is None:
        return Statement(Status.FALSE, Reason.IN_PROGRESS)
    return Statement(Status.FALSE, status.reason or Reason.IN_PROGRESS)

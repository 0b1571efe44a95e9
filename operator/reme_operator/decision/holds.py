"""Holds: a validated playbook that may not run for now. Pure.

A remediation on hold has changed nothing and has no rights; it takes neither its target nor room in
the budgets, and its time does not count against the deadline. When the reason is gone it goes on,
once target and budgets have room again. A hold that lasts too long ends the remediation.
"""

from datetime import datetime, timedelta

from reme_api.policy import Mode
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation, RemediationStatus
from reme_operator.decision.decisions import BeginHold, CloseAttempt, Decision, EndHold, Wait
from reme_operator.decision.observed import HoldReason, Observed, has_run

HOLD_POLL = timedelta(seconds=10)
"""How often the reason of a hold is looked at, beside its events."""

KILL_SWITCH_POLL = timedelta(seconds=2)


def time_on_hold(status: RemediationStatus, now: datetime) -> timedelta:
    """Return how long the remediation was on hold so far, in all."""
    current = now - status.hold.start_time if status.hold else timedelta(0)
    return timedelta(seconds=status.held_seconds) + max(timedelta(0), current)


def is_on_hold(remediation: Remediation) -> bool:
    """Return whether it is on hold and has changed nothing: it needs neither target nor budget."""
    status = remediation.status
    return status.outcome is None and status.hold is not None and not has_run(remediation)


def decide_hold(observed: Observed, now: datetime) -> Decision | None:
    """Return what a hold asks for; nothing when the run may go on."""
    if observed.policy.mode is Mode.OBSERVE:
        return None  # nothing is ever changed: there is nothing to hold
    status, reason = observed.remediation.status, _reason(observed)
    if reason is None:
        return EndHold() if status.hold else None
    if status.hold is None:
        return BeginHold(reason.reason)
    limit = timedelta(seconds=observed.policy.hold_timeout_seconds)
    remaining = limit - time_on_hold(status, now)
    if remaining <= timedelta(0):
        seconds = observed.policy.hold_timeout_seconds
        message = f"on hold for {seconds} s (holdTimeoutSeconds): {reason.message}"
        return CloseAttempt(Outcome.TIMED_OUT, Reason.HOLD_EXPIRED, message)
    poll = KILL_SWITCH_POLL if reason.reason is Reason.KILL_SWITCH else HOLD_POLL
    return Wait(now + min(poll, remaining), *reason)


def _reason(observed: Observed) -> HoldReason | None:
    if observed.switch.on:
        return HoldReason(Reason.KILL_SWITCH, observed.switch.text())
    return observed.hold

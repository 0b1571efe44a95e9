"""The steps that only write the status: they cause nothing outside of it."""

from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from typing import Any

from reme_api.reasons import Reason
from reme_api.remediation import Attempt, Hold, RemediationStatus
from reme_operator.decision.decisions import (
    Begin,
    BeginHold,
    CloseAttempt,
    EndHold,
    Finish,
    OpenAttempt,
)
from reme_operator.decision.holds import time_on_hold
from reme_operator.decision.observed import is_following
from reme_operator.steps.context import StepContext, StepResult, clip, updated


async def begin(context: StepContext, _: Begin) -> StepResult:
    """Write the first status."""
    return context.with_status(
        start_time=context.now(),
        operator_version=operator_version(),
        trace_id=context.remediation.metadata.uid.replace("-", "")[:32],
    )


async def open_attempt(context: StepContext, decision: OpenAttempt) -> StepResult:
    """Start another attempt."""
    context.timer.next_attempt()
    now = context.now()
    attempt = Attempt(number=decision.number, start_time=now)
    fields: dict[str, Any] = {"attempts": [*context.status.attempts, attempt]}
    if is_following(context.remediation):
        # It has no room in the budgets and may have lost its target: it runs once it has both.
        fields["hold"] = Hold(reason=Reason.FOLLOWING_CAUSE, start_time=now)
    return context.with_status(**fields)


async def begin_hold(context: StepContext, decision: BeginHold) -> StepResult:
    """Record that the remediation is on hold."""
    return context.with_status(hold=Hold(reason=decision.reason, start_time=context.now()))


async def end_hold(context: StepContext, _: EndHold) -> StepResult:
    """Record that the hold is over; nothing when target or budgets were taken a moment ago."""
    if not context.try_resume(context.observed):
        return StepResult()
    return context.with_status(**_without_hold(context.status, context.now()))


async def close_attempt(context: StepContext, decision: CloseAttempt) -> StepResult:
    """Record the outcome of the open attempt; a hold ends with it."""
    attempt = updated(
        context.attempt,
        outcome=decision.outcome,
        reason=decision.reason,
        message=clip(decision.message),
        completion_time=context.now(),
    )
    return context.with_status(
        attempts=[*context.status.attempts[:-1], attempt],
        **_without_hold(context.status, context.now()),
    )


async def finish(context: StepContext, decision: Finish) -> StepResult:
    """Record the outcome of the remediation."""
    return context.with_status(
        outcome=decision.outcome,
        reason=decision.reason,
        message=clip(decision.message),
        completion_time=context.now(),
    )


def _without_hold(status: RemediationStatus, now: datetime) -> dict[str, Any]:
    seconds = ceil(time_on_hold(status, now).total_seconds())
    if status.hold is not None:  # it grows with every hold, however short
        seconds = max(seconds, status.held_seconds + 1)
    return {"hold": None, "held_seconds": seconds}


def operator_version() -> str:
    """Return the version of this distribution."""
    try:
        return version("reme")
    except PackageNotFoundError:
        return "unknown"

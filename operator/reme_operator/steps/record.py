"""The steps that only write down: they cause nothing outside of the status."""

from importlib.metadata import PackageNotFoundError, version

from reme_api.remediation import Attempt
from reme_operator.decision.decisions import Begin, CloseAttempt, Finish, OpenAttempt
from reme_operator.steps.context import StepContext, StepResult, clip


async def begin(context: StepContext, _: Begin) -> StepResult:
    """Write the first status."""
    return StepResult(
        context.status.model_copy(
            update={
                "start_time": context.now(),
                "operator_version": operator_version(),
                "trace_id": context.remediation.metadata.uid.replace("-", "")[:32],
            }
        )
    )


async def open_attempt(context: StepContext, decision: OpenAttempt) -> StepResult:
    """Begin another attempt."""
    context.timer.next_attempt()
    fresh = Attempt(number=decision.number, start_time=context.now())
    return StepResult(
        context.status.model_copy(update={"attempts": [*context.status.attempts, fresh]})
    )


async def close_attempt(context: StepContext, decision: CloseAttempt) -> StepResult:
    """Record what came of the open attempt."""
    return StepResult(
        context.revised(
            outcome=decision.outcome,
            reason=decision.reason,
            message=clip(decision.message),
            completion_time=context.now(),
        )
    )


async def finish(context: StepContext, decision: Finish) -> StepResult:
    """Record the outcome of the whole."""
    return StepResult(
        context.status.model_copy(
            update={
                "outcome": decision.outcome,
                "reason": decision.reason,
                "message": clip(decision.message),
                "completion_time": context.now(),
            }
        )
    )


def operator_version() -> str:
    """Return the version of this distribution."""
    try:
        return version("reme")
    except PackageNotFoundError:
        return "unknown"

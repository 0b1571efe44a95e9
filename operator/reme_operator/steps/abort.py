"""The first step back: why an attempt must not stay, and that its run writes nothing more."""

from reme_api.reasons import Reason
from reme_operator.decision.decisions import AbortAttempt
from reme_operator.steps.cleanup import RunLocation, revoke_rbac
from reme_operator.steps.context import StepContext, StepResult, clip


async def go_back(context: StepContext, decision: AbortAttempt) -> StepResult:
    """Record why the open attempt must not stay.

    A run that the kill switch stops loses its rights before that: the record takes time, in which
    the run would go on to write. Should it not come to the record, the run fails and is undone.
    """
    run, meta = context.attempt.run, context.remediation.metadata
    if decision.reason is Reason.KILL_SWITCH and run is not None and run.uid and not run.reason:
        place = RunLocation(run.name, run.namespace, meta.namespace, meta.uid)
        await revoke_rbac(context.deps.cluster, place)
    return StepResult(context.revised(reason=decision.reason, message=clip(decision.message)))

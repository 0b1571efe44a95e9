"""After a rollback: rounds of probes until the target is as it was, then the result."""

from datetime import datetime

from reme_api.probes import NeighbourHealth, ProbeWindow
from reme_api.remediation import Attempt
from reme_kube.errors import NotFoundError
from reme_operator.decision.decisions import ConcludeRollback, SettleRollback
from reme_operator.decision.target_rollout import RolloutCheck, check_rollout
from reme_operator.errors import TargetVanishedError
from reme_operator.steps.context import StepContext, StepResult, clip, updated
from reme_operator.steps.probe import one_more_round


async def settle_rollback(context: StepContext, decision: SettleRollback) -> StepResult:
    """Read the rollout of the target, then take one round of probes and neighbours.

    In this order, so that the probes of a round have measured the settled target.

    Raises:
        TargetVanishedError: the target does not exist.

    """
    attempt, since = _rolled_back(context, manual=decision.manual)
    rollout = await _rollout(context, attempt, since)
    target = context.remediation.spec.target
    baseline = context.status.baseline if not decision.manual else None
    neighbours: tuple[NeighbourHealth, ...] = tuple(
        neighbour
        for neighbour in (baseline.neighbours if baseline else ())
        # The target is judged by its rollout.
        if (neighbour.kind, neighbour.name) != (target.kind, target.name)
    )
    return StepResult(probe_history=await one_more_round(context, neighbours, rollout))


async def conclude_rollback(context: StepContext, decision: ConcludeRollback) -> StepResult:
    """Record whether the target is as it was, and what the probes measured."""
    verdict, history, now = decision.verdict, context.observed.probe_history, context.now()
    if decision.manual:
        started = context.manual_rollback.verification
    else:
        started = context.attempt.rollback_verification
    assert started is not None, "a rollback is verified before it is concluded"
    if history is None:  # nothing was measured, because the remediation must end
        window = ProbeWindow(start_time=started.start_time)
    else:
        window = history.window(verdict.verdict, now, verdict.message)
    window = updated(
        window,
        start_time=started.start_time,
        completion_time=now,
        verdict=verdict.verdict,
        message=clip(verdict.message),
    )
    if decision.manual:
        return context.with_manual_rollback(verification=window)
    return context.with_attempt(rollback_verification=window)


def _rolled_back(context: StepContext, *, manual: bool) -> tuple[Attempt, datetime]:
    """Return the attempt that was rolled back, and when its rollback, or else its run, began."""
    if manual:
        rollback = context.manual_rollback
        attempt, run = context.status.attempts[rollback.attempt - 1], rollback.run
        return attempt, (run.created_time if run else None) or rollback.start_time
    attempt = context.attempt
    run = attempt.run
    return attempt, (run.created_time if run else None) or attempt.start_time


async def _rollout(context: StepContext, attempt: Attempt, since: datetime) -> RolloutCheck:
    cluster, target = context.deps.cluster, context.remediation.spec.target
    try:
        workload = await cluster.workload(target.kind, context.namespace, target.name)
    except NotFoundError:
        where = f"{target.kind} {context.namespace}/{target.name}"
        raise TargetVanishedError(f"{where} is gone") from None
    pods = await cluster.pods(workload)
    return check_rollout(workload, pods, attempt.target_before, since)

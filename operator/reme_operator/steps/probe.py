"""Baseline and verification: rounds of every probe and of the neighbours, then a verdict."""

import asyncio
from typing import Any

from reme_api.policy import NeighbourScope
from reme_api.probes import NeighbourHealth, ProbeVerdict, ProbeWindow
from reme_api.reasons import Reason
from reme_kube.resources import Json
from reme_operator.decision.decisions import (
    BeginVerification,
    ConcludeBaseline,
    ConcludeVerification,
    ProbeBaseline,
    Verify,
)
from reme_operator.decision.probe_verdict import ProbeHistory, ProbeRound
from reme_operator.decision.target_rollout import RolloutCheck
from reme_operator.steps.context import StepContext, StepResult, updated

_NO_ROLLBACK = RolloutCheck()


async def probe_baseline(context: StepContext, _: ProbeBaseline) -> StepResult:
    """Take one round of the baseline."""
    return StepResult(probe_history=await one_more_round(context, ()))


async def verify(context: StepContext, _: Verify) -> StepResult:
    """Take one round of the verification."""
    baseline = context.status.baseline
    neighbours = tuple(baseline.neighbours) if baseline else ()
    return StepResult(probe_history=await one_more_round(context, neighbours))


async def conclude_baseline(context: StepContext, decision: ConcludeBaseline) -> StepResult:
    """Record what the baseline showed."""
    history, verdict = context.observed.probe_history, decision.verdict
    assert history is not None, "a verdict has samples"
    window = history.window(verdict.verdict, context.now(), verdict.message)
    return context.with_status(baseline=window)


async def begin_verification(context: StepContext, _: BeginVerification) -> StepResult:
    """Record when the verification started."""
    return context.with_attempt(verification=ProbeWindow(start_time=context.now()))


async def conclude_verification(context: StepContext, decision: ConcludeVerification) -> StepResult:
    """Record what the verification showed, and whether the attempt must be rolled back."""
    history, started = context.observed.probe_history, context.attempt.verification
    verdict = decision.verdict
    assert history is not None, "a verdict has samples"
    assert started is not None, "a verification is started before it is concluded"
    window = history.window(verdict.verdict, context.now(), verdict.message)
    fields: dict[str, Any] = {"verification": updated(window, start_time=started.start_time)}
    if verdict.verdict is ProbeVerdict.FAILED:
        degraded = verdict.neighbours_degraded
        fields["reason"] = Reason.NEIGHBOURS_DEGRADED if degraded else Reason.PROBES_FAILED
        fields["message"] = verdict.message
    return context.with_attempt(**fields)


async def one_more_round(
    context: StepContext,
    baseline: tuple[NeighbourHealth, ...],
    rollout: RolloutCheck = _NO_ROLLBACK,
) -> ProbeHistory:
    """Return the history with one more round; `rollout` is that of the target after a rollback."""
    spec, prober, namespace = context.remediation.spec, context.deps.prober, context.namespace
    started = context.now()
    with context.timer.waiting():
        samples, neighbours = await asyncio.gather(
            asyncio.gather(*(prober.sample(p, spec.target, namespace) for p in spec.probes)),
            _neighbours(context),
        )
    names = (probe.name for probe in spec.probes)
    probe_round = ProbeRound(
        context.now(),
        dict(zip(names, samples, strict=True)),
        neighbours,
        unsettled=rollout.unsettled,
        target_worse=rollout.worse,
    )
    history = context.observed.probe_history or ProbeHistory(started)
    return history.add(probe_round, baseline, target=f"{spec.target.kind}/{spec.target.name}")


async def _neighbours(context: StepContext) -> tuple[NeighbourHealth, ...]:
    """Return the health of every workload of the namespace, the target among them."""
    if context.observed.policy.verification.neighbours is NeighbourScope.NONE:
        return ()
    workloads = await context.deps.cluster.workloads(context.namespace, cached=True)
    return tuple(workload_health(workload) for workload in workloads)


def workload_health(workload: Json) -> NeighbourHealth:
    """Return how many replicas a workload should have, and how many are available."""
    kind, spec, status = workload["kind"], workload.get("spec", {}), workload.get("status", {})
    if kind == "DaemonSet":
        desired = status.get("desiredNumberScheduled", 0)
        available = status.get("numberAvailable", 0)
    else:
        desired = spec.get("replicas", 1)
        available = status.get("availableReplicas", 0)
    name = workload["metadata"]["name"]
    return NeighbourHealth(kind=kind, name=name, desired=desired or 0, available=available or 0)

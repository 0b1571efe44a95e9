"""Baseline and verification: rounds of every probe and of the neighbours, then a verdict."""

import asyncio

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
from reme_operator.steps.context import StepContext, StepResult


async def measure(context: StepContext, _: ProbeBaseline) -> StepResult:
    """Take one round of the baseline."""
    return StepResult(probe_history=await _one_more(context, baseline=()))


async def verify(context: StepContext, _: Verify) -> StepResult:
    """Take one round of the verification."""
    baseline = context.status.baseline
    return StepResult(
        probe_history=await _one_more(
            context, baseline=tuple(baseline.neighbours) if baseline else ()
        )
    )


async def conclude_baseline(context: StepContext, decision: ConcludeBaseline) -> StepResult:
    """Record what the baseline showed."""
    measured = context.observed.probe_history
    assert measured is not None, "a verdict has samples"
    verdict = decision.verdict
    window = measured.window(verdict.verdict, context.now(), verdict.message)
    return StepResult(context.status.model_copy(update={"baseline": window}))


async def begin_verification(context: StepContext, _: BeginVerification) -> StepResult:
    """Record when the verification began."""
    return StepResult(context.revised(verification=ProbeWindow(start_time=context.now())))


async def conclude_verification(context: StepContext, decision: ConcludeVerification) -> StepResult:
    """Record what the verification showed, and whether the attempt must be taken back."""
    measured, begun, verdict = (
        context.observed.probe_history,
        context.attempt.verification,
        decision.verdict,
    )
    assert measured is not None, "a verdict has samples"
    assert begun is not None, "a verification was begun before it is concluded"
    window = measured.window(verdict.verdict, context.now(), verdict.message)
    update: dict[str, object] = {
        "verification": window.model_copy(update={"start_time": begun.start_time})
    }
    if verdict.verdict is ProbeVerdict.FAILED:
        worse = verdict.neighbours_worse
        update["reason"] = Reason.NEIGHBOURS_DEGRADED if worse else Reason.PROBES_FAILED
        update["message"] = verdict.message
    return StepResult(context.revised(**update))


async def _one_more(context: StepContext, baseline: tuple[NeighbourHealth, ...]) -> ProbeHistory:
    spec, prober, namespace = context.remediation.spec, context.deps.prober, context.namespace
    started = context.now()
    with context.timer.waiting():
        samples, neighbours = await asyncio.gather(
            asyncio.gather(*(prober.sample(p, spec.target, namespace) for p in spec.probes)),
            _neighbours(context),
        )
    names = (probe.name for probe in spec.probes)
    fresh = ProbeRound(context.now(), dict(zip(names, samples, strict=True)), neighbours)
    observed = context.observed.probe_history or ProbeHistory(started)
    return observed.add(fresh, baseline, target=f"{spec.target.kind}/{spec.target.name}")


async def _neighbours(context: StepContext) -> tuple[NeighbourHealth, ...]:
    """Return the health of every workload of the namespace, the target among them."""
    if context.remediation.spec.policy.spec.verification.neighbours is NeighbourScope.NONE:
        return ()
    found = await context.deps.cluster.workloads(context.namespace, cached=True)
    return tuple(health(workload) for workload in found)


def health(workload: Json) -> NeighbourHealth:
    """Return how many replicas a workload wants, and how many it has."""
    kind, spec, status = workload["kind"], workload.get("spec", {}), workload.get("status", {})
    if kind == "DaemonSet":
        desired = status.get("desiredNumberScheduled", 0)
        available = status.get("numberAvailable", 0)
    else:
        desired = spec.get("replicas", 1)
        available = status.get("availableReplicas", 0)
    name = workload["metadata"]["name"]
    return NeighbourHealth(kind=kind, name=name, desired=desired or 0, available=available or 0)

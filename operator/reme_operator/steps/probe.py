"""Baseline and verification: rounds of every probe and of the neighbours, then a verdict."""

import asyncio

from reme_api.policy import NeighbourScope
from reme_api.probes import NeighbourHealth, ProbeVerdict, ProbeWindow
from reme_api.reasons import Reason
from reme_kube.protocols import Json
from reme_operator.decision.decisions import (
    BeginVerification,
    ConcludeBaseline,
    ConcludeVerification,
    ProbeBaseline,
    Verify,
)
from reme_operator.decision.probe_verdict import ProbeHistory, ProbeRound
from reme_operator.steps.context import StepContext, StepResult


async def measure(work: StepContext, _: ProbeBaseline) -> StepResult:
    """Take one round of the baseline."""
    return StepResult(measurement=await _one_more(work, baseline=()))


async def verify(work: StepContext, _: Verify) -> StepResult:
    """Take one round of the verification."""
    baseline = work.status.baseline
    return StepResult(
        measurement=await _one_more(work, baseline=tuple(baseline.neighbours) if baseline else ())
    )


async def conclude_baseline(work: StepContext, decision: ConcludeBaseline) -> StepResult:
    """Record what the baseline showed."""
    measured = work.seen.measurement
    assert measured is not None, "a verdict has samples"
    verdict = decision.verdict
    window = measured.window(verdict.verdict, work.now(), verdict.message)
    return StepResult(work.status.model_copy(update={"baseline": window}))


async def begin_verification(work: StepContext, _: BeginVerification) -> StepResult:
    """Record when the verification began."""
    return StepResult(work.revised(verification=ProbeWindow(start_time=work.now())))


async def conclude_verification(work: StepContext, decision: ConcludeVerification) -> StepResult:
    """Record what the verification showed, and whether the attempt must be taken back."""
    measured, begun, verdict = work.seen.measurement, work.attempt.verification, decision.verdict
    assert measured is not None, "a verdict has samples"
    assert begun is not None, "a verification was begun before it is concluded"
    window = measured.window(verdict.verdict, work.now(), verdict.message)
    update: dict[str, object] = {
        "verification": window.model_copy(update={"start_time": begun.start_time})
    }
    if verdict.verdict is ProbeVerdict.FAILED:
        worse = verdict.neighbours_worse
        update["reason"] = Reason.NEIGHBOURS_DEGRADED if worse else Reason.PROBES_FAILED
        update["message"] = verdict.message
    return StepResult(work.revised(**update))


async def _one_more(work: StepContext, baseline: tuple[NeighbourHealth, ...]) -> ProbeHistory:
    spec, prober, namespace = work.remediation.spec, work.tools.prober, work.namespace
    started = work.now()
    with work.sheet.waiting():
        samples, neighbours = await asyncio.gather(
            asyncio.gather(*(prober.sample(p, spec.target, namespace) for p in spec.probes)),
            _neighbours(work),
        )
    names = (probe.name for probe in spec.probes)
    fresh = ProbeRound(work.now(), dict(zip(names, samples, strict=True)), neighbours)
    seen = work.seen.measurement or ProbeHistory(started)
    return seen.add(fresh, baseline, target=f"{spec.target.kind}/{spec.target.name}")


async def _neighbours(work: StepContext) -> tuple[NeighbourHealth, ...]:
    """Return the health of every workload of the namespace, the target among them."""
    if work.remediation.spec.policy.spec.verification.neighbours is NeighbourScope.NONE:
        return ()
    found = await work.tools.cluster.workloads(work.namespace)
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

"""Baseline and verification: rounds of every probe and of the neighbours, then a verdict."""

import asyncio

from reme_api.policy import Neighbours
from reme_api.probes import NeighbourHealth, ProbeVerdict, Window
from reme_api.reasons import Reason
from reme_kube.protocols import Json
from reme_operator.decision.decisions import (
    BeginVerification,
    ConcludeBaseline,
    ConcludeVerification,
    Measure,
    Verify,
)
from reme_operator.decision.probe_verdict import Measurement, Round
from reme_operator.steps.context import Effect, Work


async def measure(work: Work, _: Measure) -> Effect:
    """Take one round of the baseline."""
    return Effect(measurement=await _one_more(work, baseline=()))


async def verify(work: Work, _: Verify) -> Effect:
    """Take one round of the verification."""
    baseline = work.status.baseline
    return Effect(
        measurement=await _one_more(work, baseline=tuple(baseline.neighbours) if baseline else ())
    )


async def conclude_baseline(work: Work, decision: ConcludeBaseline) -> Effect:
    """Record what the baseline showed."""
    measured = work.seen.measurement
    assert measured is not None, "a verdict has samples"
    verdict = decision.verdict
    window = measured.window(verdict.verdict, work.now(), verdict.message)
    return Effect(work.status.model_copy(update={"baseline": window}))


async def begin_verification(work: Work, _: BeginVerification) -> Effect:
    """Record when the verification began."""
    return Effect(work.revised(verification=Window(start_time=work.now())))


async def conclude_verification(work: Work, decision: ConcludeVerification) -> Effect:
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
        update["reason"] = Reason.NEIGHBOURS_WORSE if worse else Reason.PROBES_FAILED
        update["message"] = verdict.message
    return Effect(work.revised(**update))


async def _one_more(work: Work, baseline: tuple[NeighbourHealth, ...]) -> Measurement:
    spec, prober, namespace = work.remediation.spec, work.tools.prober, work.namespace
    started = work.now()
    with work.sheet.waiting():
        samples, neighbours = await asyncio.gather(
            asyncio.gather(*(prober.sample(p, spec.target, namespace) for p in spec.probes)),
            _neighbours(work),
        )
    names = (probe.name for probe in spec.probes)
    fresh = Round(work.now(), dict(zip(names, samples, strict=True)), neighbours)
    seen = work.seen.measurement or Measurement(started)
    return seen.add(fresh, baseline, target=f"{spec.target.kind}/{spec.target.name}")


async def _neighbours(work: Work) -> tuple[NeighbourHealth, ...]:
    """Return the health of every workload of the namespace, the target among them."""
    if work.remediation.spec.policy.spec.verification.neighbours is Neighbours.NONE:
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

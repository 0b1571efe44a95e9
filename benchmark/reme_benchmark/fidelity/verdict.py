"""Takes the verdict on a playbook as the operator would: the same probes, rounds and judgement."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reme_api.diagnosis_report import Target
from reme_api.probes import NeighbourHealth, Probe, ProbeVerdict
from reme_benchmark.fidelity.records import Real
from reme_kube.clock import SystemClock
from reme_kube.cluster import ApiCluster
from reme_operator.decision.probe_verdict import (
    ProbeHistory,
    ProbeRound,
    WindowVerdict,
    verification_verdict,
)
from reme_operator.probes.prober import ServiceProber
from reme_operator.steps.probe import workload_health
from reme_playbook.snapshot import unstructured


@dataclass(frozen=True)
class Watcher:
    """Measures one target in one namespace."""

    cluster: ApiCluster
    prober: ServiceProber
    namespace: str
    target: Target
    probes: tuple[Probe, ...]
    period_seconds: float = 1.0

    async def neighbours(self) -> tuple[NeighbourHealth, ...]:
        """Return how available every workload of the namespace is."""
        return tuple(map(workload_health, await self.cluster.workloads(self.namespace)))

    async def once(self) -> ProbeRound:
        """Take one round."""
        samples, neighbours = await asyncio.gather(
            asyncio.gather(
                *(self.prober.sample(p, self.target, self.namespace) for p in self.probes)
            ),
            self.neighbours(),
        )
        names = (probe.name for probe in self.probes)
        return ProbeRound(SystemClock().now(), dict(zip(names, samples, strict=True)), neighbours)

    async def verdict(
        self,
        before: Sequence[NeighbourHealth],
        *,
        window_seconds: float,
        deadline_seconds: float,
        quiet_seconds: float,
    ) -> Real:
        """Return what the operator's verification would find.

        It is cut short when something fails, and nothing about the target's pods has changed for
        `quiet_seconds`: what does not move by then is taken to have settled.
        """
        clock = SystemClock()
        name = f"{self.target.kind}/{self.target.name}"
        begun = clock.now()
        deadline = begun + timedelta(seconds=deadline_seconds)
        seen, shape, since = ProbeHistory(begun), "", begun
        while True:
            fresh, now_shape = await asyncio.gather(self.once(), self._shape())
            seen = seen.add(fresh, before, target=name)
            now = clock.now()
            if now_shape != shape:
                shape, since = now_shape, now
            window = timedelta(seconds=window_seconds)
            found = verification_verdict(seen, now, window=window, deadline=deadline)
            if found is None and seen.holding_since is None:
                found = _settled(seen, now - since, _quiet(quiet_seconds, shape))
            if found is not None:
                return _real(seen, found, fresh, begun, now, name)
            await asyncio.sleep(self.period_seconds)

    async def _shape(self) -> str:
        """Return what must not move any more for a state to be a settled one."""
        workload = await self.cluster.workload(
            self.target.kind.value, self.namespace, self.target.name
        )
        pods = await self.cluster.pods(workload)
        status = unstructured.mapping(workload, "status")
        counts = [status.get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")]
        return f"{counts} {sorted(map(_state, pods))}"


def _state(pod: dict[str, Any]) -> str:
    """Return how a pod is doing; one that crashes again and again always looks alike."""
    words = [unstructured.text(pod, "metadata", "name"), unstructured.text(pod, "status", "phase")]
    if unstructured.text(pod, "metadata", "deletionTimestamp"):
        words.append("leaving")
    for status in unstructured.items(pod, "status", "containerStatuses"):
        if status.get("ready"):
            words.append("ready")
        elif unstructured.number(status, "restartCount"):
            words.append("crashing")
        elif reason := unstructured.text(status, "state", "waiting", "reason"):
            words.append("unpulled" if reason in ("ErrImagePull", "ImagePullBackOff") else reason)
        else:
            words.append(
                "starting" if unstructured.mapping(status, "state", "running") else "ended"
            )
    return " ".join(words)


def _quiet(seconds: float, shape: str) -> float:
    """Return how long nothing must move; what starts may only be slow."""
    moving = any(word in shape for word in ("starting", "ContainerCreating", "leaving"))
    return 3 * seconds if moving else seconds


def _settled(seen: ProbeHistory, still: timedelta, quiet: float) -> WindowVerdict | None:
    if still.total_seconds() < quiet:
        return None
    failing = [p.name for p in seen.probes if p.failed] or list(seen.degraded)
    if not failing:
        return None
    verdict = ProbeVerdict.FAILED
    return WindowVerdict(
        verdict, f"settled, and fails: {', '.join(failing)}", bool(seen.degraded_since)
    )


def _real(
    seen: ProbeHistory,
    found: WindowVerdict,
    last: ProbeRound,
    begun: datetime,
    now: datetime,
    name: str,
) -> Real:
    failing = [probe for probe, sample in last.samples.items() if sample.passed is not True]
    return Real(
        verified=found.verdict is ProbeVerdict.PASSED,
        harmed=tuple(worse for worse in seen.degraded if worse != name),
        message=f"{found.verdict}: {found.message}"[:300],
        failing=tuple(failing),
        seconds=round((now - begun).total_seconds(), 1),
    )

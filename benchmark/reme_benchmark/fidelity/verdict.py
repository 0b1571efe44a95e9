"""Verifies a playbook as the operator does, with the same probes, rounds and verdict."""

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
class Verifier:
    """Verifies one target in one namespace."""

    cluster: ApiCluster
    prober: ServiceProber
    namespace: str
    target: Target
    probes: tuple[Probe, ...]
    period_seconds: float = 1.0

    async def neighbours(self) -> tuple[NeighbourHealth, ...]:
        """Return the availability of every workload of the namespace."""
        return tuple(map(workload_health, await self.cluster.workloads(self.namespace)))

    async def measure_round(self) -> ProbeRound:
        """Measure all probes and neighbours once."""
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
        """Return the outcome of the operator's verification.

        It ends early when something fails and the target's pods have not changed for
        `quiet_seconds`, because they count as settled then.
        """
        clock = SystemClock()
        name = f"{self.target.kind}/{self.target.name}"
        start = clock.now()
        deadline = start + timedelta(seconds=deadline_seconds)
        history, state, since = ProbeHistory(start), "", start
        while True:
            latest, current_state = await asyncio.gather(self.measure_round(), self._read_state())
            history = history.add(latest, before, target=name)
            now = clock.now()
            if current_state != state:
                state, since = current_state, now
            window = timedelta(seconds=window_seconds)
            result = verification_verdict(history, now, window=window, deadline=deadline)
            if result is None and history.holding_since is None:
                result = _settled(history, now - since, _quiet_seconds(quiet_seconds, state))
            if result is not None:
                return _to_real(history, result, latest, start, now, name)
            await asyncio.sleep(self.period_seconds)

    async def _read_state(self) -> str:
        """Return the state of the workload and its pods as text."""
        workload = await self.cluster.workload(
            self.target.kind.value, self.namespace, self.target.name
        )
        pods = await self.cluster.pods(workload)
        status = unstructured.mapping(workload, "status")
        counts = [status.get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")]
        return f"{counts} {sorted(map(_pod_state, pods))}"


def _pod_state(pod: dict[str, Any]) -> str:
    """Return the state of a pod as text; a crash loop always has the same state."""
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


def _quiet_seconds(seconds: float, state: str) -> float:
    """Return how long the state must not change; three times as long while pods start or end."""
    moving = any(word in state for word in ("starting", "ContainerCreating", "leaving"))
    return 3 * seconds if moving else seconds


def _settled(history: ProbeHistory, still: timedelta, quiet: float) -> WindowVerdict | None:
    if still.total_seconds() < quiet:
        return None
    failing = [p.name for p in history.probes if p.failed] or list(history.degraded)
    if not failing:
        return None
    verdict = ProbeVerdict.FAILED
    return WindowVerdict(
        verdict, f"settled with failures: {', '.join(failing)}", bool(history.degraded_since)
    )


def _to_real(
    history: ProbeHistory,
    result: WindowVerdict,
    last: ProbeRound,
    start: datetime,
    now: datetime,
    name: str,
) -> Real:
    failing = [probe for probe, sample in last.samples.items() if sample.passed is not True]
    return Real(
        verified=result.verdict is ProbeVerdict.PASSED,
        harmed=tuple(worse for worse in history.degraded if worse != name),
        message=f"{result.verdict}: {result.message}"[:300],
        failing=tuple(failing),
        seconds=round((now - start).total_seconds(), 1),
    )

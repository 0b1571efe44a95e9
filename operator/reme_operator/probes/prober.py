"""Takes samples of every kind of probe: the real `Prober`.

A sample is False when the service was reached and did not do what it should, and None when nothing
can be said about the service: no metrics, no such Service, no response from the API server. None is
never taken for success.
"""

import asyncio
from typing import Self

from reme_api.diagnosis_report import Target
from reme_api.probes import Probe, ResourceUsageProbe, RolloutProbe
from reme_kube.clock import Clock
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.protocols import Cluster
from reme_operator.probes.network import NetworkProber
from reme_operator.probes.resource_usage import usage_sample
from reme_operator.probes.rollout import rollout_sample
from reme_operator.probes.sample import Sample, UnknownError


class ServiceProber:
    """Takes samples over the network and from the API server; close it, or use it as a context."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._network = NetworkProber(cluster, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._network.aclose()

    async def sample(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Take one sample within `probe.timeout_seconds`; never raises, but for cancellation."""
        try:
            if request := probe.request:
                return await self._network.sample(probe, request, namespace)
            async with asyncio.timeout(probe.timeout_seconds):
                return await self._from_api_server(probe, target, namespace)
        except TimeoutError:
            return Sample(None, "", f"could not be read within {probe.timeout_seconds} s")
        except UnknownError as error:
            return Sample(None, "", str(error))
        except ClusterError as error:
            return Sample(None, "", f"could not be read: {error}"[:1024])
        except Exception as error:  # noqa: BLE001 (a foreign answer must not end a verification)
            return Sample(None, "", f"could not be measured: {type(error).__name__}")

    async def _from_api_server(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Return the state in the API server; no response says nothing about the service."""
        if probe.rollout:
            return await self._rollout(probe.rollout, target, namespace)
        if probe.resource_usage:
            return await self._usage(probe.resource_usage, target, namespace)
        raise UnknownError("the probe says nothing that could be measured")

    async def _rollout(self, probe: RolloutProbe, target: Target, namespace: str) -> Sample:
        kind, name = probe.kind or target.kind.value, probe.name or target.name
        try:
            # Never from a cached list: an old state would prove a repair that has not happened.
            workload = await self._cluster.workload(kind, namespace, name)
        except NotFoundError as error:
            raise UnknownError(f"{kind} {name} does not exist") from error
        return rollout_sample(workload, probe.min_replicas)

    async def _usage(self, probe: ResourceUsageProbe, target: Target, namespace: str) -> Sample:
        workload = await self._cluster.workload(target.kind.value, namespace, target.name)
        labels = workload["spec"]["selector"].get("matchLabels") or {}
        if not labels:
            raise UnknownError("the target selects its pods by expressions, not by labels")
        try:
            pods, metrics = await asyncio.gather(
                self._cluster.pods(workload, cached=True),
                self._cluster.pod_metrics(namespace, labels, cached=True),
            )
        except NotFoundError as error:
            raise UnknownError("no metrics server is installed") from error
        return usage_sample(probe, pods, metrics, self._clock.now())

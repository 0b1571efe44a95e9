"""Measures whether a service works: the real `Prober`.

A sample is False when the service was asked and did not do what it should, and None when nothing
can be said about the service: no metrics, no such Service, no answer from the API server. None is
never taken for success.
"""

import asyncio
import socket
from typing import Self

import aiohttp
from yarl import URL

from reme_api.diagnosis_report import Target
from reme_api.probes import HttpProbe, Probe, ResourceUsageProbe, RolloutProbe, TcpProbe
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.protocols import Clock, Cluster, Sample
from reme_kube.resources import SERVICES
from reme_operator.probes.resource_usage import usage_sample
from reme_operator.probes.rollout import rollout_sample

_LARGEST_BODY = 64 * 1024
"""Bytes of a body that are read: enough for any health page, never a download."""

_LOOK_UP_SECONDS = 5.0
"""For asking where a Service is, beside the time of the probe itself."""


class ServiceProber:
    """Measures over the network and through the API server; to be closed, or used as a context."""

    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def sample(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Measure once within `probe.timeout_seconds`; never raises, but for cancellation."""
        try:
            if answers := probe.http or probe.tcp:
                # Not within the time of the probe: the API server may be slow by itself.
                host = await self._address(answers.service, namespace)
                return await self._answer(probe, host, namespace)
            async with asyncio.timeout(probe.timeout_seconds):
                return await self._state(probe, target, namespace)
        except TimeoutError:
            return Sample(None, "", f"could not be read within {probe.timeout_seconds} s")
        except _UnknownError as error:
            return Sample(None, "", str(error))
        except ClusterError as error:
            return Sample(None, "", f"could not be read: {error}"[:1024])
        except Exception as error:  # noqa: BLE001 (a foreign answer must not end a verification)
            return Sample(None, "", f"could not be measured: {type(error).__name__}")

    async def _address(self, name: str, namespace: str) -> str:
        """Return where a Service of the namespace is, without DNS if it has an address.

        So a cluster whose DNS is down does not look like a cluster of broken services. And an
        ExternalName is refused: it is the name of a foreign host, and probing it would let whoever
        may write a report ask hosts from inside the operator's network.
        """
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                spec = (await self._cluster.get(SERVICES, namespace, name)).get("spec") or {}
                if spec.get("type") == "ExternalName":
                    raise _UnknownError(f"Service {name} is an ExternalName, which is not probed")
                if spec.get("clusterIP") not in (None, "", "None"):
                    return str(spec["clusterIP"])
                host = f"{name}.{namespace}.svc"
                found = await asyncio.get_running_loop().getaddrinfo(host, None)
                return str(found[0][4][0])
        except NotFoundError as error:
            raise _UnknownError(f"Service {name} does not exist") from error
        except socket.gaierror as error:
            raise _UnknownError(f"headless Service {name} has no address in DNS") from error
        except TimeoutError as error:
            raise _UnknownError(f"Service {name} could not be looked up in time") from error

    async def _answer(self, probe: Probe, host: str, namespace: str) -> Sample:
        """Return what the service does; from here on, silence is its failure."""
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                if probe.http:
                    return await self._http(probe.http, host, namespace)
                assert probe.tcp is not None, "only http and tcp probes ask the service"
                return await self._tcp(probe.tcp, host)
        except TimeoutError:
            return Sample(False, "", f"no answer within {probe.timeout_seconds} s")
        except (aiohttp.ClientError, OSError) as error:
            return Sample(False, "", _plain(error))

    async def _http(self, probe: HttpProbe, host: str, namespace: str) -> Sample:
        address = f"[{host}]" if ":" in host else host
        begun = self._clock.monotonic()
        async with self._open().get(
            URL(f"http://{address}:{probe.port}{probe.path}", encoded=True),
            headers={"Host": f"{probe.service}.{namespace}.svc:{probe.port}"},
            allow_redirects=False,
        ) as response:
            await _drain(response)
            status = response.status
        spent = round((self._clock.monotonic() - begun) * 1000)
        value = f"{status} in {spent} ms"
        if status > probe.max_status:
            return Sample(False, value, f"{probe.service} answered {status}")
        if probe.max_milliseconds is not None and spent > probe.max_milliseconds:
            return Sample(False, value, f"{probe.service} took {spent} ms")
        return Sample(True, value, "")

    async def _tcp(self, probe: TcpProbe, host: str) -> Sample:
        begun = self._clock.monotonic()
        _, writer = await asyncio.open_connection(host, probe.port)
        spent = round((self._clock.monotonic() - begun) * 1000)
        writer.close()
        return Sample(True, f"connected in {spent} ms", "")

    async def _state(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Return what the API server says; its silence says nothing about the service."""
        if probe.rollout:
            return await self._rollout(probe.rollout, target, namespace)
        if probe.resource_usage:
            return await self._usage(probe.resource_usage, target, namespace)
        raise _UnknownError("the probe says nothing that could be measured")

    async def _rollout(self, probe: RolloutProbe, target: Target, namespace: str) -> Sample:
        kind, name = probe.kind or target.kind.value, probe.name or target.name
        try:
            workload = await self._cluster.workload(kind, namespace, name)
        except NotFoundError as error:
            raise _UnknownError(f"{kind} {name} does not exist") from error
        return rollout_sample(workload, probe.min_replicas)

    async def _usage(self, probe: ResourceUsageProbe, target: Target, namespace: str) -> Sample:
        workload = await self._cluster.workload(target.kind.value, namespace, target.name)
        labels = workload["spec"]["selector"].get("matchLabels") or {}
        if not labels:
            raise _UnknownError("the target selects its pods by expressions, not by labels")
        try:
            pods, metrics = await asyncio.gather(
                self._cluster.pods(workload), self._cluster.pod_metrics(namespace, labels)
            )
        except NotFoundError as error:
            raise _UnknownError("no metrics server is installed") from error
        return usage_sample(probe, pods, metrics, self._clock.now())

    def _open(self) -> aiohttp.ClientSession:
        """Return the session: no connection is kept, since it would stick to one pod."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False, limit=64),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # `sample` bounds the whole of it
                headers={"User-Agent": "reme-prober"},
                auto_decompress=False,  # a small body must not become a big one
            )
        return self._session


class _UnknownError(Exception):
    """Nothing can be said about the service."""


async def _drain(response: aiohttp.ClientResponse) -> None:
    left = _LARGEST_BODY
    while left > 0 and (chunk := await response.content.read(left)):
        left -= len(chunk)


def _plain(error: Exception) -> str:
    """Return the cause in the words of the system, without addresses that change every time."""
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)[:256]
    return type(error).__name__

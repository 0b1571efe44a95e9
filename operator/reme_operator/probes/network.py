"""HTTP, TCP and gRPC probes of a Service, over the network."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import aiohttp
from yarl import URL

from reme_api.probes import GrpcProbe, HttpProbe, Probe, ServiceProbe
from reme_kube.clock import Clock
from reme_kube.errors import NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import SERVICES
from reme_operator.probes.grpc_health import (
    NO_VERDICT,
    SERVING,
    NotGrpcError,
    check_health,
)
from reme_operator.probes.sample import Sample, UnknownError
from reme_playbook.snapshot import unstructured

_MAX_BODY_BYTES = 64 * 1024
"""Bytes of a body that are read: enough for any health page, never a download."""

_LOOKUP_SECONDS = 5.0
"""For the address of a Service, in addition to the timeout of the probe."""


class Address(NamedTuple):
    """Where a Service listens, and the name that it is asked by."""

    host: str
    port: int
    authority: str


class NetworkProber:
    """Sends requests to Services; close it, or use it as a context manager."""

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

    async def sample(self, probe: Probe, settings: ServiceProbe, namespace: str) -> Sample:
        """Return whether the Service responds as the probe requires; no response is a failure.

        Raises:
            UnknownError: the Service has no address, so nothing can be said about it.
            ClusterError: the API server did not return the Service.

        """
        # Not within the timeout of the probe: the API server may be slow by itself.
        address = await self._address(settings, namespace)
        try:
            async with asyncio.timeout(probe.timeout_seconds):
                if isinstance(settings, HttpProbe):
                    return await self._http(settings, address)
                if isinstance(settings, GrpcProbe):
                    return await self._grpc(settings, address)
                return await self._tcp(address)
        except TimeoutError:
            return Sample(False, "", f"no answer within {probe.timeout_seconds} s")
        except NotGrpcError as error:
            return Sample(False, "", f"{settings.service} {error}")
        except (aiohttp.ClientError, OSError) as error:
            return Sample(False, "", _cause(error))

    async def _address(self, probe: ServiceProbe, namespace: str) -> Address:
        """Return the address of a Service, without DNS when it has a cluster IP.

        So a DNS failure does not look like a failure of every service. An ExternalName is refused:
        it names a foreign host, and probing it would let whoever may write a report send requests
        to hosts from inside the operator's network.
        """
        service = probe.service
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS):
                manifest = await self._cluster.get(SERVICES, namespace, service)
                spec = manifest.get("spec") or {}
                if spec.get("type") == "ExternalName":
                    raise UnknownError(f"Service {service} is an ExternalName, which is not probed")
                headless = spec.get("clusterIP") in (None, "", "None")
                port = service_port(spec, probe, headless=headless)
                authority = f"{service}.{namespace}.svc:{port}"
                if not headless:
                    return Address(str(spec["clusterIP"]), port, authority)
                host = f"{service}.{namespace}.svc"
                addresses = await asyncio.get_running_loop().getaddrinfo(host, None)
                return Address(str(addresses[0][4][0]), port, authority)
        except NotFoundError as error:
            raise UnknownError(f"Service {service} does not exist") from error
        except socket.gaierror as error:
            raise UnknownError(f"headless Service {service} has no address in DNS") from error
        except TimeoutError as error:
            raise UnknownError(f"Service {service} could not be looked up in time") from error

    async def _http(self, probe: HttpProbe, address: Address) -> Sample:
        host = f"[{address.host}]" if ":" in address.host else address.host
        headers = {header.name: header.value for header in probe.headers}
        if probe.body:
            headers["Content-Type"] = probe.content_type or "application/json"
        started_at = self._clock.monotonic()
        async with self._open().request(
            probe.method.value,
            URL(f"http://{host}:{address.port}{probe.path}", encoded=True),
            headers=headers | {"Host": address.authority},
            data=probe.body.encode() or None,
            allow_redirects=False,
        ) as response:
            await _read_body(response)
            status = response.status
        milliseconds = round((self._clock.monotonic() - started_at) * 1000)
        value = f"{status} in {milliseconds} ms"
        if status > probe.max_status:
            return Sample(False, value, f"{probe.service} answered {status}")
        if probe.max_milliseconds is not None and milliseconds > probe.max_milliseconds:
            return Sample(False, value, f"{probe.service} took {milliseconds} ms")
        return Sample(True, value, "")

    async def _tcp(self, address: Address) -> Sample:
        started_at = self._clock.monotonic()
        _, writer = await asyncio.open_connection(address.host, address.port)
        milliseconds = round((self._clock.monotonic() - started_at) * 1000)
        writer.close()
        return Sample(True, f"connected in {milliseconds} ms", "")

    async def _grpc(self, probe: GrpcProbe, address: Address) -> Sample:
        started_at = self._clock.monotonic()
        reply = await check_health(
            address.host, address.port, address.authority, probe.health_service
        )
        milliseconds = round((self._clock.monotonic() - started_at) * 1000)
        if reply.code in NO_VERDICT:
            raise UnknownError(f"{probe.service} does not tell its health: {reply.text}")
        value = f"{reply.text} in {milliseconds} ms"
        if reply.health == SERVING:
            return Sample(True, value, "")
        return Sample(False, value, f"{probe.service} answered {reply.text}")

    def _open(self) -> aiohttp.ClientSession:
        """Return the session; it keeps no connection, since that would stick to one pod."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False, limit=64),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # `sample` has a timeout of its own
                headers={"User-Agent": "reme-prober"},
                auto_decompress=False,  # a small body must not become a big one
            )
        return self._session


def service_port(spec: Mapping[str, Any], probe: ServiceProbe, *, headless: bool) -> int:
    """Return the number of the port that a probe connects to.

    A headless Service forwards nothing: its pods listen on the target port. A number that the
    Service does not have is used as it is.

    Raises:
        UnknownError: the Service has no port of that name.

    """
    ports = unstructured.items(spec, "ports")
    key = "name" if isinstance(probe.port, str) else "port"
    port = next((port for port in ports if port.get(key) == probe.port), None)
    if port is None:
        if isinstance(probe.port, int):
            return probe.port
        raise UnknownError(f"Service {probe.service} has no port named {probe.port}")
    target_port = port.get("targetPort")
    return target_port if headless and isinstance(target_port, int) else int(port["port"])


async def _read_body(response: aiohttp.ClientResponse) -> None:
    remaining = _MAX_BODY_BYTES
    while remaining > 0 and (chunk := await response.content.read(remaining)):
        remaining -= len(chunk)


def _cause(error: Exception) -> str:
    """Return the cause as the system names it, without addresses that change every time."""
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)[:256]
    return type(error).__name__

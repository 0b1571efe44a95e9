"""Probes against real sockets on this machine; the Services are said to be at 127.0.0.1."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from reme_api.diagnosis_report import Target, TargetKind
from reme_api.probes import Probe
from reme_kube.clock import SystemClock
from reme_kube.errors import NotFoundError, UnavailableError
from reme_operator.probes.prober import ServiceProber
from reme_operator.probes.sample import Prober
from tests.support.stub_api import serve

CART = Target(kind=TargetKind.DEPLOYMENT, name="cart")


class Reads:
    """What the prober reads of a cluster."""

    def __init__(self) -> None:
        self.service: dict[str, Any] | Exception = {"spec": {"clusterIP": "127.0.0.1"}}
        self.workload_read: dict[str, Any] | Exception = NotFoundError("no workload")
        self.metrics: list[Any] | Exception = NotFoundError("no metrics")
        self.pod_list: list[Any] = []
        self.seconds = 0.0

    async def get(self, *_: Any) -> Any:
        return self._give(self.service)

    async def workload(self, *_: Any) -> Any:
        await asyncio.sleep(self.seconds)
        return self._give(self.workload_read)

    async def pods(self, *_: Any, cached: bool = False) -> Any:
        return self.pod_list

    async def pod_metrics(self, *_: Any, cached: bool = False) -> Any:
        return self._give(self.metrics)

    def _give(self, what: Any) -> Any:
        if isinstance(what, Exception):
            raise what
        return what


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
async def prober(reads: Reads) -> AsyncIterator[Prober]:
    async with ServiceProber(reads, SystemClock()) as service_prober:  # type: ignore[arg-type]
        yield service_prober


def http(port: int, **more: Any) -> Probe:
    timeout = more.pop("timeoutSeconds", 1)
    spec = {"service": "cart", "port": port, **more}
    return Probe.model_validate({"name": "p", "http": spec, "timeoutSeconds": timeout})


def answer(**response: Any) -> Any:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(**response)

    return handler


async def test_an_answer_passes_and_says_how_long_it_took(prober: Prober) -> None:
    base_requests: list[web.BaseRequest] = []

    async def handler(request: web.Request) -> web.Response:
        base_requests.append(request)
        return web.Response(text="ok")

    async with serve(handler) as port:
        sample = await prober.sample(http(port, path="/health?deep=%2F1"), CART, "shop")
    assert sample.passed is True
    assert sample.value.startswith("200 in ")
    assert base_requests[0].headers["Host"] == f"cart.shop.svc:{port}"
    assert (
        base_requests[0].raw_path
        if isinstance(base_requests[0], web.Request)
        else base_requests[0].path
    )
    assert base_requests[0].path_qs == "/health?deep=%2F1"


async def test_a_post_sends_its_headers_and_its_body(prober: Prober) -> None:
    received: list[tuple[str, str, Any, str]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        assert isinstance(request, web.Request)
        received.append((request.method, request.path, request.headers, await request.text()))
        return web.Response(status=201)

    async with serve(handler) as port:
        for content_type in ({}, {"contentType": "application/x-www-form-urlencoded"}):
            probe = http(
                port,
                path="/cart/checkout",
                method="POST",
                headers=[{"name": "X-Test", "value": "yes"}],
                body="email=a%40b",
                **content_type,
            )
            assert (await prober.sample(probe, CART, "shop")).passed is True
        head = await prober.sample(http(port, method="HEAD"), CART, "shop")
    assert head.passed is True
    [first, second, third] = received
    assert (first[:2], first[3]) == (("POST", "/cart/checkout"), "email=a%40b")
    assert first[2]["X-Test"] == "yes"
    assert first[2]["Host"] == f"cart.shop.svc:{port}"
    assert first[2]["Content-Type"] == "application/json"
    assert second[2]["Content-Type"] == "application/x-www-form-urlencoded"
    assert (third[0], third[3]) == ("HEAD", "")


async def test_a_post_that_fails_while_every_get_answers_is_seen(prober: Prober) -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        return web.Response(status=500 if request.method == "POST" else 200)

    async with serve(handler) as port:
        get = await prober.sample(http(port), CART, "shop")
        post = await prober.sample(http(port, method="POST", body="{}"), CART, "shop")
    assert (get.passed, post.passed) == (True, False)
    assert post.message == "cart answered 500"


async def test_a_port_is_found_by_its_name(prober: Prober, reads: Reads) -> None:
    async with serve(answer()) as port:
        ports = [{"name": "admin", "port": 1}, {"name": "http", "port": port}]
        reads.service = {"spec": {"clusterIP": "127.0.0.1", "ports": ports}}
        named = Probe.model_validate(
            {"name": "p", "http": {"service": "cart", "port": "http"}, "timeoutSeconds": 1}
        )
        assert (await prober.sample(named, CART, "shop")).passed is True
    missing = Probe.model_validate({"name": "p", "tcp": {"service": "cart", "port": "web"}})
    sample = await prober.sample(missing, CART, "shop")
    assert sample == (None, "", "Service cart has no port named web")


async def test_a_headless_service_is_asked_at_the_port_of_its_pods(
    prober: Prober, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def here(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, 0, 0, "", ("127.0.0.1", 0))]

    async with serve(answer()) as port:
        ports = [{"port": 80, "targetPort": port}]
        reads.service = {"spec": {"clusterIP": "None", "ports": ports}}
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", here)
        assert (await prober.sample(http(80), CART, "shop")).passed is True
        # Clients of a headless Service often write the port of the pods themselves.
        assert (await prober.sample(http(port), CART, "shop")).passed is True


@pytest.mark.parametrize(
    ("status", "limit", "passed"),
    [(200, 399, True), (302, 399, True), (404, 399, False), (500, 399, False), (404, 499, True)],
)
async def test_the_status_decides(prober: Prober, status: int, limit: int, passed: bool) -> None:
    async with serve(answer(status=status)) as port:
        sample = await prober.sample(http(port, maxStatus=limit), CART, "shop")
    assert sample.passed is passed
    assert passed or str(status) in sample.message


async def test_a_redirect_is_not_followed(prober: Prober) -> None:
    lines: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        lines.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with serve(handler) as port:
        sample = await prober.sample(http(port), CART, "shop")
    assert sample.value.startswith("302")
    assert lines == ["/"]


async def test_a_slow_answer_fails(prober: Prober) -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.Response()

    async with serve(handler) as port:
        slow = await prober.sample(http(port, maxMilliseconds=10), CART, "shop")
        patient = await prober.sample(http(port, maxMilliseconds=900), CART, "shop")
    assert (slow.passed, patient.passed) == (False, True)


async def test_no_answer_in_time_fails(prober: Prober) -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with serve(handler) as port:
        sample = await prober.sample(http(port), CART, "shop")
    assert sample == (False, "", "no answer within 1 s")


async def test_a_closed_port_fails(prober: Prober, unused_tcp_port: int) -> None:
    sample = await prober.sample(http(unused_tcp_port), CART, "shop")
    assert sample.passed is False
    assert sample.message


async def test_a_body_without_end_is_not_read_to_its_end(prober: Prober) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
                sent += 65536
        except ConnectionError:
            return response

    async with serve(handler) as port:
        sample = await prober.sample(http(port), CART, "shop")
    assert sample.passed is True
    assert sent < 50 * 1024 * 1024


async def test_a_bomb_is_not_unpacked(prober: Prober) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = {"Content-Encoding": "gzip"}
    async with serve(answer(body=bomb, headers=headers)) as port:
        assert (await prober.sample(http(port), CART, "shop")).passed is True


async def test_nonsense_instead_of_http_fails(prober: Prober) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await prober.sample(http(port), CART, "shop")).passed is False


async def test_every_sample_is_a_connection_of_its_own(prober: Prober) -> None:
    peers: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response()

    async with serve(handler) as port:
        for _ in range(3):
            await prober.sample(http(port), CART, "shop")
    assert len(set(peers)) == 3


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (NotFoundError("x"), "does not exist"),
        (UnavailableError("x"), "could not be read"),
        ({"spec": {"type": "ExternalName", "externalName": "metadata"}}, "ExternalName"),
    ],
    ids=["missing", "unreadable", "external"],
)
async def test_what_is_no_service_is_unknown_and_is_not_asked(
    prober: Prober, reads: Reads, service: Any, why: str
) -> None:
    reads.service = service
    lines: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        lines.append(request.path)
        return web.Response()

    async with serve(handler) as port:
        sample = await prober.sample(http(port), CART, "shop")
    assert sample.passed is None
    assert why in sample.message
    assert lines == []


async def test_a_headless_service_without_an_address_is_unknown(
    prober: Prober, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nowhere(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nowhere)
    reads.service = {"spec": {"clusterIP": "None"}}
    sample = await prober.sample(http(80), CART, "shop")
    assert sample.passed is None
    assert "DNS" in sample.message


def tcp(port: int) -> Probe:
    return Probe.model_validate({"name": "p", "tcp": {"service": "cart", "port": port}})


async def test_a_port_that_accepts_passes(prober: Prober, unused_tcp_port: int) -> None:
    async with serve(answer()) as port:
        sample = await prober.sample(tcp(port), CART, "shop")
    assert sample.passed is True
    assert sample.value.startswith("connected in ")
    closed = await prober.sample(tcp(unused_tcp_port), CART, "shop")
    assert (closed.passed, bool(closed.message)) == (False, True)


ROLLOUT = Probe.model_validate({"name": "p", "rollout": {}, "timeoutSeconds": 1})
USAGE = Probe.model_validate({"name": "p", "resourceUsage": {"resource": "cpu", "maxPercent": 80}})


async def test_a_rollout_is_read_and_its_absence_is_unknown(prober: Prober, reads: Reads) -> None:
    assert (await prober.sample(ROLLOUT, CART, "shop")).passed is None
    reads.workload_read = {
        "kind": "Deployment",
        "metadata": {"name": "cart"},
        "spec": {"replicas": 1},
        "status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    }
    assert (await prober.sample(ROLLOUT, CART, "shop")).passed is True


async def test_an_api_server_that_is_slow_says_nothing_about_the_service(
    prober: Prober, reads: Reads
) -> None:
    reads.seconds = 30
    sample = await prober.sample(ROLLOUT, CART, "shop")
    assert sample == (None, "", "could not be read within 1 s")


async def test_usage_without_a_metrics_server_is_unknown(prober: Prober, reads: Reads) -> None:
    reads.workload_read = {"spec": {"selector": {"matchLabels": {"app": "cart"}}}}
    sample = await prober.sample(USAGE, CART, "shop")
    assert (sample.passed, sample.message) == (None, "no metrics server is installed")
    reads.metrics = []
    assert "no pod" in (await prober.sample(USAGE, CART, "shop")).message


async def test_a_surprise_is_unknown_and_does_not_end_the_verification(
    prober: Prober, reads: Reads
) -> None:
    reads.workload_read = {"kind": "Deployment"}
    sample = await prober.sample(ROLLOUT, CART, "shop")
    assert sample == (None, "", "could not be measured: KeyError")

"""gRPC health probes against a real server on this machine, and against servers that are none."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from grpclib.const import Status
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError
from grpclib.health.check import ServiceStatus
from grpclib.health.service import OVERALL, Health
from grpclib.server import Server
from hypothesis import given
from hypothesis import strategies as st

from reme_api.diagnosis_report import Target, TargetKind
from reme_api.probes import Probe
from reme_kube.clock import SystemClock
from reme_operator.probes.grpc_health import NotGrpcError, _first_integer, _frame
from reme_operator.probes.prober import ServiceProber
from reme_operator.probes.sample import Sample
from tests.support import grpc_server as grpc_server_of_pods
from tests.support.stub_api import serve

CART = Target(kind=TargetKind.DEPLOYMENT, name="cart")


class LocalService:
    async def get(self, *_: Any) -> Any:
        return {"spec": {"clusterIP": "127.0.0.1"}}


async def sampled(port: int, health_service: str = "") -> Sample:
    spec = {"service": "cart", "port": port, "healthService": health_service}
    probe = Probe.model_validate({"name": "p", "grpc": spec, "timeoutSeconds": 1})
    async with ServiceProber(LocalService(), SystemClock()) as prober:  # type: ignore[arg-type]
        return await prober.sample(probe, CART, "shop")


@asynccontextmanager
async def grpc_server(
    handlers: list[Any],
    on_request: Callable[[RecvRequest], Coroutine[Any, Any, None]] | None = None,
) -> AsyncIterator[int]:
    server = Server(handlers)
    if on_request is not None:
        listen(server, RecvRequest, on_request)
    await server.start("127.0.0.1", 0)
    try:
        assert isinstance(server._server, asyncio.Server)
        yield int(server._server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


class NamedService:
    """A service of a gRPC server, for its name alone."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __mapping__(self) -> dict[str, Any]:
        return {f"/{self._name}/Method": None}


def health_of(**states: bool) -> Health:
    checks: dict[Any, list[ServiceStatus]] = {}
    for name, serving in states.items():
        status = ServiceStatus()
        status.set(serving)
        checks[OVERALL if name == "overall" else NamedService(name)] = [status]
    return Health(checks)


@pytest.mark.parametrize(
    ("name", "passed", "text"),
    [("", True, "SERVING"), ("stock", False, "NOT_SERVING"), ("n" * 200, True, "SERVING")],
    ids=["overall", "stock", "long"],
)
async def test_the_health_decides(name: str, passed: bool, text: str) -> None:
    health = health_of(overall=True, stock=False, **{"n" * 200: True})
    async with grpc_server([health]) as port:
        sample = await sampled(port, name)
    assert sample.passed is passed
    assert sample.value.startswith(f"{text} in ")
    assert sample.message == ("" if passed else f"cart answered {text}")


async def test_the_service_is_asked_by_its_name_as_every_client_does() -> None:
    requests: list[RecvRequest] = []

    async def note(event: RecvRequest) -> None:
        requests.append(event)

    async with grpc_server([health_of(overall=True)], note) as port:
        assert (await sampled(port)).passed is True
    assert requests[0].method_name == "/grpc.health.v1.Health/Check"
    assert requests[0].content_type == "application/grpc"


async def test_a_server_without_health_checks_says_nothing_about_its_health() -> None:
    async with grpc_server([]) as port:
        sample = await sampled(port)
    assert sample == (None, "", "cart does not tell its health: UNIMPLEMENTED")


async def test_a_health_that_the_server_does_not_know_is_unknown() -> None:
    async with grpc_server([health_of(overall=True)]) as port:
        sample = await sampled(port, "no.such.Service")
    assert sample == (None, "", "cart does not tell its health: NOT_FOUND")


@pytest.mark.parametrize(
    ("status", "passed", "text"),
    [
        (Status.UNAVAILABLE, False, "UNAVAILABLE"),
        (Status.DATA_LOSS, False, "status 15"),
        (Status.UNAUTHENTICATED, None, "UNAUTHENTICATED"),
    ],
)
async def test_an_error_of_the_call(status: Status, passed: bool | None, text: str) -> None:
    async def refuse(_: RecvRequest) -> None:
        raise GRPCError(status, "no")

    async with grpc_server([health_of(overall=True)], refuse) as port:
        sample = await sampled(port)
    assert sample.passed is passed
    assert text in sample.message


async def test_a_server_that_does_not_answer_fails_in_time() -> None:
    async def sleep(_: RecvRequest) -> None:
        await asyncio.sleep(30)

    async with grpc_server([health_of(overall=True)], sleep) as port:
        assert await sampled(port) == (False, "", "no answer within 1 s")


async def test_a_closed_port_fails(unused_tcp_port: int) -> None:
    sample = await sampled(unused_tcp_port)
    assert (sample.passed, bool(sample.message)) == (False, True)


async def test_a_server_of_http_1_fails() -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response()

    async with serve(handler) as port:
        sample = await sampled(port)
    assert sample.passed is False
    assert sample.message.startswith("cart ")


@pytest.mark.parametrize(
    "data",
    [b"", b"220 mail.example ready\r\n", b"\x00" * 100_000, b"\xff" * 300],
    ids=["nothing", "mail", "zeros", "ones"],
)
async def test_nonsense_fails_and_is_bounded(data: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        sample = await sampled(server.sockets[0].getsockname()[1])
    assert sample.passed is False
    assert sample.message


@given(st.binary(max_size=64))
def test_no_message_of_a_server_is_a_surprise(message: bytes) -> None:
    try:
        assert _first_integer(message) >= 0
    except NotGrpcError:
        return


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=253))
def test_the_request_is_what_protobuf_writes(name: str) -> None:
    from grpclib.health.v1.health_pb2 import HealthCheckRequest

    message = HealthCheckRequest(service=name).SerializeToString()
    assert _frame(name) == b"\x00" + len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize(("state", "passed"), [("SERVING", True), ("NOT_SERVING", False)])
async def test_the_server_of_the_tests_on_a_cluster_tells_its_health(
    unused_tcp_port: int, state: str, passed: bool
) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(grpc_server_of_pods.serve(unused_tcp_port, state, started))
    try:
        await started.wait()
        assert (await sampled(unused_tcp_port)).passed is passed
    finally:
        task.cancel()

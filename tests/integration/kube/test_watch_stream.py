"""One watch against a server that is slow, broken or silent."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from reme_kube import watch_stream
from reme_kube.credentials import Credentials
from reme_kube.errors import ClusterError, ForbiddenError, UnavailableError, UnreadableError
from reme_kube.http_client import ApiClient
from tests.support.stub_api import refusal, serve

PATH = "/api/v1/namespaces/shop/pods"
Write = Callable[[web.StreamResponse], Awaitable[None]]


def event(name: str, kind: str = "ADDED") -> bytes:
    return json.dumps({"type": kind, "object": {"metadata": {"name": name}}}).encode() + b"\n"


async def watched(write: Write, between: float = 0.0) -> list[str]:
    """Return the names of the events; between two of them the consumer is busy for a while."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await write(response)
        return response

    names: list[str] = []
    async with serve(handler) as port, client(port) as api, aclosing(api.watch(PATH)) as events:
        async for one in events:
            names.append(one["object"]["metadata"]["name"])
            await asyncio.sleep(between)
    return names


def client(port: int) -> ApiClient:
    return ApiClient(Credentials(f"http://127.0.0.1:{port}", None), timeout_seconds=0.5)


async def test_events_that_arrive_in_pieces_are_put_together() -> None:
    async def write(response: web.StreamResponse) -> None:
        text = event("a") + event("b") + event("c")
        for start in range(0, len(text), 17):
            await response.write(text[start : start + 17])
            await asyncio.sleep(0)

    assert await watched(write) == ["a", "b", "c"]


async def test_a_consumer_that_is_busy_for_long_is_not_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_stream, "_SILENCE_SECONDS", 0.1)

    async def write(response: web.StreamResponse) -> None:
        await response.write(event("a") + event("b"))

    assert await watched(write, between=0.25) == ["a", "b"]


async def test_a_silent_watch_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_stream, "_SILENCE_SECONDS", 0.1)

    async def write(response: web.StreamResponse) -> None:
        await response.write(event("a"))
        await asyncio.sleep(0.5)

    with pytest.raises(UnavailableError, match="no event and no bookmark"):
        await watched(write)


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        (b"{\n", UnreadableError, "not JSON"),
        (
            b'{"type":"ERROR","object":{"code":410,"message":"too old resource version"}}\n',
            UnavailableError,
            "ended the watch: too old resource version",
        ),
        (b'{"type":"ERROR","object":"?"}\n', UnavailableError, "ended the watch$"),
    ],
    ids=["broken", "expired", "without a message"],
)
async def test_an_event_that_ends_the_watch(
    line: bytes, error: type[ClusterError], message: str
) -> None:
    async def write(response: web.StreamResponse) -> None:
        await response.write(line)

    with pytest.raises(error, match=message):
        await watched(write)


async def test_a_watch_that_is_refused_has_the_words_of_the_server() -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return refusal(403, "Forbidden", "pods is forbidden")

    async with serve(handler) as port, client(port) as api:
        with pytest.raises(ForbiddenError) as raised:
            await anext(api.watch(PATH))
    assert (raised.value.status, raised.value.server_message) == (403, "pods is forbidden")


async def test_watches_do_not_use_up_the_connections_of_requests() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(event("a"))
        await asyncio.sleep(5)
        return response

    async with serve(handler) as port, client(port) as api:
        watches: list[Any] = [api.watch(PATH) for _ in range(40)]
        await asyncio.gather(*(anext(one) for one in watches))
        assert await api.get("/version") == {}
        for one in watches:
            await one.aclose()

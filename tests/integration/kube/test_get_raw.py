"""Asking what the API server proxies: whatever comes back is an answer, and there is one try."""

import asyncio

import pytest
from aiohttp import web

from reme_kube.errors import UnavailableError
from reme_kube.http_client import ApiClient
from tests.support.stub_api import StubApi, serve

PATH = "/api/v1/namespaces/shop/services/http:cart:80/proxy/"


@pytest.mark.parametrize("status", [200, 404, 500, 503])
async def test_every_status_is_an_answer(server: StubApi, api: ApiClient, status: int) -> None:
    server.script = [web.Response(status=status, body=b"plain text")]
    assert await api.get_raw(PATH, 0.5) == (status, b"plain text")
    assert len(server.requests) == 1
    assert server.tokens == ["Bearer t"]


async def test_an_answer_in_pieces_is_read_to_its_end(api: ApiClient, server: StubApi) -> None:
    server.script = [web.Response(body=b"0123456789" * 100_000)]
    assert len((await api.get_raw(PATH, 0.5)).content) == 1_000_000


async def test_silence_ends_in_its_time(api: ApiClient, server: StubApi) -> None:
    server.script = [5.0]
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    with pytest.raises(UnavailableError, match=r"within 0\.1 s"):
        await api.get_raw(PATH, 0.1)
    assert loop.time() - started_at < 1


async def test_a_closed_connection_is_no_answer(api: ApiClient, server: StubApi) -> None:
    # aiohttp asks once more by itself when a connection that it kept was closed.
    server.script = [ConnectionError(), ConnectionError()]
    with pytest.raises(UnavailableError):
        await api.get_raw(PATH, 0.5)


async def test_the_query_is_kept(api: ApiClient) -> None:
    lines: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        lines.append(request.path_qs)
        return web.Response()

    async with serve(handle) as port:
        api._transport.credentials.server = f"http://127.0.0.1:{port}"
        await api.get_raw(f"{PATH}window?seconds=5", 0.5)
    assert lines == [f"{PATH}window?seconds=5"]

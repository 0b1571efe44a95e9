"""The client against a server that is slow, busy, broken or gone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from reme_kube import responses, transport
from reme_kube.credentials import Credentials
from reme_kube.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
    UnreadableError,
)
from reme_kube.http_client import ApiClient
from tests.support.stub_api import StubApi, refusal, serve

PATH = "/api/v1/namespaces/shop/pods/cart"


async def test_an_object_is_read_with_the_token(server: StubApi, api: ApiClient) -> None:
    server.put(PATH, {"kind": "Pod"})
    assert (await api.get(PATH))["kind"] == "Pod"
    assert server.tokens == ["Bearer t"]


@pytest.mark.parametrize(
    ("status", "reason", "error", "tries"),
    [
        (404, "NotFound", NotFoundError, 1),
        (409, "Conflict", ConflictError, 1),
        (409, "AlreadyExists", AlreadyExistsError, 1),
        (403, "Forbidden", ForbiddenError, 1),
        (422, "Invalid", InvalidError, 1),
        (400, "BadRequest", InvalidError, 1),
        (401, "Unauthorized", ForbiddenError, 2),
        (429, "TooManyRequests", ThrottledError, 4),
        (500, "InternalError", UnavailableError, 4),
        (503, "ServiceUnavailable", UnavailableError, 4),
    ],
)
async def test_a_refusal_is_typed_and_only_a_passing_one_is_tried_again(
    server: StubApi,
    api: ApiClient,
    status: int,
    reason: str,
    error: type[ClusterError],
    tries: int,
) -> None:
    server.script += [refusal(status, reason, "spec.x: bad") for _ in range(9)]
    with pytest.raises(error, match=r"spec\.x: bad") as raised:
        await api.get(PATH)
    assert len(server.requests) == tries
    assert raised.value.retryable is (tries == 4)


async def test_what_passes_by_itself_is_not_noticed(server: StubApi, api: ApiClient) -> None:
    server.put(PATH, {"kind": "Pod"})
    server.script += [
        refusal(503, "ServiceUnavailable", "starting"),
        refusal(429, "TooManyRequests", "later"),
        ConnectionError(),
    ]
    assert (await api.get(PATH))["kind"] == "Pod"
    assert len(server.requests) == 4


async def test_a_server_that_does_not_answer_is_given_up(server: StubApi) -> None:
    server.script += [30.0] * 9
    async with serve(server.handle) as port:
        credentials = Credentials(f"http://127.0.0.1:{port}", None)
        async with ApiClient(credentials, timeout_seconds=0.05, attempts=2) as api:
            with pytest.raises(UnavailableError, match=r"no answer within 0\.05 s"):
                await api.get(PATH)


async def test_nobody_there_is_unavailable(unused_tcp_port: int) -> None:
    async with ApiClient(Credentials(f"http://127.0.0.1:{unused_tcp_port}", None)) as api:
        with pytest.raises(UnavailableError, match="ClientConnectorError"):
            await api.get(PATH)


async def test_the_time_of_all_tries_together_is_bounded(
    server: StubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_MAX_RETRY_WAIT_SECONDS", 0.0)
    server.script += [30.0] * 20
    async with serve(server.handle) as port:
        credentials = Credentials(f"http://127.0.0.1:{port}", None)
        async with ApiClient(credentials, timeout_seconds=0.1, attempts=10) as api:
            with pytest.raises(UnavailableError):
                await api.get(PATH)
    assert len(server.requests) <= 3


async def test_a_renewed_token_is_read_when_the_old_one_is_refused(
    server: StubApi, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    server.put(PATH, {"kind": "Pod"})
    async with serve(server.handle) as port:
        credentials = Credentials(
            f"http://127.0.0.1:{port}",
            None,
            read_authorization=lambda _refused: f"Bearer {file.read_text()}",
        )
        async with ApiClient(credentials) as api:
            await api.get(PATH)
            file.write_text("new")
            await api.get(PATH)
            server.script.append(refusal(401, "Unauthorized", "expired"))
            await api.get(PATH)
    assert server.tokens == ["Bearer old", "Bearer old", "Bearer old", "Bearer new"]


async def test_a_list_is_read_in_pages_without_the_fields_of_writers(
    server: StubApi, api: ApiClient
) -> None:
    writer = {"manager": "kubectl", "operation": "Update", "time": "2026-01-01T00:00:00Z"}
    for number in range(7):
        fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
        meta = {"name": f"cart-{number}", "managedFields": [{**writer, "fieldsV1": fields}]}
        server.put(f"/api/v1/namespaces/shop/pods/cart-{number}", {"metadata": meta})
    items = [item async for item in api.list_items("/api/v1/namespaces/shop/pods", limit=3)]
    assert [item["metadata"]["name"] for item in items] == [f"cart-{n}" for n in range(7)]
    assert [query.get("continue") for _, _, query in server.requests] == [None, "3", "6"]
    without_fields = [{**writer, "fieldsV1": {"f:spec": {}}}]
    assert all(item["metadata"]["managedFields"] == without_fields for item in items)


async def test_a_list_that_the_server_has_forgotten_is_continued(
    server: StubApi, api: ApiClient
) -> None:
    for number in range(4):
        server.put(f"/api/v1/pods/p-{number}", {})
    names: list[str] = []
    async for item in api.list_items("/api/v1/pods", limit=2):
        names.append(item["metadata"]["name"])
        if len(names) == 2:
            server.script.append(refusal(410, "Expired", "too old", metadata={"continue": "2"}))
    assert names == ["p-0", "p-1", "p-2", "p-3"]


async def test_an_answer_that_is_too_big_is_cut(
    server: StubApi, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MAX_BODY_BYTES", 1000)
    server.put(PATH, {"text": "x" * 5000})
    with pytest.raises(UnreadableError, match="larger"):
        await api.get(PATH)


@pytest.mark.parametrize("body", ["<html>proxy</html>", "[]", "{"])
async def test_an_answer_that_is_no_object_is_unreadable(
    server: StubApi, api: ApiClient, body: str
) -> None:
    server.script.append(web.Response(text=body))
    with pytest.raises(UnreadableError):
        await api.get(PATH)


async def test_a_redirect_is_not_followed(server: StubApi, api: ApiClient) -> None:
    server.script.append(web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(InvalidError):
        await api.get(PATH)
    assert len(server.requests) == 1


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=502)
        await answer.prepare(request)
        for _ in range(3):
            await answer.write(b"x" * 1000)
            await asyncio.sleep(0.02)
        return answer

    async with serve(slow) as port:
        credentials = Credentials(f"http://127.0.0.1:{port}", None, token="t")
        async with ApiClient(credentials) as api_client:
            answer = await api_client.get_raw(PATH, 2)
    assert (answer.status, len(answer.content)) == (502, 3000)


async def test_a_question_that_is_not_answered_ends_in_time() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async with serve(silent) as port:
        credentials = Credentials(f"http://127.0.0.1:{port}", None, token="t")
        async with ApiClient(credentials) as api_client:
            with pytest.raises(UnavailableError, match=r"no answer within 0\.1 s"):
                await api_client.get_raw(PATH, 0.1)

"""The client against a loopback server that plays the OpenAI API, correctly and incorrectly."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from reme_model.inference.client import OpenAIModel
from reme_model.inference.error_mapping import SchemaRefusedError
from reme_model.inference.errors import (
    EmptyReplyError,
    MalformedReplyError,
    ModelBusyError,
    ModelError,
    ModelRefusedError,
    ModelTimeoutError,
    ModelUnavailableError,
    ReplyTooLargeError,
    TruncatedReplyError,
)
from reme_model.inference.generation import GenerationReply, GenerationRequest, ModelEndpoint
from reme_model.inference.reply import parse_reply

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST = GenerationRequest(
    messages=[{"role": "user", "content": "repair"}],
    schema={"type": "array"},
    seed=7,
    max_tokens=99,
)
PLAYBOOK = '[{"kubernetes.core.k8s_scale":{}}]'
LISTED = ["reme", "reme@sha256-0123456789ab", "reme-adapter@sha256-ba9876543210"]


def body(text: str | None = PLAYBOOK, finish: str = "stop") -> dict[str, Any]:
    return {
        "model": LISTED[1],
        "choices": [{"index": 0, "message": {"content": text}, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 96},
        },
    }


class Server:
    """Answers each request with the next handler (the last one repeats), and records requests."""

    def __init__(self, *handlers: Handler, models: Handler | None = None) -> None:
        self.handlers = list(handlers)
        self.models = models
        self.requests: list[dict[str, Any]] = []
        self.was_asked = asyncio.Event()
        self.listed = 0
        self.keys: set[str] = set()

    async def completions(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.was_asked.set()
        self.keys.add(request.headers.get("Authorization", ""))
        handler = self.handlers[min(len(self.requests), len(self.handlers)) - 1]
        return await handler(request)

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        self.listed += 1
        if self.models:
            return await self.models(request)
        return web.json_response({"object": "list", "data": [{"id": name} for name in LISTED]})


def says(data: Any, status: int = 200, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        if isinstance(data, bytes):
            return web.Response(body=data, status=status, headers=headers)
        return web.json_response(data, status=status, headers=headers)

    return handler


def drips(seconds: float, total: int = 1 << 30, piece: bytes = b" ") -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            for _ in range(total):
                await response.write(piece)
                await asyncio.sleep(seconds)
        except ConnectionError:
            pass
        return response

    return handler


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def breaks_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices":')
    assert request.transport is not None
    request.transport.close()
    return response


Start = Callable[..., Awaitable[OpenAIModel]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    runners: list[web.AppRunner] = []
    models: list[OpenAIModel] = []

    async def begin(server: Server, **settings: Any) -> OpenAIModel:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", server.completions)
        app.router.add_get("/v1/models", server.list_models)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        limits = {"timeout_seconds": 20.0, "longest_wait_seconds": 0.2, **settings}
        model = OpenAIModel(ModelEndpoint(f"http://127.0.0.1:{port}/v1", **limits))
        models.append(model)
        return model

    yield begin
    for model in models:
        await model.aclose()
    for runner in runners:
        await runner.cleanup()


async def refused(model: OpenAIModel, error: type[ModelError], within: float = 15.0) -> ModelError:
    began = time.monotonic()
    with pytest.raises(error) as caught:
        await model.generate(REQUEST)
    assert type(caught.value) is error
    assert time.monotonic() - began < within
    return caught.value


async def test_a_reply_with_all_that_is_recorded(start: Start) -> None:
    server = Server(says(body()))
    model = await start(server, api_key="key", extra={"top_k": 1})
    assert await model.generate(REQUEST) == GenerationReply(
        text=PLAYBOOK,
        prompt_tokens=120,
        cached_tokens=96,
        completion_tokens=30,
        finish_reason="stop",
        model=LISTED[1],
        model_digest="sha256:0123456789ab",
        adapter_digest="sha256:ba9876543210",
        constrained=True,
    )
    assert server.keys == {"Bearer key"}
    (obj,) = server.requests
    assert obj == {
        "model": LISTED[1],
        "messages": REQUEST.messages,
        "temperature": 0.0,
        "seed": 7,
        "max_tokens": 99,
        "top_k": 1,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "playbook", "schema": {"type": "array"}, "strict": True},
        },
    }


async def test_what_is_served_is_asked_once_in_a_while(start: Start) -> None:
    server = Server(says(body()))
    model = await start(server)
    await asyncio.gather(model.generate(REQUEST))
    await model.generate(REQUEST)
    assert server.listed == 1
    impatient = await start(server, provenance_seconds=0.0)
    await impatient.generate(REQUEST)
    await impatient.generate(REQUEST)
    assert server.listed == 3


@pytest.mark.parametrize("models", [says({}, 404), says(b"<html>"), says({"data": [{"id": "x"}]})])
async def test_a_server_that_tells_nothing_of_its_model(start: Start, models: Handler) -> None:
    server = Server(says(body()), models=models)
    reply = await (await start(server)).generate(REQUEST)
    assert (reply.model_digest, reply.adapter_digest) == ("", "")
    assert server.requests[0]["model"] == "reme"


async def test_a_server_with_new_weights_is_asked_again(start: Start) -> None:
    server = Server(says(body()), says({"error": {}}, 404), says(body()))
    model = await start(server)
    await model.generate(REQUEST)
    await model.generate(REQUEST)
    assert server.listed == 2
    assert len(server.requests) == 3


async def test_a_server_without_schemas_is_asked_without(start: Start) -> None:
    server = Server(says({"error": {"message": "response_format: unsupported"}}, 400), says(body()))
    reply = await (await start(server)).generate(REQUEST)
    assert not reply.constrained
    assert ["response_format" in request for request in server.requests] == [True, False]


async def test_free_form_by_choice(start: Start) -> None:
    server = Server(says(body("- a: b")))
    reply = await (await start(server, constrained=False)).generate(REQUEST)
    assert (reply.text, reply.constrained) == ("- a: b", False)
    assert "response_format" not in server.requests[0]


async def test_a_refusal_in_both_forms_is_a_refusal(start: Start) -> None:
    server = Server(says({"error": {"message": "bad schema"}}, 400))
    await refused(await start(server), SchemaRefusedError)
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 307])
async def test_what_will_not_change_is_not_tried_again(start: Start, status: int) -> None:
    server = Server(says({"error": "no"}, status, Location="http://127.0.0.1:1/"), models=says([]))
    await refused(await start(server), ModelRefusedError)
    assert len(server.requests) == 1


async def test_an_error_says_nothing_of_what_was_asked(start: Start) -> None:
    server = Server(says({"error": {"message": "prompt was: repair key-1"}}, 500))
    error = await refused(await start(server), ModelUnavailableError)
    assert str(error) == "the model server failed (HTTP 500)"


async def test_errors_pass(start: Start) -> None:
    server = Server(says(b"", 500), says(b"", 503), breaks_off, says(body()))
    assert (await (await start(server)).generate(REQUEST)).text == PLAYBOOK
    assert len(server.requests) == 4


async def test_tries_are_counted(start: Start) -> None:
    server = Server(says(b"oops", 500))
    await refused(await start(server, attempts=3), ModelUnavailableError)
    assert len(server.requests) == 3


async def test_a_busy_server_is_given_the_time_that_it_asks_for(start: Start) -> None:
    server = Server(says({}, 429, **{"Retry-After": "1"}), says(body()))
    began = time.monotonic()
    await (await start(server, longest_wait_seconds=5.0)).generate(REQUEST)
    assert time.monotonic() - began > 0.9


async def test_but_not_more_than_is_sensible(start: Start) -> None:
    server = Server(says({}, 429, **{"Retry-After": "3600"}), says(body()))
    began = time.monotonic()
    await (await start(server)).generate(REQUEST)
    assert time.monotonic() - began < 15


async def test_a_server_that_stays_busy(start: Start) -> None:
    server = Server(says({}, 429, **{"Retry-After": "70"}))
    error = await refused(await start(server, longest_wait_seconds=90.0), ModelBusyError)
    assert isinstance(error, ModelBusyError)
    assert error.retry_after == 70  # more than there is time for, so it is not waited for
    assert len(server.requests) == 1


async def test_nobody_there() -> None:
    async with OpenAIModel(ModelEndpoint("http://127.0.0.1:1/v1", timeout_seconds=20)) as model:
        await refused(model, ModelUnavailableError)


async def test_a_name_that_does_not_exist() -> None:
    endpoint = ModelEndpoint("http://model.invalid/v1", timeout_seconds=20, attempts=1)
    async with OpenAIModel(endpoint) as model:
        await refused(model, ModelUnavailableError)


async def test_a_server_that_is_silent(start: Start) -> None:
    await refused(await start(Server(hangs), timeout_seconds=0.5), ModelTimeoutError)


async def test_a_server_that_is_silent_about_its_models(start: Start) -> None:
    server = Server(says(body()), models=hangs)
    await refused(await start(server, timeout_seconds=0.5), ModelTimeoutError)


async def test_a_slow_drip_does_not_hold_the_time(start: Start) -> None:
    await refused(await start(Server(drips(0.05)), timeout_seconds=0.7), ModelTimeoutError)


async def test_a_reply_that_does_not_end(start: Start) -> None:
    ten_megabytes = says(body("x" * 10_000_000))
    await refused(await start(Server(ten_megabytes)), ReplyTooLargeError)
    endless = drips(0, piece=b"x" * 65536)
    await refused(await start(Server(endless)), ReplyTooLargeError)


async def test_an_endless_error_is_still_that_error(start: Start) -> None:
    endless = says(b"x" * 10_000_000, 500)
    await refused(await start(Server(endless), attempts=1), ModelUnavailableError)


async def test_a_compressed_answer_is_not_unpacked(start: Start) -> None:
    async def packed(_: web.Request) -> web.StreamResponse:
        response = web.json_response(body("x" * 10_000_000))
        response.enable_compression(web.ContentCoding.gzip)
        return response

    await refused(await start(Server(packed)), MalformedReplyError)


@pytest.mark.parametrize(
    "data",
    [
        b"garbage",
        b"<html></html>",
        b'{"choices":[{"mess',
        b"[]",
        b"\xff",
        b'{"choices":[{"message":3}]}',
    ],
)
async def test_garbage(start: Start, data: bytes) -> None:
    server = Server(says(data, 200, **{"Content-Type": "application/json"}))
    await refused(await start(server), MalformedReplyError)
    assert len(server.requests) == 1


@pytest.mark.parametrize("data", [body(""), body(None), body(" \n"), {"choices": []}])
async def test_an_empty_reply(start: Start, data: Any) -> None:
    await refused(await start(Server(says(data))), EmptyReplyError)


async def test_a_reply_cut_off_at_its_limit(start: Start) -> None:
    model = await start(Server(says(body(PLAYBOOK[:20], "length"))))
    reply = await model.generate(REQUEST)
    with pytest.raises(TruncatedReplyError):
        parse_reply(reply.text, reply.finish_reason)


async def test_prose(start: Start) -> None:
    reply = await (await start(Server(says(body("I would restart it."))))).generate(REQUEST)
    with pytest.raises(MalformedReplyError):
        parse_reply(reply.text, reply.finish_reason)


async def test_cancelling_ends_the_question_at_once(start: Start) -> None:
    server = Server(hangs)
    model = await start(server, timeout_seconds=20.0)
    task = asyncio.create_task(model.generate(REQUEST))
    await server.was_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)


async def test_many_questions_at_once(start: Start) -> None:
    server = Server(says(body()))
    model = await start(server)
    replies = await asyncio.gather(*[model.generate(REQUEST) for _ in range(50)])
    assert {reply.text for reply in replies} == {PLAYBOOK}
    assert json.dumps(server.requests[0]) == json.dumps(server.requests[49])

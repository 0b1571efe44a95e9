"""An OpenAI-compatible server in this process that says what a test told it to."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One answer: a text of the model, or a raw body with a status."""

    content: str = ""
    status: int = 200
    body: str | None = None
    delay_seconds: float = 0.0


@dataclass
class FakeModel:
    """The server; answers come in turn, the last one for ever."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    url: str = ""

    def say(self, *answers: Answer | str | list[Json]) -> None:
        """Set the answers to come: texts, task lists, or anything."""
        self.answers = [
            a
            if isinstance(a, Answer)
            else Answer(a if isinstance(a, str) else json.dumps(a, separators=(",", ":")))
            for a in answers
        ]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FakeModel"]:
        """Serve on a free port of loopback until the end of the block."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _models(self, _: web.Request) -> web.Response:
        names = ("reme", "reme@sha256-abcdefabcdef")
        return web.json_response(
            {"object": "list", "data": [{"id": n, "object": "model"} for n in names]}
        )

    async def _complete(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(answer.delay_seconds)
        if answer.body is not None:
            return web.Response(text=answer.body, status=answer.status)
        if answer.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=answer.status)
        return web.json_response(
            {
                "id": "fake",
                "object": "chat.completion",
                "created": 1,
                "model": "reme",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": answer.content},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }
        )

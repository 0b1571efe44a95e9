"""Small servers on this machine, for clients that must speak real HTTP."""

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[int]:
    """Answer every request on a free port with the handler; yields the port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


class StubApi:
    """An API server that keeps objects by path and answers as the real one would.

    `script` answers come first, one per request; `requests` is what was asked.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.tokens: list[str] = []
        self.bodies: list[Any] = []
        self.script: list[web.Response | BaseException | float] = []
        self._version = 0

    def put(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        meta = {"name": path.rsplit("/", 1)[-1], "uid": f"uid-{self._version}"}
        obj["metadata"] = meta | obj.get("metadata", {})
        obj["metadata"]["resourceVersion"] = str(self._version)
        self.objects[path] = obj
        return obj

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, dict(request.query)))
        self.tokens.append(request.headers.get("Authorization", ""))
        body: Any = await request.json() if request.can_read_body else None
        self.bodies.append(copy.deepcopy(body))
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, web.Response):
                return answer
            if isinstance(answer, BaseException):
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            await asyncio.sleep(answer)
        if request.method == "POST":
            return self._create(request.path, body)
        if request.method == "PUT":
            return self._replace(request.path, body)
        if request.path in self.objects:
            if request.method == "DELETE":
                return self._delete(request.path, body)
            return web.json_response(self.objects[request.path])
        if request.method == "GET" and (objects := self._below(request.path)) is not None:
            return web.json_response(self._page(objects, request.query))
        return refusal(404, "NotFound", "not found")

    def _below(self, path: str) -> list[dict[str, Any]] | None:
        objects = [obj for key, obj in sorted(self.objects.items()) if key.startswith(path + "/")]
        return objects or None

    def _page(self, objects: list[dict[str, Any]], query: Any) -> dict[str, Any]:
        begin, limit = int(query.get("continue", "0")), int(query["limit"])
        page = objects[begin : begin + limit]
        more = str(begin + limit) if begin + limit < len(objects) else ""
        return {"metadata": {"continue": more}, "items": page}

    def _create(self, path: str, body: dict[str, Any]) -> web.Response:
        where = f"{path}/{body['metadata']['name']}"
        if where in self.objects:
            return refusal(409, "AlreadyExists", f"{where} already exists")
        return web.json_response(self.put(where, body), status=201)

    def _replace(self, path: str, body: dict[str, Any]) -> web.Response:
        where = path.removesuffix("/status")
        obj = self.objects.get(where)
        if obj is None:
            return refusal(404, "NotFound", "not found")
        if body["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            return refusal(409, "Conflict", "the object has been modified")
        if where != path:
            body = obj | {"status": body["status"]}
        return web.json_response(self.put(where, body))

    def _delete(self, path: str, body: dict[str, Any] | None) -> web.Response:
        uid = ((body or {}).get("preconditions") or {}).get("uid")
        if uid and uid != self.objects[path]["metadata"]["uid"]:
            return refusal(409, "Conflict", "the UID in the precondition does not match")
        return web.json_response(self.objects.pop(path))


def refusal(status: int, reason: str, message: str, **more: Any) -> web.Response:
    """Return an answer of the API server that refuses."""
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, **more}
    return web.json_response(body, status=status)

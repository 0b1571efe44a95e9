"""The fake API server in simulated time, with all that can go wrong between it and an operator.

It adds to `FakeApi`: garbage collection by owner, generated names, old versions for stale reads,
watches that lag, end or fail with "410 Gone", and an interceptor that may fail each request.
"""

import asyncio
import contextlib
import copy
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.doubles.api_rules import Json, is_selected
from tests.doubles.fake_api import FakeApi
from tests.doubles.sim_loop import Process, now
from tests.doubles.sim_network import Wire, sender_of

STEP_HEADER = "X-Step"


@dataclass
class ApiRequest:
    """One request of a process."""

    number: int
    process: Process
    step: str
    verb: str
    path: str
    body: Any

    @property
    def what(self) -> str:
        """The request without what differs from run to run."""
        parts = self.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            rest = rest[2:]
        return f"{self.verb} {'/'.join(rest[:1] + rest[2:])}"


Answer = Callable[[], Awaitable[web.StreamResponse]]
Interceptor = Callable[[ApiRequest, Answer], Awaitable[web.StreamResponse]]


async def pass_through(_: ApiRequest, answer: Answer) -> web.StreamResponse:
    """Let everything through."""
    return await answer()


@dataclass
class SimulatedApi(FakeApi):
    """The server; give its `wire` to an operator's clients."""

    seed: int = 0
    gate: Interceptor = pass_through
    requests: list[ApiRequest] = field(default_factory=list)
    down: bool = False
    stale_seconds: float = 0.0  # how far behind lists and reads of some kinds are
    lag_seconds: float = 0.0  # how far behind watches are
    behind_at: dict[str, float] = field(default_factory=dict)
    """When a list of a kind was last stale."""
    _past: dict[tuple[str, str, str], list[tuple[float, Json | None]]] = field(default_factory=dict)
    _random: random.Random = field(default_factory=random.Random)
    _server: web.Server | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.now = now
        self.new_uid = lambda: str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["SimulatedApi"]:
        """Serve until the end of the block."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        self._server, self.url = runner.server, "http://api.simulated"
        try:
            yield self
        finally:
            await runner.cleanup()

    def wire(self) -> Wire:
        """Return connections of the process that asks for them."""
        assert self._server is not None, "not running"
        return Wire(self._server)

    # requests ---------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read()) if request.can_read_body else None
        process = sender_of(request)
        assert process is not None, "somebody without a process"
        await asyncio.sleep(self._random.uniform(0.001, 0.012))
        step = request.headers.get(STEP_HEADER, "kopf")
        api_request = ApiRequest(
            len(self.requests), process, step, request.method, request.path, body
        )

        async def answer() -> web.StreamResponse:
            if self.down:
                return _close_connection(request)
            return await super(SimulatedApi, self)._handle(_Read(request, body))  # type: ignore[arg-type]

        if self.down:
            return _close_connection(request)
        if "/leases" in request.path:
            return await self.gate(ApiRequest(-1, process, "lease", "", request.path, body), answer)
        self.requests.append(api_request)
        return await self.gate(api_request, answer)

    def _create(self, plural: str, namespace: str, head: Json, body: Json) -> web.Response:
        meta = body["metadata"]
        if "name" not in meta and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{self._random.getrandbits(20):05x}"
        return super()._create(plural, namespace, head, body)

    # what there is, and was -------------------------------------------------------------------

    def _save(self, key: tuple[str, str, str], obj: Json, before: Json | None) -> Json:
        saved = super()._save(key, obj, before)
        self._note(key)
        self._call_later(self.collect)
        return saved

    def _delete(self, key: tuple[str, str, str]) -> Json:
        gone = super()._delete(key)
        self._note(key)
        self._call_later(self.collect)
        return gone

    def _note(self, key: tuple[str, str, str]) -> None:
        when = asyncio.get_running_loop().time()
        self._past.setdefault(key, []).append((when, copy.deepcopy(self._store.get(key))))

    def _call_later(self, call: Callable[[], None], seconds: float = 0.5) -> None:
        asyncio.get_running_loop().call_later(seconds, call, context=Context())

    def collect(self) -> None:
        """Delete what has owners of which none is left, as the garbage collector does."""
        uids = {o["metadata"]["uid"] for o in self._store.values()}
        for key, obj in list(self._store.items()):
            owners = obj["metadata"].get("ownerReferences") or []
            if owners and not any(o["uid"] in uids for o in owners) and key in self._store:
                self._delete(key)

    def _then(self, key: tuple[str, str, str]) -> Json | None:
        """Return an object as it was a while ago."""
        until = asyncio.get_running_loop().time() - self.stale_seconds
        document = None
        for when, obj in self._past.get(key, []):
            if when > until:
                break
            document = obj
        return document

    def _list(self, request: web.Request, plural: str, namespace: str, head: Json) -> web.Response:
        if not self.stale_seconds:
            return super()._list(request, plural, namespace, head)
        self.behind_at[plural] = asyncio.get_running_loop().time()
        places = [k for k in self._past if k[0] == plural and namespace in ("", k[1])]
        items = [o for k in sorted(places) if (o := self._then(k)) and is_selected(request, o)]
        newest = max((int(o["metadata"]["resourceVersion"]) for o in items), default=1)
        meta = {"resourceVersion": str(newest)}
        return web.json_response(
            head | {"kind": head["kind"] + "List", "metadata": meta, "items": items}
        )

    # watches ----------------------------------------------------------------------------------

    def watch_ends(self, turn: int) -> bool:
        """Return whether a watch of that turn ends now."""
        return self.down or super().watch_ends(turn)

    async def before_events(self) -> None:
        """Send the events of watches late."""
        if self.lag_seconds:
            await asyncio.sleep(self.lag_seconds)


class _Read:
    """A request whose body has been read already."""

    def __init__(self, request: web.Request, body: Any) -> None:
        self._request, self._body = request, body
        self.can_read_body = body is not None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    async def read(self) -> bytes:
        return json.dumps(self._body).encode()


def _close_connection(request: web.Request) -> web.Response:
    """Break the connection, as a server that is gone."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=503)

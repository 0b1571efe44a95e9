"""What the kubelet and Prometheus ask: /healthz, /readyz and /metrics on one port.

Healthy means that the event loop turns and that no pass has been stuck for too long. Ready means
that the API server answers and that this process knows its place: leading, or waiting to lead.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from aiohttp import web

from reme_kube.errors import ClusterError
from reme_operator.telemetry.metrics import Metrics

_LOOP_SECONDS = 10.0
"""A loop that did not turn for so long is blocked by something that should not be in it."""
_BEAT_SECONDS = 1.0
_API_SECONDS = 10.0
"""How long an answer of the API server is believed: readiness is asked often."""
_ASK_SECONDS = 1.5
"""Less than the kubelet waits for /readyz."""


class Health:
    """What this process knows of its own state."""

    def __init__(
        self, stalled_after_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stalled_after = stalled_after_seconds
        self._monotonic = monotonic
        self._beat_at = monotonic()
        self._passes: dict[object, tuple[str, float]] = {}
        self._role = ""
        self._tasks_down: dict[str, str] = {}

    def beat(self) -> None:
        """Note that the event loop turns."""
        self._beat_at = self._monotonic()

    @contextmanager
    def watch_progress(self, what: str) -> Iterator[Callable[[], None]]:
        """Watch over one pass; calling what it yields notes that it makes progress."""
        key = object()

        def progress() -> None:
            self._passes[key] = (what, self._monotonic())

        progress()
        try:
            yield progress
        finally:
            del self._passes[key]

    @contextmanager
    def task_down(self, name: str, error_text: str) -> Iterator[None]:
        """Report a background task as down until the end of the block."""
        self._tasks_down[name] = error_text
        try:
            yield
        finally:
            del self._tasks_down[name]

    def leading(self, leads: bool) -> None:
        """Note that this process has found its place: it leads, or stands by."""
        self._role = "leading" if leads else "standing by"

    @property
    def role(self) -> str:
        """Its place; empty before the first try to get the lease."""
        return self._role

    def trouble(self) -> str:
        """Return why this process should be restarted; empty while it should not."""
        now = self._monotonic()
        if now - self._beat_at > _LOOP_SECONDS:
            return f"the event loop has not turned for {now - self._beat_at:.0f} s"
        for what, since in self._passes.values():
            if now - since > self._stalled_after:
                return f"{what} has made no progress for {now - since:.0f} s"
        for name, error_text in self._tasks_down.items():
            return f"background task {name} is down: {error_text}"
        return ""


class HealthServer:
    """Answers on one port until it is closed; to be used as a context."""

    def __init__(
        self,
        health: Health,
        metrics: Metrics,
        ping: Callable[[], Awaitable[None]],
        *,
        port: int,
        host: str | None = None,
    ) -> None:
        self._health = health
        self._metrics = metrics
        self._ping = ping
        self._host = host
        self._port = port
        self._answered_at = float("-inf")
        self._runner: web.AppRunner | None = None
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=0)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._page)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._beating = asyncio.create_task(self._beat(), name="heartbeat")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._beating:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating
        if self._runner:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that it listens on, also when it was asked to choose one (0)."""
        assert self._runner is not None, "only a server that was started has a port"
        return int(self._runner.addresses[0][1])

    async def _beat(self) -> None:
        while True:
            self._health.beat()
            await asyncio.sleep(_BEAT_SECONDS)

    async def _healthz(self, _: web.Request) -> web.Response:
        trouble = self._health.trouble()
        return web.Response(text=trouble or "ok", status=503 if trouble else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        if not self._health.role:
            return web.Response(text="has not asked for the lease yet", status=503)
        if trouble := await self._api_trouble():
            return web.Response(text=trouble, status=503)
        return web.Response(text=self._health.role)

    async def _api_trouble(self) -> str:
        loop = asyncio.get_running_loop()
        if loop.time() - self._answered_at < _API_SECONDS:
            return ""
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self._ping()
        except TimeoutError:
            return "the API server does not answer in time"
        except ClusterError as error:
            return f"the API server does not answer: {error}"[:300]
        self._answered_at = loop.time()
        return ""

    async def _page(self, _: web.Request) -> web.Response:
        page = self._metrics.page()
        return web.Response(body=page.body, headers={"Content-Type": page.content_type})

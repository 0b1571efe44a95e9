"""Serves /healthz, /readyz and /metrics on one port, for the kubelet and Prometheus.

Healthy: the event loop runs, and no step has been without progress for too long. Ready: the API
server responds, and this process leads or waits to lead.
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
"""An event loop that did not run for so long is blocked by something that should not be in it."""
_HEARTBEAT_SECONDS = 1.0
_PING_VALID_SECONDS = 10.0
"""How long a response of the API server counts: readiness is requested often."""
_PING_TIMEOUT_SECONDS = 1.5
"""Less than the kubelet waits for /readyz."""


class Health:
    """The state of this process, as far as it decides about a restart."""

    def __init__(
        self, stalled_after_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stalled_after = stalled_after_seconds
        self._monotonic = monotonic
        self._beat_at = monotonic()
        self._steps: dict[object, tuple[str, float]] = {}
        self._role = ""
        self._tasks_down: dict[str, str] = {}

    def beat(self) -> None:
        """Record that the event loop runs."""
        self._beat_at = self._monotonic()

    @contextmanager
    def watch_progress(self, name: str) -> Iterator[Callable[[], None]]:
        """Report a problem when the block takes too long; calling what it yields is progress."""
        key = object()

        def progress() -> None:
            self._steps[key] = (name, self._monotonic())

        progress()
        try:
            yield progress
        finally:
            del self._steps[key]

    @contextmanager
    def task_down(self, name: str, error_text: str) -> Iterator[None]:
        """Report a background task as down until the end of the block."""
        self._tasks_down[name] = error_text
        try:
            yield
        finally:
            del self._tasks_down[name]

    def leading(self, leads: bool) -> None:
        """Record that this process leads, or waits to lead."""
        self._role = "leading" if leads else "standing by"

    @property
    def role(self) -> str:
        """Leading or standing by; empty before the first attempt to get the lease."""
        return self._role

    def problem(self) -> str:
        """Return why this process should be restarted; empty when it should not."""
        now = self._monotonic()
        if now - self._beat_at > _LOOP_SECONDS:
            return f"the event loop has not run for {now - self._beat_at:.0f} s"
        for name, since in self._steps.values():
            if now - since > self._stalled_after:
                return f"{name} has made no progress for {now - since:.0f} s"
        for name, error_text in self._tasks_down.items():
            return f"background task {name} is down: {error_text}"
        return ""


class HealthServer:
    """Serves health and metrics until it is closed; use it as a context manager."""

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
        self._pinged_at = float("-inf")
        self._runner: web.AppRunner | None = None
        self._heartbeat: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=0)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._scrape)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._heartbeat = asyncio.create_task(self._beat(), name="heartbeat")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._heartbeat:
            self._heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await self._heartbeat
        if self._runner:
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that it listens on, also when 0 let the system choose one."""
        assert self._runner is not None, "only a server that was started has a port"
        return int(self._runner.addresses[0][1])

    async def _beat(self) -> None:
        while True:
            self._health.beat()
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _healthz(self, _: web.Request) -> web.Response:
        problem = self._health.problem()
        return web.Response(text=problem or "ok", status=503 if problem else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        if not self._health.role:
            return web.Response(text="no attempt to get the lease yet", status=503)
        if problem := await self._api_problem():
            return web.Response(text=problem, status=503)
        return web.Response(text=self._health.role)

    async def _api_problem(self) -> str:
        loop = asyncio.get_running_loop()
        if loop.time() - self._pinged_at < _PING_VALID_SECONDS:
            return ""
        try:
            async with asyncio.timeout(_PING_TIMEOUT_SECONDS):
                await self._ping()
        except TimeoutError:
            return "the API server does not respond in time"
        except ClusterError as error:
            return f"the API server does not respond: {error}"[:300]
        self._pinged_at = loop.time()
        return ""

    async def _scrape(self, _: web.Request) -> web.Response:
        page = self._metrics.page()
        return web.Response(body=page.body, headers={"Content-Type": page.content_type})

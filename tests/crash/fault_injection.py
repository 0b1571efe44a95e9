"""Injects the faults of a schedule."""

import asyncio
from collections import Counter, defaultdict
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.crash.schedule import KILLS, Fault
from tests.crash.world import World
from tests.doubles.fake_api import _status
from tests.doubles.sim_api import Answer, ApiRequest

_HANG_SECONDS = 300.0
"""Longer than the timeout of any client."""


@dataclass
class FaultInjector:
    """Interceptor of the API server of one world."""

    world: World
    _by_request: dict[int, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    _by_name: dict[tuple[str, int], list[Fault]] = field(default_factory=lambda: defaultdict(list))
    _counts: Counter[str] = field(default_factory=Counter)
    _repeats: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for fault in self.world.schedule.faults:
            if fault.kind == "pod":
                what, _, when = fault.more.partition(":")
                self.world.nodes.faults_by_number[fault.at] = (what, when)
            elif fault.kind == "model":
                what, _, times = fault.more.partition(":")
                self.world.model.faults_by_number[fault.at] = (what, int(times))
            elif fault.kind in KILLS and fault.more:
                self._by_name[(fault.more, fault.at)].append(fault)
            else:
                self._by_request[fault.at].append(fault)

    async def __call__(self, request: ApiRequest, answer: Answer) -> web.StreamResponse:
        """Handle a request: answer it, or fail as the schedule says."""
        world, process = self.world, request.process
        replica = process.name.split(".")[0]
        for fault in self._due(request):
            self._record(fault, request)
            world.note_fault()
            if fault.kind in KILLS:
                return await self._kill(fault, request, answer)
            self._begin(fault, request, replica)
        if world.api.down:
            return await self._close_connection()
        if process.dead:
            # Its sender was killed after sending: it arrives or is lost.
            return await answer() if world.rng.random() < 0.5 else await self._no_response()
        if (until := world.cut_until.get(replica, 0)) > world.time():
            return await self._deliver_late(until, answer)
        if request.number < 0:
            if world.leaseless_until.get(replica, 0) > world.time():
                return _status(503, "Unavailable", "injected")
            return await answer()
        if again := self._repeats.get((process.name, request.verb, request.path)):
            return await self._fail(again.pop(0), request, answer)
        return await answer()

    def _due(self, request: ApiRequest) -> list[Fault]:
        """Return the faults of this request: by its number, or as the nth of its kind."""
        named: list[Fault] = []
        for name in (request.what, f"{request.step}: {request.what}"):
            named += self._by_name.pop((name, self._counts[name]), [])
            self._counts[name] += 1
        return [*self._by_request.pop(request.number, []), *named]

    async def _kill(self, fault: Fault, request: ApiRequest, answer: Answer) -> web.StreamResponse:
        when = fault.kind.removeprefix("kill-")
        response = await answer() if when == "after" else None
        self.world.kill(request.process, f"{when} {request.step}: {request.what}")
        return response or await self._no_response()

    def _begin(self, fault: Fault, request: ApiRequest, replica: str) -> None:
        world = self.world
        match fault.kind:
            case "partition":
                world.cut_until[replica] = world.time() + float(fault.more)
                # Requests sent meanwhile arrive up to a second after the end.
                self._mark_in_progress(float(fault.more) + 2)
            case "lease-lost":
                world.leaseless_until[replica] = world.time() + float(fault.more)
            case "outage" | "watches-lag" | "stale-lists":
                self._degrade_api(fault)
            case "watches-end" | "watches-gone":
                world.api.end_watches(gone=fault.kind == "watches-gone")
            case "touch":
                self._touch()
            case _:
                key = (request.process.name, request.verb, request.path)
                self._repeats[key] = [fault.kind] * int(fault.more or "1")

    def _record(self, fault: Fault, request: ApiRequest) -> None:
        self.events.append(
            f"{self.world.time() - 1000:7.2f} s  {fault}  {request.process.name}"
            f"  {request.step}: {request.verb} {request.path}"
        )

    async def _fail(self, kind: str, request: ApiRequest, answer: Answer) -> web.StreamResponse:
        self.world.note_fault()
        match kind:
            case "conflict":
                if request.verb == "GET":
                    return await answer()
                self._touch()  # a concurrent change: a write with a resource version is refused
                return await answer()
            case "throttled":
                refused = _status(429, "TooManyRequests", "injected")
                refused.headers["Retry-After"] = "1"
                return refused
            case "error-before":
                return _status(500, "InternalError", "injected")
            case "error-after":
                await answer() if not _watches(request) else None
                return _status(500, "InternalError", "injected, and done all the same")
            case "timeout-before":
                return await self._no_response()
            case "timeout-after":
                await answer() if not _watches(request) else None
                return await self._no_response()
            case "cut-after":
                await answer() if not _watches(request) else None
                return await self._close_connection()
            case _:
                return await self._close_connection()

    async def _deliver_late(self, until: float, answer: Answer) -> web.StreamResponse:
        """Deliver the request after the partition, or never; its sender has timed out."""
        await asyncio.sleep(until - self.world.time() + self.world.rng.uniform(0, 1))
        return await answer() if self.world.rng.random() < 0.5 else await self._no_response()

    async def _no_response(self) -> web.StreamResponse:
        await asyncio.sleep(_HANG_SECONDS)
        return web.Response(status=504)

    async def _close_connection(self) -> web.StreamResponse:
        return web.Response(status=503, headers={"Connection": "close"})

    def _degrade_api(self, fault: Fault) -> None:
        world, seconds = self.world, float(fault.more)
        api, later = world.api, asyncio.get_running_loop().call_later
        world.faults_in_progress += 1
        if fault.kind == "outage":
            api.down = True
            api.end_watches(gone=False)
            later(seconds, self._set, "down", False, context=Context())
        elif fault.kind == "watches-lag":
            api.lag_seconds = seconds
            later(3 * seconds, self._set, "lag_seconds", 0.0, context=Context())
        else:
            api.stale_seconds = seconds
            later(3 * seconds, self._set, "stale_seconds", 0.0, context=Context())

    def _mark_in_progress(self, seconds: float) -> None:
        """Count a fault as in progress for so many seconds."""
        self.world.faults_in_progress += 1
        later = asyncio.get_running_loop().call_later
        later(seconds, self._set, "", None, context=Context())

    def _set(self, name: str, value: Any) -> None:
        if name:
            setattr(self.world.api, name, value)
        self.world.faults_in_progress -= 1
        self.world.note_fault()

    def _touch(self) -> None:
        """Change the metadata of every object of reme, as another client would."""
        for plural in ("remediations", "diagnosisreports"):
            for obj in self.world.api.all(plural):
                meta = obj["metadata"]
                note = {"metadata": {"annotations": {"touched": str(self.world.time())}}}
                self.world.api.edit(plural, meta["namespace"], meta["name"], note)


def _watches(request: ApiRequest) -> bool:
    # A read has no effect before it fails, and a watch does not end.
    return request.verb == "GET"

"""The service-level indicator of a system's users, as its load generator measures it."""

import json
from dataclasses import dataclass
from typing import Any

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.systems.render import USERS, USERS_PORT, users_namespace
from reme_kube.errors import ClusterError

_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class SecondCounts:
    """Counts of the requests that were due in one second."""

    time: int  # seconds since 1970
    ok: int
    failed: int
    p50_milliseconds: float | None = None


@dataclass(frozen=True)
class UserSli:
    """Availability and latency from `begin` up to, not including, `end` (seconds since 1970)."""

    ok: int = 0
    failed: int = 0
    p50_milliseconds: float | None = None
    p95_milliseconds: float | None = None
    begin: float = 0
    end: float = 0
    seconds: tuple[SecondCounts, ...] = ()

    @property
    def total(self) -> int:
        """Number of requests."""
        return self.ok + self.failed

    @property
    def percent(self) -> float:
        """Share of successful requests in per cent; 0 without requests."""
        return 100 * self.ok / self.total if self.total else 0.0

    def __str__(self) -> str:
        middle = "" if self.p50_milliseconds is None else f", median {self.p50_milliseconds:.0f} ms"
        return f"{self.percent:.0f}% of {self.total} requests answered{middle}"


@dataclass(frozen=True)
class LoadGenerator:
    """The load generator of one system; its counts are complete about three seconds late."""

    cluster: Cluster
    namespace: str

    async def recent(self, seconds: int) -> UserSli:
        """Return the SLI of the last complete seconds; empty when the generator has no answer."""
        return _parse_sli(await self._request(f"window?seconds={seconds}"))

    async def since(self, time: float) -> UserSli:
        """Return the SLI since a time, second by second; empty when there is no answer."""
        return _parse_sli(await self._request(f"since?time={time:.3f}"))

    async def between(self, begin: float, end: float) -> UserSli | None:
        """Return the SLI between two times; None until all requests are counted."""
        sli = await self.since(begin)
        if sli.end < int(end):
            return None
        seconds = tuple(s for s in sli.seconds if s.time < end)
        return UserSli(
            ok=sum(s.ok for s in seconds),
            failed=sum(s.failed for s in seconds),
            p50_milliseconds=_median(seconds),
            begin=sli.begin,
            end=int(end),
            seconds=seconds,
        )

    async def served_again(self, time: float) -> float | None:
        """Return after how many seconds all requests succeed for good; None if never."""
        return served_again((await self.since(time)).seconds, time)

    async def _request(self, query: str) -> dict[str, Any]:
        services = f"/api/v1/namespaces/{users_namespace(self.namespace)}/services"
        path = f"{services}/http:{USERS}:{USERS_PORT}/proxy/{query}"
        try:
            response = await self.cluster.api.get_raw(path, _ANSWER_SECONDS)
            answer = json.loads(response.content) if response.status == 200 else {}
        except (ClusterError, ValueError):
            return {}
        return answer if isinstance(answer, dict) else {}


def served_again(seconds: tuple[SecondCounts, ...], time: float) -> float | None:
    """Return the seconds from `time` until the last uninterrupted run of successful seconds.

    A second without a request counts as failed. None when the last second failed.
    """
    failed = [s.time for s in seconds if s.failed or not s.ok]
    if not seconds or (failed and failed[-1] == seconds[-1].time):
        return None
    return max(0.0, failed[-1] + 1 - time) if failed else 0.0


def _parse_sli(answer: dict[str, Any]) -> UserSli:
    return UserSli(
        ok=int(answer.get("ok", 0)),
        failed=int(answer.get("failed", 0)),
        p50_milliseconds=answer.get("p50_milliseconds"),
        p95_milliseconds=answer.get("p95_milliseconds"),
        begin=float(answer.get("begin", 0)),
        end=float(answer.get("end", 0)),
        seconds=tuple(
            SecondCounts(int(s["time"]), int(s["ok"]), int(s["failed"]), s.get("p50_milliseconds"))
            for s in answer.get("seconds", ())
        ),
    )


def _median(seconds: tuple[SecondCounts, ...]) -> float | None:
    """Return the median of the medians of single seconds, weighted by their answers."""
    times = sorted((s.p50_milliseconds, s.ok) for s in seconds if s.p50_milliseconds is not None)
    remaining = sum(ok for _, ok in times) / 2
    for milliseconds, ok in times:
        remaining -= ok
        if remaining <= 0:
            return milliseconds
    return None

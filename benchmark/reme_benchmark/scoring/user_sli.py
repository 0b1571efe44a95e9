"""What users of a system feel at its front door, by the counts of the load generator beside it."""

import json
from dataclasses import dataclass
from typing import Any

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.systems.render import USERS, USERS_PORT, users_namespace
from reme_kube.errors import ClusterError

_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Second:
    """What became of the requests that were due in one second."""

    time: int  # seconds since 1970
    ok: int
    failed: int
    p50_milliseconds: float | None = None


@dataclass(frozen=True)
class UserSli:
    """What was felt from `begin` up to, not including, `end`."""

    ok: int = 0
    failed: int = 0
    p50_milliseconds: float | None = None
    p95_milliseconds: float | None = None
    begin: float = 0
    end: float = 0
    seconds: tuple[Second, ...] = ()

    @property
    def asked(self) -> int:
        """How many requests there were."""
        return self.ok + self.failed

    @property
    def percent(self) -> float:
        """Share of the requests that succeeded; 0 when there were none."""
        return 100 * self.ok / self.asked if self.asked else 0.0

    def __str__(self) -> str:
        middle = "" if self.p50_milliseconds is None else f", median {self.p50_milliseconds:.0f} ms"
        return f"{self.percent:.0f}% of {self.asked} requests answered{middle}"


@dataclass(frozen=True)
class Users:
    """The users of the system in one namespace; their counts come some three seconds late."""

    cluster: Cluster
    namespace: str

    async def felt(self, seconds: int) -> UserSli:
        """Return the last whole seconds whose requests have all ended; nothing if unknown."""
        return _felt(await self._ask(f"window?seconds={seconds}"))

    async def since(self, time: float) -> UserSli:
        """Return everything since a moment, second by second; nothing if unknown."""
        return _felt(await self._ask(f"since?time={time:.3f}"))

    async def between(self, begin: float, end: float) -> UserSli | None:
        """Return what was felt from one moment to another; None until that is known."""
        found = await self.since(begin)
        if found.end < int(end):
            return None
        chosen = tuple(s for s in found.seconds if s.time < end)
        return UserSli(
            ok=sum(s.ok for s in chosen),
            failed=sum(s.failed for s in chosen),
            p50_milliseconds=_middle(chosen),
            begin=found.begin,
            end=int(end),
            seconds=chosen,
        )

    async def served_again(self, time: float) -> float | None:
        """Return how many seconds after a moment every request succeeded for good; None: never."""
        return served_again((await self.since(time)).seconds, time)

    async def _ask(self, what: str) -> dict[str, Any]:
        where = f"/api/v1/namespaces/{users_namespace(self.namespace)}/services"
        path = f"{where}/http:{USERS}:{USERS_PORT}/proxy/{what}"
        try:
            answer = await self.cluster.api.get_raw(path, _ANSWER_SECONDS)
            found = json.loads(answer.content) if answer.status == 200 else {}
        except (ClusterError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def served_again(seconds: tuple[Second, ...], time: float) -> float | None:
    """Return the seconds from a moment to the first of the good seconds that the record ends with.

    A second without a request is no good one; the second in which the moment lies counts.
    """
    bad = [s.time for s in seconds if s.failed or not s.ok]
    if not seconds or (bad and bad[-1] == seconds[-1].time):
        return None
    return max(0.0, bad[-1] + 1 - time) if bad else 0.0


def _felt(found: dict[str, Any]) -> UserSli:
    return UserSli(
        ok=int(found.get("ok", 0)),
        failed=int(found.get("failed", 0)),
        p50_milliseconds=found.get("p50_milliseconds"),
        p95_milliseconds=found.get("p95_milliseconds"),
        begin=float(found.get("begin", 0)),
        end=float(found.get("end", 0)),
        seconds=tuple(
            Second(int(s["time"]), int(s["ok"]), int(s["failed"]), s.get("p50_milliseconds"))
            for s in found.get("seconds", ())
        ),
    )


def _middle(seconds: tuple[Second, ...]) -> float | None:
    """Return the median of the seconds' medians, each as often as it had answers."""
    times = sorted((s.p50_milliseconds, s.ok) for s in seconds if s.p50_milliseconds is not None)
    left = sum(ok for _, ok in times) / 2
    for milliseconds, ok in times:
        left -= ok
        if left <= 0:
            return milliseconds
    return None

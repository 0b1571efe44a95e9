"""A cluster in memory for the benchmark's own code, with its agents, users and time."""

import copy
import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reme_benchmark.injection.specs import Target
from reme_benchmark.scoring.user_sli import SecondCounts, UserSli
from reme_kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from reme_kube.responses import HttpResponse

Object = dict[str, Any]
NAMESPACE = "shop"
START = datetime(2026, 1, 1, tzinfo=UTC)


class QuickClock:
    """Time passes only while somebody sleeps, and then at once; `at` lets things happen in it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self._events.append((seconds, next(self._count), event))

    async def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        for event in sorted(e for e in self._events if e[0] <= until):
            self._events.remove(event)
            self.seconds = max(self.seconds, event[0])
            event[2]()
        self.seconds = until


class FakeApi:
    """What the API server proxies: answers by the service's name, else an empty page."""

    def __init__(self) -> None:
        self.answers: dict[str, HttpResponse | Exception] = {}
        self.paths: list[str] = []

    async def get_raw(self, path: str, timeout_seconds: float) -> HttpResponse:
        self.paths.append(path)
        for part, answer in self.answers.items():
            if part in path:
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return HttpResponse(200, b"{}")


class FakeCluster:
    """The methods of `Cluster`; `after` is called after every write, as controllers would act."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.api = FakeApi()
        self.after: Callable[[FakeCluster], None] = lambda _: None
        self.conflicts = 0  # so many replacements are refused
        self.writes: list[tuple[str, str, str]] = []
        self.fails: Exception | None = None
        self._count = itertools.count(1)

    def put(self, body: Object, **status: Any) -> Object:
        """Set an object as if it were there already, with a uid of its own unless it has one."""
        body = copy.deepcopy(body)
        meta = body["metadata"]
        number = next(self._count)
        meta.setdefault("uid", f"uid-{number}")
        meta.setdefault("generation", 1)
        meta["resourceVersion"] = str(number)
        if status:
            body["status"] = status
        self.objects[body["kind"], meta.get("namespace", ""), meta["name"]] = body
        return body

    def at(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        """Return an object to be changed in place."""
        return self.objects[kind, "" if kind == "Node" else namespace, name]

    def drop(self, kind: str, name: str, namespace: str = NAMESPACE) -> None:
        """Take an object away."""
        del self.objects[kind, namespace, name]

    def _check(self) -> None:
        if self.fails:
            raise self.fails

    async def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        self._check()
        obj = self.objects.get((kind, namespace, name))
        return copy.deepcopy(obj) if obj else None

    async def list(
        self, kind: str, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> "list[Object]":
        self._check()
        return [
            {"apiVersion": "v1", **copy.deepcopy(o)}
            for (k, n, _), o in sorted(self.objects.items())
            if k == kind and (not namespace or n == namespace)
            if (labels or {}).items() <= (o["metadata"].get("labels") or {}).items()
        ]

    async def create(self, body: Object) -> Object:
        key = (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if key in self.objects:
            raise AlreadyExistsError(str(key))
        self.writes.append(("create", key[0], key[2]))
        obj = self.put(body)
        self.after(self)
        return obj

    async def replace(self, body: Object) -> Object:
        key = (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError("changed since")
        if key not in self.objects:
            raise NotFoundError(str(key))
        old = self.objects[key]
        if body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise ConflictError("changed since")
        self.writes.append(("replace", key[0], key[2]))
        body = {**copy.deepcopy(body), "status": old.get("status", {})}
        if body.get("spec") != old.get("spec"):
            body["metadata"]["generation"] = old["metadata"]["generation"] + 1
        self.put(body)
        self.after(self)
        return body

    async def patch(
        self, kind: str, name: str, namespace: str, body: Any, how: str = "strategic"
    ) -> Object:
        if (kind, namespace, name) not in self.objects:
            raise NotFoundError(name)
        self.writes.append(("patch", kind, name))
        self.after(self)
        return self.objects[kind, namespace, name]

    async def delete(
        self, kind: str, name: str, namespace: str = "", grace: int | None = None
    ) -> bool:
        there = self.objects.pop((kind, namespace, name), None) is not None
        if there:
            self.writes.append(("delete", kind, name))
            self.after(self)
        return there


class FakeAgents:
    """What the node agent measures; whole answers, to be changed by tests."""

    def __init__(self) -> None:
        self.use: Object = {
            "cpu_millicores": 30.0,
            "cpu_limit_millicores": 300,
            "periods": 10,
            "throttled_periods": 0,
            "memory_bytes": 20 * 2**20,
            "memory_limit_bytes": 64 * 2**20,
        }
        self.speed: float = 200 * 2**20
        self.times: list[float] = [5.0]
        self.errors: dict[str, int] = {}
        self.fails: Exception | None = None
        self.measurements: list[str] = []
        self.memory: list[int] = []  # taken one after the other, where there are some

    async def usage(self, target: Target, seconds: float = 1.0) -> Object:
        self._check("usage")
        return self.use | ({"memory_bytes": self.memory.pop(0)} if self.memory else {})

    async def disk(self, target: Target, folder: str, *, size: int, seconds: float) -> Object:
        self._check(folder)
        written = min(size, int(self.speed * seconds))
        return {"bytes": written, "bytes_per_second": self.speed}

    async def network(
        self, target: Target, to: str, *, count: int = 5, timeout_seconds: float = 2.0
    ) -> Object:
        self._check(f"{target.pod}: {to}")
        lost = min(count, sum(self.errors.values()))
        times = (self.times * count)[: count - lost]
        return {"sent": count, "milliseconds": times, "errors": dict(self.errors)}

    def _check(self, what: str) -> None:
        self.measurements.append(what)
        if self.fails:
            raise self.fails


class FakeLoadGenerator:
    """The SLI of users: the same in every second until a test changes it."""

    def __init__(self, clock: QuickClock) -> None:
        self._clock = clock
        self.percent = 100
        self.p50: float | None = 20.0
        self.silent = False

    async def recent(self, seconds: int) -> UserSli:
        if self.silent:
            return UserSli()
        return UserSli(ok=self.percent, failed=100 - self.percent, p50_milliseconds=self.p50)

    async def between(self, begin: float, end: float) -> UserSli | None:
        if self.silent or self._clock.now().timestamp() < end + 3:
            return None
        return await self.recent(int(end - begin))

    async def since(self, time: float) -> UserSli:
        return UserSli(seconds=(SecondCounts(int(time), 1, 0),))

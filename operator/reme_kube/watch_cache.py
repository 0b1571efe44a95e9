"""Lists that are kept current by watches, for readers that poll.

A list is read when it is first requested, and a watch of the same list keeps it current. All its
readers share it. It is read again when its watch has ended, and when the watch was silent for
`MAX_SILENCE_SECONDS`, because a broken connection looks like a quiet one. A list that cannot be
watched (not permitted, too many objects or watches) is read each time, once for all readers that
wait for it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from reme_kube.errors import ClusterError
from reme_kube.http_client import ApiClient
from reme_kube.resources import POD_METRICS, Json, Resource

_log = logging.getLogger(__name__)

MAX_SILENCE_SECONDS = 10.0
"""How long a silent watch is trusted. Bookmarks come only once a minute."""
_WATCH_RETRY_SECONDS = 60.0
"""How long no watch is tried after the API server refused one."""
_UNWATCHABLE = {POD_METRICS: 5.0}
"""Resources without a watch, and for how many seconds a list of them is used; the metrics server
measures every 15 seconds."""
_IDLE_SECONDS = 60.0
"""A list that nobody has read for so long is dropped, with its watch."""
_MAX_WATCHES = 64
"""Each watch is a connection."""
_MAX_OBJECTS = 2000
"""Objects of one list that are kept in memory; about 1 KB each when `trim` drops what is unused."""
_NEVER = float("-inf")


class _Key(NamedTuple):
    resource: Resource
    namespace: str
    label_selector: str


@dataclass(slots=True)
class _CachedList:
    objects: dict[str, Json] = field(default_factory=dict)
    confirmed_at: float = _NEVER
    """When the server last sent something about it; the objects are not older."""
    read_at: float = _NEVER
    watch: asyncio.Task[None] | None = None
    no_watch_until: float = _NEVER
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def watched(self) -> bool:
        return self.watch is not None and not self.watch.done()


class WatchCache:
    """Lists of one API server; close it, or use it as a context manager.

    `trim` returns the part of an object that readers need. Readers must not change the objects.
    """

    def __init__(self, api: ApiClient, trim: Callable[[Json], Json] = dict) -> None:
        self._api = api
        self._trim = trim
        self._lists: dict[_Key, _CachedList] = {}
        self._eviction: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all watches."""
        if self._eviction:
            await _end(self._eviction)
        lists = list(self._lists.values())
        self._lists.clear()
        for cached in lists:
            await _end(cached.watch)

    async def list_resource(
        self, resource: Resource, namespace: str, label_selector: str = ""
    ) -> list[Json]:
        """Return the objects that match, by name, at most `MAX_SILENCE_SECONDS` old.

        Raises:
            ClusterError: the list had to be read, and could not be.

        """
        key = _Key(resource, namespace, label_selector)
        asked_at = _now()
        cached = self._lists.setdefault(key, _CachedList())
        cached.read_at = asked_at
        self._start_eviction()
        async with cached.lock:
            # A list that was begun after this call has the state that the caller asks for.
            if cached.confirmed_at < asked_at and not self._is_current(key, cached):
                await self._read(key, cached)
            return [cached.objects[name] for name in sorted(cached.objects)]

    def _is_current(self, key: _Key, cached: _CachedList) -> bool:
        watched = MAX_SILENCE_SECONDS if cached.watched else 0.0
        return _now() - cached.confirmed_at < _UNWATCHABLE.get(key.resource, watched)

    async def _read(self, key: _Key, cached: _CachedList) -> None:
        """Read the list, and watch it from there if that is possible."""
        await _end(cached.watch)
        cached.watch, cached.objects = None, {}
        cached.confirmed_at = _NEVER
        began_at = _now()
        items, version = await self._api.list_all(
            key.resource.path(key.namespace), _parameters(key)
        )
        cached.objects = {
            item["metadata"]["name"]: self._cached_object(key.resource, item) for item in items
        }
        cached.confirmed_at = began_at
        if version and len(items) <= _MAX_OBJECTS and self._may_watch(key, cached):
            cached.watch = asyncio.create_task(
                self._follow(key, cached, version), name=f"watch {key.resource.plural}"
            )

    def _may_watch(self, key: _Key, cached: _CachedList) -> bool:
        if key.resource in _UNWATCHABLE or _now() < cached.no_watch_until:
            return False
        return sum(one.watched for one in self._lists.values()) < _MAX_WATCHES

    async def _follow(self, key: _Key, cached: _CachedList, version: str) -> None:
        """Apply the events of a watch until it ends; the next reader reads the list again."""
        path, parameters = key.resource.path(key.namespace), _parameters(key)
        try:
            async with aclosing(
                self._api.watch(path, parameters | {"resourceVersion": version})
            ) as events:
                async for event in events:
                    self._apply(key.resource, cached, event)
                    if len(cached.objects) > _MAX_OBJECTS:
                        return
        except ClusterError as error:
            if not error.retryable and error.status != 410:
                cached.no_watch_until = _now() + _WATCH_RETRY_SECONDS
            _log.debug("watch_ended", extra={"path": path, "error": str(error)})
        except Exception:  # noqa: BLE001 - the next reader reads the list again
            _log.exception("watch_failed", extra={"path": path})

    def _apply(self, resource: Resource, cached: _CachedList, event: Json) -> None:
        cached.confirmed_at = _now()
        item = event.get("object") or {}
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                cached.objects[item["metadata"]["name"]] = self._cached_object(resource, item)
            case "DELETED":
                cached.objects.pop(item["metadata"]["name"], None)

    def _cached_object(self, resource: Resource, item: Json) -> Json:
        return self._trim({"apiVersion": resource.api_version, "kind": resource.kind, **item})

    def _start_eviction(self) -> None:
        if self._eviction is None or self._eviction.done():
            self._eviction = asyncio.create_task(self._evict(), name="watch cache eviction")

    async def _evict(self) -> None:
        """Drop idle lists until none is left."""
        while self._lists:
            await asyncio.sleep(_IDLE_SECONDS / 2)
            oldest = _now() - _IDLE_SECONDS
            for key, cached in list(self._lists.items()):
                if cached.read_at < oldest and not cached.lock.locked():
                    del self._lists[key]
                    await _end(cached.watch)


def _parameters(key: _Key) -> dict[str, str]:
    return {"labelSelector": key.label_selector} if key.label_selector else {}


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

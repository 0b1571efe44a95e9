"""Kubernetes Events: the newest ones about some objects, and posting one about an object."""

import asyncio
import heapq
import logging
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from reme_api.base import API_VERSION, GROUP, ApiObject
from reme_kube.errors import AlreadyExistsError, ClusterError
from reme_kube.http_client import ApiClient
from reme_kube.resources import EVENTS, Json

_log = logging.getLogger(__name__)

_MAX_EVENTS = 200
_MAX_NAME_SELECTORS = 16
"""Events of more objects than this are read with one LIST of the namespace: the API server reads
all events of the namespace for each field selector."""
_PAGE_SIZE = 500
_MAX_MESSAGE_CHARACTERS = 1024
_UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)


class EventType(StrEnum):
    """The severity of an event."""

    NORMAL = "Normal"
    WARNING = "Warning"


async def newest_events(api: ApiClient, namespace: str, names: Collection[str]) -> list[Json]:
    """Return the events that were seen last about objects of these names, oldest first.

    At most 200 events. All pages are read: the API server lists events by name, not by time.
    """
    selectors = (
        [f"involvedObject.name={name}" for name in sorted(set(names))]
        if len(set(names)) <= _MAX_NAME_SELECTORS
        else [""]
    )
    lists = await asyncio.gather(
        *(_newest_of_list(api, namespace, selector, set(names)) for selector in selectors)
    )
    return sorted((event for events in lists for event in events), key=_by_time)[-_MAX_EVENTS:]


async def _newest_of_list(
    api: ApiClient, namespace: str, field_selector: str, names: Collection[str]
) -> list[Json]:
    newest: list[tuple[datetime, int, Json]] = []  # a heap; the number keeps the order of equals
    number = 0
    async for event in _list_events(api, namespace, field_selector):
        if (event.get("involvedObject") or {}).get("name") not in names:
            continue
        number += 1
        entry = (_by_time(event), number, event)
        if len(newest) < _MAX_EVENTS:
            heapq.heappush(newest, entry)
        else:
            heapq.heappushpop(newest, entry)
    return [event for _, _, event in sorted(newest, key=lambda entry: entry[:2])]


async def _list_events(api: ApiClient, namespace: str, field_selector: str) -> AsyncIterator[Json]:
    params = {"fieldSelector": field_selector} if field_selector else None
    async for item in api.list_items(EVENTS.path(namespace), params, _PAGE_SIZE):
        yield {"apiVersion": EVENTS.api_version, "kind": EVENTS.kind, **item}


def last_seen(event: Json) -> datetime | None:
    """Return when an event was last seen, if it says so; the API has had three fields for it."""
    series = event.get("series") or {}
    return _first_time(
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    )


def first_seen(event: Json) -> datetime | None:
    """Return when an event was first seen, if it says so."""
    return _first_time(
        event.get("firstTimestamp"),
        event.get("eventTime"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    )


def _first_time(*texts: str | None) -> datetime | None:
    """Return the first of the texts that is a time."""
    for text in texts:
        try:
            time = datetime.fromisoformat(text or "")
        except ValueError:
            continue
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None


def _by_time(event: Json) -> datetime:
    return last_seen(event) or _UNKNOWN_TIME


async def post_event(
    api: ApiClient,
    about: ApiObject,
    event_type: EventType,
    reason: str,
    action: str,
    message: str,
    reporter: str,
) -> None:
    """Post an event about an object, once for the same text; never raises a ClusterError."""
    metadata, now = about.metadata, datetime.now(UTC).isoformat(timespec="seconds")
    content = "\n".join((metadata.uid, event_type, reason, action, message))
    event = {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {
            "name": f"{metadata.name[:200]}.{sha256(content.encode()).hexdigest()[:16]}",
            "namespace": metadata.namespace,
        },
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": about.KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
        "type": event_type,
        "reason": reason,
        "action": action,
        "message": message[:_MAX_MESSAGE_CHARACTERS],
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": "reme"},
        "reportingComponent": f"{GROUP}/operator",
        "reportingInstance": reporter[:128],
    }
    try:
        await api.create(EVENTS.path(metadata.namespace), event)
    except AlreadyExistsError:
        pass
    except ClusterError as error:
        # Everything that matters is in the status too.
        _log.info("event_not_posted", extra={"reason": reason, "error": str(error)})

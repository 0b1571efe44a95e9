"""Reads of a workload and of what belongs to it, by ownership and not by names alone."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from reme_api.parsing import parse_int
from reme_kube.errors import NotFoundError, UnreadableError
from reme_kube.http_client import ApiClient, Json
from reme_kube.resources import (
    CONTROLLER_REVISIONS,
    EVENTS,
    PODS,
    REPLICA_SETS,
    WORKLOADS,
    Resource,
)

MOST_OBJECTS = 20_000
_MOST_EVENTS_READ = 5_000
_MOST_EVENTS = 200
_REVISION = "deployment.kubernetes.io/revision"


async def each(
    api: ApiClient, resource: Resource, namespace: str | None = None, selector: str = ""
) -> AsyncIterator[Json]:
    """Yield the objects that the selector matches, with the kind that lists leave out.

    Raises:
        UnreadableError: when there are more than 20,000.

    """
    params = {"labelSelector": selector} if selector else None
    number = 0
    async for item in api.list_items(resource.path(namespace), params):
        number += 1
        if number > MOST_OBJECTS:
            raise UnreadableError(f"more than {MOST_OBJECTS} {resource.plural}")
        yield {"apiVersion": resource.api_version, "kind": resource.kind, **item}


async def find(
    api: ApiClient, resource: Resource, namespace: str | None = None, selector: str = ""
) -> list[Json]:
    """Return all that `each` yields."""
    return [item async for item in each(api, resource, namespace, selector)]


def workload_resource(kind: str) -> Resource:
    """Return where a kind of workload is served; NotFoundError when it is none."""
    try:
        return WORKLOADS[kind]
    except KeyError:
        raise NotFoundError(f"{kind} is not a kind of workload that reme knows") from None


def label_selector(selector: Mapping[str, object] | None) -> str:
    """Return the text form of a selector of the API.

    Raises:
        UnreadableError: for an operator that is not one, or a selector that would match everything.

    """
    parts: list[str] = []
    given = selector or {}
    labels = given.get("matchLabels")
    if isinstance(labels, Mapping):
        parts += [f"{key}={value}" for key, value in sorted(labels.items())]
    expressions = given.get("matchExpressions")
    for one in expressions if isinstance(expressions, list) else ():
        values = ",".join(one.get("values") or ())
        form = {
            "In": f"{one['key']} in ({values})",
            "NotIn": f"{one['key']} notin ({values})",
            "Exists": one["key"],
            "DoesNotExist": f"!{one['key']}",
        }.get(one["operator"])
        if form is None:
            raise UnreadableError(f"selector operator {one['operator']} is unknown")
        parts.append(form)
    if not parts:
        raise UnreadableError("the workload has no selector")
    return ",".join(parts)


async def revisions(api: ApiClient, workload: Json) -> list[Json]:
    """Return its own ReplicaSets or ControllerRevisions, newest revision first."""
    meta = workload["metadata"]
    deployment = workload["kind"] == "Deployment"
    resource = REPLICA_SETS if deployment else CONTROLLER_REVISIONS
    selector = label_selector(workload["spec"].get("selector"))
    found = await find(api, resource, meta["namespace"], selector)
    owned = [item for item in found if _controller(item) == meta["uid"]]
    return sorted(owned, key=_number, reverse=True)


async def pods(api: ApiClient, workload: Json) -> list[Json]:
    """Return the pods that the workload controls, itself or through a ReplicaSet, oldest first."""
    meta = workload["metadata"]
    owners = {meta["uid"]}
    if workload["kind"] == "Deployment":
        owners = {item["metadata"]["uid"] for item in await revisions(api, workload)}
    selector = label_selector(workload["spec"].get("selector"))
    found = await find(api, PODS, meta["namespace"], selector)
    owned = [item for item in found if _controller(item) in owners]
    return sorted(owned, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")


async def events(api: ApiClient, namespace: str, names: Sequence[str]) -> list[Json]:
    """Return the newest events about objects of these names, oldest of them first."""
    wanted, found, read = set(names), list[Json](), 0
    async for item in api.list_items(EVENTS.path(namespace)):
        read += 1
        if (item.get("involvedObject") or {}).get("name") in wanted:
            found.append({"apiVersion": EVENTS.api_version, "kind": EVENTS.kind, **item})
        if read == _MOST_EVENTS_READ:
            break  # a flood of events must not keep a repair waiting
    return sorted(found, key=_seen)[-_MOST_EVENTS:]


def _controller(item: Json) -> str:
    owners = item["metadata"].get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def _number(item: Json) -> int:
    if item["kind"] == CONTROLLER_REVISIONS.kind:
        return int(item.get("revision") or 0)
    annotations = item["metadata"].get("annotations") or {}
    return parse_int(str(annotations.get(_REVISION, ""))) or 0


def _seen(event: Json) -> datetime:
    """Return when an event was last seen; the API has had three fields for that."""
    series = event.get("series") or {}
    for text in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    ):
        if text:
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                continue
    return datetime.min.replace(tzinfo=UTC)

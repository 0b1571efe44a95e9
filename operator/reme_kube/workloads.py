"""Lists objects, and reads the revisions and pods of a workload by ownership, not by name."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from reme_api.parsing import parse_int
from reme_kube.errors import NotFoundError, UnreadableError
from reme_kube.http_client import MAX_OBJECTS, ApiClient
from reme_kube.resources import (
    CONTROLLER_REVISIONS,
    PODS,
    REPLICA_SETS,
    WORKLOADS,
    Json,
    Resource,
)

Lister = Callable[[Resource, str, str], Awaitable[list[Json]]]
"""Returns the objects of a resource in a namespace that match a label selector."""

_REVISION_ANNOTATION = "deployment.kubernetes.io/revision"


async def iterate(
    api: ApiClient, resource: Resource, namespace: str | None = None, selector: str = ""
) -> AsyncIterator[Json]:
    """Yield the objects that match a label selector, with `apiVersion` and `kind` filled in.

    Raises:
        UnreadableError: there are more than 20,000.

    """
    params = {"labelSelector": selector} if selector else None
    number = 0
    async for item in api.list_items(resource.path(namespace), params):
        number += 1
        if number > MAX_OBJECTS:
            raise UnreadableError(f"more than {MAX_OBJECTS} {resource.plural}")
        yield {"apiVersion": resource.api_version, "kind": resource.kind, **item}


async def list_resource(
    api: ApiClient, resource: Resource, namespace: str | None = None, selector: str = ""
) -> list[Json]:
    """Return all that `iterate` yields."""
    return [item async for item in iterate(api, resource, namespace, selector)]


def workload_resource(kind: str) -> Resource:
    """Return the resource of a kind of workload; NotFoundError when it is not one."""
    try:
        return WORKLOADS[kind]
    except KeyError:
        raise NotFoundError(
            f"{kind} is not a supported workload: use {', '.join(WORKLOADS)}"
        ) from None


def equality_selector(labels: Mapping[str, str]) -> str:
    """Return the selector of objects that have all of these labels."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def label_selector(selector: Mapping[str, object] | None) -> str:
    """Return the text form of a LabelSelector.

    Raises:
        UnreadableError: an operator is unknown, or the selector would match everything.

    """
    selector = selector or {}
    parts: list[str] = []
    labels = selector.get("matchLabels")
    if isinstance(labels, Mapping) and labels:
        parts.append(equality_selector(labels))
    expressions = selector.get("matchExpressions")
    for expression in expressions if isinstance(expressions, list) else ():
        key, values = expression["key"], ",".join(expression.get("values") or ())
        part = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }.get(expression["operator"])
        if part is None:
            raise UnreadableError(f"unknown selector operator {expression['operator']}")
        parts.append(part)
    if not parts:
        raise UnreadableError("the workload has no selector")
    return ",".join(parts)


async def revisions(lister: Lister, workload: Json) -> list[Json]:
    """Return the workload's own ReplicaSets or ControllerRevisions, newest revision first."""
    resource = REPLICA_SETS if workload["kind"] == "Deployment" else CONTROLLER_REVISIONS
    selector = label_selector(workload["spec"].get("selector"))
    items = await lister(resource, workload["metadata"]["namespace"], selector)
    return sorted(_owned_by(items, {workload["metadata"]["uid"]}), key=_revision, reverse=True)


async def pods(lister: Lister, workload: Json) -> list[Json]:
    """Return the pods that the workload controls, itself or through a ReplicaSet, oldest first."""
    owners = {workload["metadata"]["uid"]}
    if workload["kind"] == "Deployment":
        owners = {item["metadata"]["uid"] for item in await revisions(lister, workload)}
    selector = label_selector(workload["spec"].get("selector"))
    items = await lister(PODS, workload["metadata"]["namespace"], selector)
    return sorted(
        _owned_by(items, owners), key=lambda pod: pod["metadata"].get("creationTimestamp") or ""
    )


def _owned_by(items: list[Json], owners: set[str]) -> list[Json]:
    """Return the objects whose controller has one of these UIDs."""
    return [item for item in items if _controller_uid(item) in owners]


def _controller_uid(item: Json) -> str:
    owners = item["metadata"].get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def _revision(item: Json) -> int:
    if item["kind"] == CONTROLLER_REVISIONS.kind:
        return int(item.get("revision") or 0)
    annotations = item["metadata"].get("annotations") or {}
    return parse_int(str(annotations.get(_REVISION_ANNOTATION, ""))) or 0

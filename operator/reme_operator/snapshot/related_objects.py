"""Lists what limits a workload, routes traffic to it or refuses its pods.

An object that reme may not read counts as absent. An error that may pass is raised instead, so that
the step is retried: otherwise a rollback would skip an object that only could not be read.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reme_kube.errors import ForbiddenError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import (
    CONFIG_MAPS,
    JOBS,
    NODES,
    RELATED_RESOURCES,
    SERVICES,
    WORKLOADS,
    Json,
    Resource,
)
from reme_operator.snapshot.parsing import by_ref
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef

Objects = dict[ObjectRef, Mapping[str, Any]]

_MAX_OF_KIND = 32
_MAX_NODES = 32
_RESOURCE_BY_KIND = {
    r.kind: r for r in (*RELATED_RESOURCES, CONFIG_MAPS, NODES, SERVICES, *WORKLOADS.values())
}


async def list_related(cluster: Cluster, namespace: str) -> Objects:
    """Return the objects of a namespace that limit its workloads or route traffic to them."""
    lists = await asyncio.gather(
        *(_list_readable(cluster, resource, namespace) for resource in RELATED_RESOURCES)
    )
    objects: Objects = {}
    for resource, items in zip(RELATED_RESOURCES, lists, strict=True):
        objects |= by_ref(resource.kind, namespace, items[:_MAX_OF_KIND])
    return objects


async def list_nodes(cluster: Cluster) -> tuple[Objects, frozenset[tuple[str, str]] | None]:
    """Return the nodes that refuse pods, and every label that some node has.

    The labels are None when nodes may not be read.
    """
    try:
        nodes = await cluster.list_resource(NODES)
    except (ForbiddenError, NotFoundError):
        return {}, None
    refusing = [node for node in nodes if _refuses_pods(node)]
    labels = (unstructured.strings(node, "metadata", "labels").items() for node in nodes)
    return (
        by_ref("Node", "", refusing[:_MAX_NODES]),
        frozenset(pair for pairs in labels for pair in pairs),
    )


async def get_missing(
    cluster: Cluster, refs: Sequence[ObjectRef], known: Iterable[ObjectRef]
) -> Objects:
    """Return those of the objects that exist and are not known yet."""

    async def get(ref: ObjectRef) -> Json | None:
        try:
            return await cluster.get(_RESOURCE_BY_KIND[ref.kind], ref.namespace, ref.name)
        except (ForbiddenError, NotFoundError):
            return None

    known = set(known)
    missing = [r for r in dict.fromkeys(refs) if r not in known and r.kind in _RESOURCE_BY_KIND]
    items = await asyncio.gather(*map(get, missing))
    return {ref: item for ref, item in zip(missing, items, strict=True) if item is not None}


async def _list_readable(cluster: Cluster, resource: Resource, namespace: str) -> list[Json]:
    try:
        items = await cluster.list_resource(resource, namespace)
    except (ForbiddenError, NotFoundError):
        return []  # not installed, or not permitted
    if resource is JOBS:
        # The Jobs of a CronJob are many, and no workload waits for them: only suspended ones count.
        return [job for job in items if unstructured.at(job, "spec", "suspend") is True]
    return items


def _refuses_pods(node: Json) -> bool:
    return bool(
        unstructured.at(node, "spec", "unschedulable") or unstructured.items(node, "spec", "taints")
    )

"""Reads what limits a workload, leads to it or refuses its pods; what may not be read is not there.

An error that may pass is no "not there": it is raised, and the step is tried again. Otherwise an
undo would leave alone what it only could not see.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

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
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef

Found = dict[ObjectRef, Mapping[str, Any]]

_MOST_OF_A_KIND = 32
_MOST_NODES = 32
_BY_KIND = {
    r.kind: r for r in (*RELATED_RESOURCES, CONFIG_MAPS, NODES, SERVICES, *WORKLOADS.values())
}


async def list_related(cluster: Cluster, namespace: str) -> Found:
    """Return the objects of a namespace that limit its workloads or lead to them."""
    lists = await asyncio.gather(*(_list(cluster, kind, namespace) for kind in RELATED_RESOURCES))
    return {
        key: item
        for resource, found in zip(RELATED_RESOURCES, lists, strict=True)
        for item in (_open_jobs(found) if resource is JOBS else found)[:_MOST_OF_A_KIND]
        for key in _key(resource.kind, namespace, item)
    }


async def nodes(cluster: Cluster) -> tuple[Found, frozenset[tuple[str, str]] | None]:
    """Return the nodes that refuse pods, and every label that some node has.

    None for the labels where nodes may not be read.
    """
    try:
        found = await cluster.list_resource(NODES)
    except (ForbiddenError, NotFoundError):
        return {}, None
    refusing = [
        n
        for n in found
        if unstructured.at(n, "spec", "unschedulable") or unstructured.items(n, *_TAINTS)
    ]
    labels = (unstructured.strings(node, "metadata", "labels").items() for node in found)
    return (
        {key: item for item in refusing[:_MOST_NODES] for key in _key("Node", "", item)},
        frozenset(pair for pairs in labels for pair in pairs),
    )


_TAINTS = ("spec", "taints")


async def get_missing(
    cluster: Cluster, wanted: Sequence[ObjectRef], known: Iterable[ObjectRef]
) -> Found:
    """Return those of the wanted objects that are there and were not read yet."""

    async def one(key: ObjectRef) -> Json | None:
        try:
            return await cluster.get(_BY_KIND[key.kind], key.namespace, key.name)
        except (ForbiddenError, NotFoundError):
            return None

    keys = [key for key in dict.fromkeys(wanted) if key not in set(known) and key.kind in _BY_KIND]
    found = await asyncio.gather(*(one(key) for key in keys))
    return {key: item for key, item in zip(keys, found, strict=True) if item is not None}


def _open_jobs(found: list[Json]) -> list[Json]:
    # The Jobs of a CronJob are many, and none is waited for.
    return [job for job in found if unstructured.at(job, "spec", "suspend") is True]


async def _list(cluster: Cluster, resource: Resource, namespace: str) -> list[Json]:
    try:
        return await cluster.list_resource(resource, namespace)
    except (ForbiddenError, NotFoundError):
        return []  # not installed, or not for reme to see


def _key(kind: str, namespace: str, item: Json) -> Iterator[ObjectRef]:
    try:
        yield ObjectRef(kind, namespace, unstructured.text(item, "metadata", "name"))  # type: ignore[arg-type]
    except ValidationError:
        return  # a name that no action could be about

"""Reads what limits a workload, leads to it or refuses its pods; what may not be read is not there.

An error that may pass is no "not there": it is raised, and the step is tried again. Otherwise an
undo would leave alone what it only could not see.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from reme_operator.clients.errors import ForbiddenError, NotFoundError
from reme_operator.clients.protocols import Cluster, Json
from reme_operator.clients.resources import (
    AROUND,
    CONFIG_MAPS,
    JOBS,
    NODES,
    SERVICES,
    WORKLOADS,
    Resource,
)
from reme_sandbox import raw, views
from reme_sandbox.keys import ObjectKey
from reme_sandbox.live import Callee, LiveState

Found = dict[ObjectKey, Mapping[str, Any]]

_MOST_OF_A_KIND = 32
_MOST_NODES = 32
_BY_KIND = {r.kind: r for r in (*AROUND, CONFIG_MAPS, NODES, SERVICES, *WORKLOADS.values())}


async def around(cluster: Cluster, namespace: str) -> Found:
    """Return the objects of a namespace that limit its workloads or lead to them."""
    lists = await asyncio.gather(*(_list(cluster, kind, namespace) for kind in AROUND))
    return {
        key: item
        for resource, found in zip(AROUND, lists, strict=True)
        for item in (_open_jobs(found) if resource is JOBS else found)[:_MOST_OF_A_KIND]
        for key in _key(resource.kind, namespace, item)
    }


async def nodes(cluster: Cluster) -> tuple[Found, frozenset[tuple[str, str]] | None]:
    """Return the nodes that refuse pods, and every label that some node has.

    None for the labels where nodes may not be read.
    """
    try:
        found = await cluster.find(NODES)
    except (ForbiddenError, NotFoundError):
        return {}, None
    refusing = [n for n in found if raw.at(n, "spec", "unschedulable") or raw.items(n, *_TAINTS)]
    labels = (raw.strings(node, "metadata", "labels").items() for node in found)
    return (
        {key: item for item in refusing[:_MOST_NODES] for key in _key("Node", "", item)},
        frozenset(pair for pairs in labels for pair in pairs),
    )


_TAINTS = ("spec", "taints")


async def missing(
    cluster: Cluster, wanted: Sequence[ObjectKey], known: Iterable[ObjectKey]
) -> Found:
    """Return those of the wanted objects that are there and were not read yet."""

    async def one(key: ObjectKey) -> Json | None:
        try:
            return await cluster.get(_BY_KIND[key.kind], key.namespace, key.name)
        except (ForbiddenError, NotFoundError):
            return None

    keys = [key for key in dict.fromkeys(wanted) if key not in set(known) and key.kind in _BY_KIND]
    found = await asyncio.gather(*(one(key) for key in keys))
    return {key: item for key, item in zip(keys, found, strict=True) if item is not None}


def callers(
    workloads: Sequence[Json], services: Sequence[Json], live: LiveState
) -> tuple[ObjectKey, ...]:
    """Return the workloads whose templates name a Service of the target."""
    own = [raw.text(s, "metadata", "name") for s in services if _leads_to(s, live.pod_labels)]
    found = [
        key
        for item in workloads
        for key in _key(raw.text(item, "kind"), live.target.namespace, item)
        if key != live.target and any(_names(_settings(item), [name]) for name in own)
    ]
    return tuple(sorted(found))


def callees(services: Sequence[Json], live: LiveState) -> tuple[Callee, ...]:
    """Return the Services that the target's template or ConfigMaps name, and where they lead."""
    config = [text for name in live.config_map_names for text in live.config_map(name).values()]
    said = " ".join([_settings(live.workload), *config])
    found = []
    for item in services:
        view = views.service(item, {})
        if view.selector and not _leads_to(item, live.pod_labels) and _names(said, [view.name]):
            ports = tuple(dict.fromkeys(port.target_port for port in view.ports))
            found.append(Callee(view.name, view.selector, ports))
    return tuple(sorted(found, key=lambda callee: callee.service))


def _settings(workload: Mapping[str, Any]) -> str:
    """Return what the containers of a workload are told, as one text to look names up in."""
    spec = raw.mapping(workload, "spec", "template", "spec")
    told = [
        {key: container.get(key) for key in ("command", "args", "env")}
        for container in (*raw.items(spec, "containers"), *raw.items(spec, "initContainers"))
    ]
    return json.dumps(told)


def _names(text: str, names: Iterable[str]) -> bool:
    # As a whole word: `cart` is not named by `cart-db`.
    return any(re.search(rf"(?<![-A-Za-z0-9]){re.escape(n)}(?![-A-Za-z0-9])", text) for n in names)


def _leads_to(service: Json, labels: Mapping[str, str]) -> bool:
    return views.selects(raw.strings(service, "spec", "selector"), labels)


def _open_jobs(found: list[Json]) -> list[Json]:
    # The Jobs of a CronJob are many, and none is waited for.
    return [job for job in found if raw.at(job, "spec", "suspend") is True]


async def _list(cluster: Cluster, resource: Resource, namespace: str) -> list[Json]:
    try:
        return await cluster.find(resource, namespace)
    except (ForbiddenError, NotFoundError):
        return []  # not installed, or not for reme to see


def _key(kind: str, namespace: str, item: Json) -> Iterator[ObjectKey]:
    try:
        yield ObjectKey(kind, namespace, raw.text(item, "metadata", "name"))  # type: ignore[arg-type]
    except ValidationError:
        return  # a name that no action could be about

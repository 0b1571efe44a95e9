"""Reads the pods behind the Services that a target depends on, in parallel and bounded."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from reme_kube.errors import ForbiddenError
from reme_kube.protocols import Cluster
from reme_kube.resources import PODS, Json
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.dependencies import dependencies, dependent_services
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_SERVICES = 8
_MAX_PODS = 32


async def read_dependencies(
    cluster: Cluster,
    snapshot: ClusterSnapshot,
    services: Sequence[Json],
    workloads: Sequence[Json],
    texts: Sequence[str],
) -> tuple[Dependency, ...]:
    """Return what the target depends on; of more than 8 Services the pods are not read.

    Only the target's namespace is read: what is elsewhere is none of the report's business.
    """

    async def pods(service: Mapping[str, Any]) -> tuple[str, list[Json]] | None:
        selector = unstructured.strings(service, "spec", "selector")
        try:
            selected = await cluster.list_resource(PODS, snapshot.target.namespace, selector)
        except ForbiddenError:
            return None
        return unstructured.text(service, "metadata", "name"), selected[:_MAX_PODS]

    read = await asyncio.gather(*map(pods, dependent_services(snapshot, services)[:_MAX_SERVICES]))
    behind = dict(entry for entry in read if entry is not None)
    return dependencies(snapshot, services, workloads, behind, texts)

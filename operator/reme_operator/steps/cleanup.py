"""Deletes what a run was given: its rights first, its result last."""

import asyncio
import contextlib
from typing import NamedTuple

from reme_kube.errors import ForbiddenError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import (
    CLUSTER_ROLE_BINDINGS,
    CONFIG_MAPS,
    JOBS,
    ROLE_BINDINGS,
    RUN_GRANTS,
    SERVICE_ACCOUNTS,
    Json,
    Resource,
)
from reme_operator.names import REMEDIATION_UID_LABEL
from reme_playbook.execution.grants import CLUSTER_ROLES, RUN_ROLES
from reme_playbook.execution.manifests import RESULT_ROLE


class RunLocation(NamedTuple):
    """Where the objects of a run are."""

    run: str
    release_namespace: str
    target_namespace: str
    uid: str  # of the remediation that they belong to


async def delete_run(cluster: Cluster, location: RunLocation) -> None:
    """Delete every object of a run that exists and belongs to its remediation."""
    await revoke_rbac(cluster, location)
    # The result goes last: while its claim exists, no Job of this run can start a second time.
    await _delete(cluster, JOBS, location, location.run)
    await asyncio.gather(
        _delete(cluster, SERVICE_ACCOUNTS, location, location.run),
        _delete(cluster, CONFIG_MAPS, location, f"{location.run}-input"),
        _delete(cluster, CONFIG_MAPS, location, f"{location.run}-result"),
    )


async def revoke_rbac(cluster: Cluster, location: RunLocation) -> None:
    """Delete the RoleBindings, then the grant: without a grant RBAC alone would decide."""
    roles = sorted({*RUN_ROLES, RESULT_ROLE} - CLUSTER_ROLES)
    await asyncio.gather(
        *(
            _delete_cluster_binding(cluster, location, f"{location.run}-{role}")
            for role in CLUSTER_ROLES
        ),
        *(
            _delete(
                cluster,
                ROLE_BINDINGS,
                location,
                f"{location.run}-{role}",
                location.release_namespace if role == RESULT_ROLE else location.target_namespace,
            )
            for role in roles
        ),
    )
    await _delete(cluster, RUN_GRANTS, location, location.run)


async def _delete_cluster_binding(cluster: Cluster, location: RunLocation, name: str) -> None:
    # Where reme watches only some namespaces it may not read them, and has never created one.
    with contextlib.suppress(ForbiddenError):
        binding = await get_owned(cluster, CLUSTER_ROLE_BINDINGS, "", name, location.uid)
        if binding is not None:
            await cluster.delete(CLUSTER_ROLE_BINDINGS, "", name, binding["metadata"].get("uid"))


async def _delete(
    cluster: Cluster, resource: Resource, location: RunLocation, name: str, namespace: str = ""
) -> None:
    place = namespace or location.release_namespace
    item = await get_owned(cluster, resource, place, name, location.uid)
    if item is not None:
        await cluster.delete(resource, place, name, item["metadata"].get("uid"))


async def get_owned(
    cluster: Cluster, resource: Resource, namespace: str, name: str, remediation_uid: str
) -> Json | None:
    """Return the object if it exists and belongs to that remediation."""
    try:
        item = await cluster.get(resource, namespace, name)
    except NotFoundError:
        return None
    labels = item["metadata"].get("labels") or {}
    return item if labels.get(REMEDIATION_UID_LABEL) == remediation_uid else None

"""Takes away what a run was given: its rights first, what it left behind last."""

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


async def delete_run(cluster: Cluster, place: RunLocation) -> None:
    """Remove everything of a run that is there and belongs to its remediation."""
    await revoke_rbac(cluster, place)
    # The claim goes last: while it is there, no Job of this run can begin a second time.
    await _remove(cluster, JOBS, place, place.run)
    await asyncio.gather(
        _remove(cluster, SERVICE_ACCOUNTS, place, place.run),
        _remove(cluster, CONFIG_MAPS, place, f"{place.run}-input"),
        _remove(cluster, CONFIG_MAPS, place, f"{place.run}-result"),
    )


async def revoke_rbac(cluster: Cluster, place: RunLocation) -> None:
    """Remove the RoleBindings, then the grant: without a grant RBAC alone would decide."""
    roles = sorted({*RUN_ROLES, RESULT_ROLE} - CLUSTER_ROLES)
    await asyncio.gather(
        *(_take_everywhere(cluster, place, f"{place.run}-{role}") for role in CLUSTER_ROLES),
        *(
            _remove(
                cluster,
                ROLE_BINDINGS,
                place,
                f"{place.run}-{role}",
                place.release_namespace if role == RESULT_ROLE else place.target_namespace,
            )
            for role in roles
        ),
    )
    await _remove(cluster, RUN_GRANTS, place, place.run)


async def _take_everywhere(cluster: Cluster, place: RunLocation, name: str) -> None:
    # Where reme watches only some namespaces it may not ask, and has never made one.
    with contextlib.suppress(ForbiddenError):
        found = await own(cluster, CLUSTER_ROLE_BINDINGS, "", name, place.uid)
        if found is not None:
            await cluster.delete(CLUSTER_ROLE_BINDINGS, "", name, found["metadata"].get("uid"))


async def _remove(
    cluster: Cluster, resource: Resource, place: RunLocation, name: str, namespace: str = ""
) -> None:
    where = namespace or place.release_namespace
    found = await own(cluster, resource, where, name, place.uid)
    if found is not None:
        await cluster.delete(resource, where, name, found["metadata"].get("uid"))


async def own(
    cluster: Cluster, resource: Resource, namespace: str, name: str, uid: str
) -> Json | None:
    """Return the object if it exists and belongs to the remediation of that UID."""
    try:
        found = await cluster.get(resource, namespace, name)
    except NotFoundError:
        return None
    labels = found["metadata"].get("labels") or {}
    return found if labels.get(REMEDIATION_UID_LABEL) == uid else None

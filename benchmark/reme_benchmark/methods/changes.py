"""Changes that methods make with an administrator's rights, without any limits of reme."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from reme_benchmark.kube.cluster import Cluster
from reme_kube.errors import ConflictError, InvalidError
from reme_operator.probes.rollout import rollout_sample
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.json_patch import JsonPatchAction
from reme_playbook.actions.node import RemoveTaint
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.snapshot.field_path import merge_patch
from reme_playbook.snapshot.revisions import (
    REVISION_RESOURCES,
    own_revisions,
    select_revision,
    template_patch,
)


async def restart(cluster: Cluster, kind: str, name: str, namespace: str) -> None:
    """Replace the pods of a workload by its own update strategy."""
    stamp = {"reme.dev/restarted-at": f"bench-{time.time():.0f}"}
    body = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    await cluster.patch(kind, name, namespace, body, "merge")


async def rolled_out(
    cluster: Cluster, kind: str, name: str, namespace: str, timeout_seconds: float
) -> bool:
    """Wait until a workload is rolled out; return whether it is."""
    until = time.monotonic() + timeout_seconds
    while time.monotonic() < until:
        workload = await cluster.get(kind, name, namespace)
        if workload is not None and rollout_sample({"kind": kind, **workload}, 0).passed:
            return True
        await asyncio.sleep(0.5)
    return False


async def perform(cluster: Cluster, playbook: Sequence[dict[str, Any]]) -> tuple[Action, ...]:
    """Compile a playbook and carry out its actions in order; return them.

    Raises:
        RejectedPlaybookError: it does not compile.
        ClusterError: the API server refused one of them.
    """
    actions = compile_playbook(json.dumps(list(playbook)))
    await carry_out(cluster, actions)
    return actions


async def carry_out(cluster: Cluster, actions: Sequence[Action]) -> None:
    """Carry out actions in order, one change for each.

    Raises:
        ClusterError: the API server refused one of them; those before it are done.
    """
    for action in actions:
        await _perform(cluster, action)


async def _perform(cluster: Cluster, action: Action) -> None:
    key = action.target
    namespace = key.namespace
    if isinstance(action, DeletePod):
        await cluster.delete("Pod", key.name, namespace)
    elif isinstance(action, Rollback):
        await _roll_back(cluster, action, namespace)
    elif isinstance(action, Scale):
        body = {"spec": {"replicas": action.replicas}}
        await cluster.patch(key.kind, key.name, namespace, body, "merge")
    elif isinstance(action, RemoveTaint):
        await _untaint(cluster, action)
    elif isinstance(action, JsonPatchAction):
        # Only their place tells the entries of these lists apart.
        await cluster.patch(key.kind, key.name, namespace, action.operations(), "json")
    else:
        await cluster.patch(key.kind, key.name, namespace, merge_patch(action.writes("bench")))


async def _untaint(cluster: Cluster, action: RemoveTaint) -> None:
    node = await cluster.api.get(cluster.path("Node", "", action.target.name))
    taints = node["spec"].get("taints") or []
    remaining = [t for t in taints if (t["key"], t["effect"]) != (action.key, action.effect)]
    await cluster.patch(
        "Node", action.target.name, "", {"spec": {"taints": remaining or None}}, "merge"
    )


async def _roll_back(cluster: Cluster, action: Rollback, namespace: str) -> None:
    key = action.target
    for last in (False, False, False, False, True):
        workload = await cluster.api.get(cluster.path(key.kind, namespace, key.name))
        path = f"/apis/apps/v1/namespaces/{namespace}/{REVISION_RESOURCES[key.kind]}"
        known = own_revisions(
            workload, key.kind, [item async for item in cluster.api.list_items(path)]
        )
        patch = template_patch(workload, select_revision(workload, known, action.revision))
        try:
            await cluster.patch(key.kind, key.name, namespace, patch, "json")
        except (ConflictError, InvalidError):
            # Its status changed in between, which a crashing pod does every moment.
            if last:
                raise
        else:
            return

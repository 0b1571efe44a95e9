"""Reads and deletes the revisions of workloads, which are what a rollback returns to."""

import asyncio

from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scoring.snapshot import WORKLOADS, controller

_REVISION = "deployment.kubernetes.io/revision"


async def templates(cluster: Cluster, namespace: str) -> dict[str, Object]:
    """Return the pod template of every controller of pods, by its uid."""
    lists = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in ("ReplicaSet", "StatefulSet", "DaemonSet"))
    )
    return {
        item["metadata"]["uid"]: item["spec"]["template"]
        for items in lists
        for item in items
        if not item["metadata"].get("deletionTimestamp")
    }


async def delete_unused(cluster: Cluster, namespace: str) -> list[str]:
    """Delete every revision that is not in use; return their names."""
    *lists, sets, controls = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in WORKLOADS),
        cluster.list("ReplicaSet", namespace),
        cluster.list("ControllerRevision", namespace),
    )
    workloads = {w["metadata"]["uid"]: w for items in lists for w in items}
    old = [
        item
        for item in (*sets, *controls)
        if (owner := controller(item))
        and (workload := workloads.get(owner["uid"]))
        and not _in_use(item, workload, controls)
    ]
    for item in old:
        await cluster.delete(item["kind"], item["metadata"]["name"], namespace)
    return [f"{item['kind']}/{item['metadata']['name']}" for item in old]


def _in_use(item: Object, workload: Object, controls: list[Object]) -> bool:
    status = workload.get("status") or {}
    if item["kind"] == "ReplicaSet":
        # Before the controller has observed the newest template, no revision is known to be old.
        observed = status.get("observedGeneration") == workload["metadata"].get("generation")
        return not observed or _revision(item) == _revision(workload)
    if workload["kind"] == "StatefulSet":
        used = (status.get("currentRevision"), status.get("updateRevision"))
        return item["metadata"]["name"] in used
    owner = workload["metadata"]["uid"]
    newest = max(
        int(c.get("revision") or 0) for c in controls if (o := controller(c)) and o["uid"] == owner
    )
    return int(item.get("revision") or 0) == newest


def _revision(item: Object) -> str:
    return str((item["metadata"].get("annotations") or {}).get(_REVISION))


def lacks_pods(workload: Object) -> bool:
    """Return whether a controller has created fewer pods than it should."""
    status, spec = workload.get("status") or {}, workload.get("spec") or {}
    if workload["kind"] == "DaemonSet":
        desired = int(status.get("desiredNumberScheduled") or 0)
        return int(status.get("currentNumberScheduled") or 0) < desired
    return int(status.get("replicas") or 0) < int(spec.get("replicas", 1))


async def trigger_reconcile(cluster: Cluster, workload: Object) -> None:
    """Make the controller reconcile now; after refusals, such as by a quota, it waits minutes."""
    kind, meta = workload["kind"], workload["metadata"]
    for value in ("now", None):
        body = {"metadata": {"annotations": {"reme.dev/nudge": value}}}
        await cluster.patch(kind, meta["name"], meta["namespace"], body, "merge")

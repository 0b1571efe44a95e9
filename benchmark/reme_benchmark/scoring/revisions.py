"""Earlier templates of workloads: what a rollback would fall back to."""

import asyncio

from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scoring.snapshot import WORKLOADS, controller

_REVISION = "deployment.kubernetes.io/revision"


async def templates(cluster: Cluster, namespace: str) -> dict[str, Object]:
    """Return the pod template of everything that makes pods, by its uid."""
    lists = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in ("ReplicaSet", "StatefulSet", "DaemonSet"))
    )
    return {
        item["metadata"]["uid"]: item["spec"]["template"]
        for items in lists
        for item in items
        if not item["metadata"].get("deletionTimestamp")
    }


async def forget(cluster: Cluster, namespace: str) -> list[str]:
    """Delete every revision but those in use; return their names."""
    *lists, sets, controls = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in WORKLOADS),
        cluster.list("ReplicaSet", namespace),
        cluster.list("ControllerRevision", namespace),
    )
    workloads = {w["metadata"]["uid"]: w for found in lists for w in found}
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
        # Until the controller has looked at the newest template, none can be told to be old.
        seen = status.get("observedGeneration") == workload["metadata"].get("generation")
        return not seen or _revision(item) == _revision(workload)
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


def lacks(maker: Object) -> bool:
    """Whether something that makes pods has made fewer than it should."""
    status, spec = maker.get("status") or {}, maker.get("spec") or {}
    if maker["kind"] == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled") or 0)
        return int(status.get("currentNumberScheduled") or 0) < wanted
    return int(status.get("replicas") or 0) < int(spec.get("replicas", 1))


async def nudge(cluster: Cluster, maker: Object) -> None:
    """Have its controller look at it now: after refusals, by a quota say, it waits minutes."""
    kind, meta = maker["kind"], maker["metadata"]
    for value in ("now", None):
        body = {"metadata": {"annotations": {"reme.dev/nudge": value}}}
        await cluster.patch(kind, meta["name"], meta["namespace"], body, "merge")

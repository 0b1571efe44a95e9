"""The pods of the workload that an inspection is about."""

from reme_kube.resources import PODS, Json
from reme_operator.investigation.readers.base import Sources
from reme_playbook.snapshot.object_ref import ObjectRef

MAX_PODS = 32


async def read_pods(subject: ObjectRef, sources: Sources) -> list[Json]:
    """Return the newest pods of a workload, oldest first, or the one pod that is named."""
    cluster = sources.cluster
    if subject.kind == "Pod":
        return [await cluster.get(PODS, subject.namespace, subject.name)]
    workload = await cluster.workload(subject.kind, subject.namespace, subject.name)
    return (await cluster.pods(workload))[-MAX_PODS:]

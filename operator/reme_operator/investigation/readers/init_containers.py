"""Reads the states of init containers, and the logs of those that keep a pod from starting."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from reme_kube.errors import ClusterError
from reme_model.prompt.redact import redact
from reme_operator.investigation.readers.base import Sources, reads, redacted
from reme_operator.investigation.readers.workload_pods import read_pods
from reme_playbook.inspections.base import observed_fault_start
from reme_playbook.inspections.container_logs import MAX_BYTES, MAX_LINES, ContainerLog
from reme_playbook.inspections.init_containers import (
    InitContainers,
    has_log,
    init_findings,
    waiting_init_containers,
)
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.snapshot import ClusterSnapshot


@reads(InitContainers)
async def read(
    inspection: InitContainers, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return what keeps the pods from starting, and what the logs tell about it."""
    pods = await read_pods(inspection.subject, sources)
    now = sources.clock.now()
    logs = await asyncio.gather(
        *(
            _log(inspection, pod, status, sources)
            for pod, status in waiting_init_containers(pods, now)
        )
    )
    readable = [log for log in logs if log is not None]
    start = observed_fault_start(snapshot)
    return await asyncio.to_thread(
        lambda: list(init_findings(inspection, redacted(pods), readable, now, start, redact))
    )


async def _log(
    inspection: InitContainers,
    pod: Mapping[str, Any],
    status: Mapping[str, Any],
    sources: Sources,
) -> ContainerLog | None:
    name, container = unstructured.text(pod, "metadata", "name"), unstructured.text(status, "name")
    exists, previous = has_log(status)
    if not exists:
        return None
    try:
        text = await sources.cluster.pod_log(
            inspection.subject.namespace,
            name,
            container,
            previous=previous,
            max_lines=MAX_LINES,
            max_bytes=MAX_BYTES,
        )
    except ClusterError:
        return None  # the states say enough
    state = "lastState" if previous else "state"
    return ContainerLog(name, container, text, unstructured.mapping(status, state, "terminated"))

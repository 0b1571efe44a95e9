"""Reads the logs of containers."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from reme_kube.errors import InvalidError
from reme_model.prompt.redact import redact
from reme_operator.investigation.readers.base import Sources, reads
from reme_operator.investigation.readers.workload_pods import read_pods
from reme_playbook.inspections.base import LONG_BEFORE, observed_fault_start
from reme_playbook.inspections.container_logs import (
    MAX_BYTES,
    MAX_LINES,
    ContainerLog,
    ContainerLogs,
    choose_containers,
    log_findings,
    termination_of,
)
from reme_playbook.inspections.logs.records import parse_records
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_SECONDS = len("2026-01-01T00:00:00")
_NO_LOG = "unable to retrieve container logs for "
"""What the kubelet answers, with status 200, once the runtime has removed the container."""


@reads(ContainerLogs)
async def read(
    inspection: ContainerLogs, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return what the containers that fail have logged, or those that work if none fails."""
    pods = await read_pods(inspection.subject, sources)
    try:
        logs = await asyncio.gather(
            *(
                _log(inspection, pod, state, snapshot.fault_start, sources)
                for pod, state in choose_containers(inspection, pods)
            )
        )
    except InvalidError as error:  # the container has not started, or never restarted
        text = redact(error.server_message or "the log cannot be read")
        return [Finding(FindingKind.UNAVAILABLE, inspection.subject, text)]
    start, now = observed_fault_start(snapshot), sources.clock.now()
    return await asyncio.to_thread(lambda: list(log_findings(inspection, logs, start, redact, now)))


async def _log(
    inspection: ContainerLogs,
    pod: Mapping[str, Any],
    state: Mapping[str, Any],
    fault_start: datetime | None,
    sources: Sources,
) -> ContainerLog:
    name, container = unstructured.text(pod, "metadata", "name"), unstructured.text(state, "name")

    async def get(since: datetime | None = None) -> str:
        text = await sources.cluster.pod_log(
            inspection.subject.namespace,
            name,
            container,
            previous=inspection.previous,
            since=since,
            max_lines=MAX_LINES,
            max_bytes=MAX_BYTES,
        )
        return "" if text.startswith(_NO_LOG) else text

    if inspection.since_seconds:
        text = await get(sources.clock.now() - timedelta(seconds=inspection.since_seconds))
    else:
        text = await get()
        if fault_start and _starts_after(text, fault_start):
            # The last lines do not reach back to the begin of the fault.
            text = _before(await get(fault_start - LONG_BEFORE), text) + text
    return ContainerLog(
        pod=name,
        container=container,
        text=text,
        termination=termination_of(state, previous=inspection.previous),
        memory_limit=_memory_limit(pod, container),
    )


def _starts_after(text: str, time: datetime) -> bool:
    if text.count("\n") < MAX_LINES // 2 and len(text) < MAX_BYTES // 2:
        return False  # it is the whole log
    first = next(iter(parse_records(text[:4096])), None)
    return bool(first and first.at and first.at > time)


def _before(earlier: str, text: str) -> str:
    """Return the lines of `earlier` that come before the first one of `text`, by their seconds."""
    first = text[:_SECONDS]
    lines = takewhile(lambda line: line[:_SECONDS] < first, earlier.splitlines(keepends=True))
    return "".join(islice(lines, MAX_LINES))


def _memory_limit(pod: Mapping[str, Any], container: str) -> str:
    manifest = unstructured.by_name(pod, "spec", "containers", name=container)
    return unstructured.text(manifest, "resources", "limits", "memory")

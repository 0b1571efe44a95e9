"""Looks at the live system as a diagnosis tool would: read-only, bounded, and never in the way."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from reme_api.diagnosis_report import EvidenceKind
from reme_benchmark.diagnosis import symptoms
from reme_benchmark.diagnosis.findings import Finding, Findings, distinct, finding
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scoring.case_context import CaseContext
from reme_kube.cluster import ApiCluster
from reme_kube.errors import ClusterError
from reme_kube.resources import WORKLOADS
from reme_playbook.snapshot import unstructured

USERS_SECONDS = 5
_MOST_FINDINGS = 24
_MOST_UNRELATED = 8
_MOST_PODS = 3
_LOG_LINES = 40
_LOG_BYTES = 16 * 1024
_LOG_SECONDS = 5.0
_ONE_SECOND = timedelta(seconds=1)
"""Events carry whole seconds."""

_T = TypeVar("_T")


async def gather(context: CaseContext) -> Findings:
    """Return what can be seen of the reported workload, of users, and of other workloads.

    What cannot be read is left out, as a tool would: a report without metrics is still a report.
    """
    name = context.case.reported_service
    workload = await _workload(context, name)
    kind = unstructured.text(workload, "kind") or context.system.service(name).kind
    path = _front_path(context)
    recent, own, unrelated = await asyncio.gather(
        _users(context, path), _about(context, workload), _unrelated(context, name)
    )
    # Users go behind the first thing that is wrong: the tool was called because of them.
    items = distinct(own, _MOST_FINDINGS)
    return Findings(
        kind=kind,
        name=name,
        container=unstructured.text(_first_container(workload), "name"),
        items=(*items[:1], *recent, *items[1:]),
        unrelated=distinct(unrelated, _MOST_UNRELATED),
        front_path=path,
    )


async def _about(context: CaseContext, workload: Object | None) -> list[Finding]:
    """Return what one workload, its pods, their events, logs and usage show."""
    if workload is None:
        text = f"workload {context.case.reported_service} does not exist"
        return [finding(EvidenceKind.TEXT, context.namespace, text, telling=True)]
    cluster = ApiCluster(context.cluster.api)
    pods, revisions = await asyncio.gather(
        _or_none(cluster.pods(workload)), _or_none(cluster.revisions(workload))
    )
    newest = list(pods or ())[-_MOST_PODS:]
    names = [
        context.case.reported_service,
        *(p["metadata"]["name"] for p in newest),
        *(r["metadata"]["name"] for r in (revisions or ())[:2]),
    ]
    events, metrics, logs = await asyncio.gather(
        _or_none(cluster.events(context.namespace, names)),
        _or_none(context.cluster.list("PodMetrics", context.namespace)),
        asyncio.gather(*(_logs(context, pod) for pod in newest)),
    )
    return [
        *(symptom for pod in newest for symptom in symptoms.of_pod(pod)),
        *symptoms.of_workload(workload),
        *symptoms.of_usage(newest, metrics or ()),
        *symptoms.of_events(events or (), context.before.time - _ONE_SECOND),
        *(symptom for lines in logs for symptom in lines),
    ]


async def _unrelated(context: CaseContext, name: str) -> list[Finding]:
    """Return findings of workloads that are healthy."""
    cluster, namespace = context.cluster, context.namespace
    guilty = {name, context.case.service}
    pods, metrics = await asyncio.gather(
        _or_none(cluster.list("Pod", namespace)), _or_none(cluster.list("PodMetrics", namespace))
    )
    others = [p for p in pods or () if not _is_of(p, guilty) and _ready(p)]
    chosen = others[: 2 * _MOST_PODS]
    log = [line for pod in chosen[:2] for line in await _logs(context, pod)]
    usage = list(symptoms.of_usage(chosen, metrics or ()))
    states = [symptom for pod in chosen[:2] for symptom in symptoms.of_pod(pod)]
    return [*usage[:3], *log, *states]


async def _logs(context: CaseContext, pod: Object) -> list[Finding]:
    """Return what the containers of a pod printed since before the fault."""
    name = pod["metadata"]["name"]
    base = context.cluster.path("Pod", context.namespace, name)
    since = max(1, round((datetime.now(UTC) - context.before.time).total_seconds()) + 1)
    query = f"tailLines={_LOG_LINES}&limitBytes={_LOG_BYTES}&sinceSeconds={since}"
    restarted = {
        unstructured.text(s, "name")
        for s in unstructured.items(pod, "status", "containerStatuses")
        if unstructured.number(s, "restartCount")
    }
    findings: list[Finding] = []
    for container in [
        unstructured.text(c, "name") for c in unstructured.items(pod, "spec", "containers")
    ]:
        previous = ["&previous=true"] if container in restarted else []
        for which in ["", *previous]:
            url = f"{base}/log?container={container}&{query}{which}"
            with suppress(ClusterError):
                answer = await context.cluster.api.get_raw(url, _LOG_SECONDS)
                if answer.status == 200:
                    text = answer.content.decode(errors="replace")
                    findings += symptoms.of_log(text, name, container)
    return findings


async def _users(context: CaseContext, path: str) -> Sequence[Finding]:
    with suppress(ClusterError):
        return list(symptoms.of_users(path, await context.users.recent(USERS_SECONDS)))
    return ()


def _front_path(context: CaseContext) -> str:
    felt_on = context.system.felt_on(context.case.service)
    return felt_on[0] if felt_on else context.system.path


async def _workload(context: CaseContext, name: str) -> Object | None:
    for kind in WORKLOADS:
        workload = await _or_none(context.cluster.get(kind, name, context.namespace))
        if workload is not None:
            return {**workload, "kind": kind}
    return None


async def _or_none(reading: Awaitable[_T]) -> _T | None:
    try:
        return await reading
    except ClusterError:
        return None


def _first_container(workload: Object | None) -> Mapping[str, Any]:
    return next(iter(unstructured.items(workload, "spec", "template", "spec", "containers")), {})


def _is_of(pod: Object, names: set[str]) -> bool:
    owners = unstructured.items(pod, "metadata", "ownerReferences")
    return any(
        unstructured.text(o, "name") == name
        or unstructured.text(o, "name").rpartition("-")[0] == name
        for o in owners
        for name in names
    )


def _ready(pod: Object) -> bool:
    return any(
        unstructured.text(c, "type") == "Ready" and unstructured.text(c, "status") == "True"
        for c in unstructured.items(pod, "status", "conditions")
    )

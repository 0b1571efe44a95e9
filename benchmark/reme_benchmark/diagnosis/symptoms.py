"""Reads symptoms out of objects of the API, in the words that tools and people use for them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from reme_api.diagnosis_report import EvidenceKind
from reme_benchmark.diagnosis.findings import Finding, finding
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scoring.user_sli import UserSli
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes

FRONT_DOOR = "front door"
_MEBIBYTE = 2**20
_HIGH_PERCENT = 85
_USUAL_WAITS = frozenset({"ContainerCreating", "PodInitializing"})
_BAD_LINE = re.compile(
    r"error|fail|exception|fatal|panic|traceback|warn|refused|timed? ?out|denied|unavailable"
    r"|no such|missing|cannot|unable|out of memory|killed|\b5\d\d\b",
    re.IGNORECASE,
)
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)\s+")


def of_workload(workload: Object) -> Iterator[Finding]:
    """Yield what the workload says of itself."""
    kind, name = (
        unstructured.text(workload, "kind"),
        unstructured.text(workload, "metadata", "name"),
    )
    source = f"{kind}/{name}"
    status = unstructured.mapping(workload, "status")
    if kind == "DaemonSet":
        desired = unstructured.number(status, "desiredNumberScheduled")
        there = unstructured.number(status, "numberAvailable")
    else:
        desired = unstructured.number(workload, "spec", "replicas", default=1)
        there = unstructured.number(status, "availableReplicas")
    if desired == 0:
        yield finding(EvidenceKind.TEXT, source, f"{name} is scaled to 0 replicas", telling=True)
    elif there < desired:
        text = f"{there} of {desired} replicas are available"
        yield finding(EvidenceKind.TEXT, source, text, telling=True)
    if unstructured.at(workload, "spec", "paused") is True:
        yield finding(EvidenceKind.TEXT, source, "its rollout is paused", telling=True)
    for condition in unstructured.items(status, "conditions"):
        state = unstructured.text(condition, "type"), unstructured.text(condition, "status")
        if state in (("Progressing", "False"), ("ReplicaFailure", "True")):
            text = f"{unstructured.text(condition, 'reason')}: {unstructured.text(condition, 'message')}"  # noqa: E501
            yield finding(EvidenceKind.TEXT, source, text, telling=True)


def of_pod(pod: Object) -> Iterator[Finding]:
    """Yield what is wrong with a pod, or that nothing is."""
    name, status = unstructured.text(pod, "metadata", "name"), unstructured.mapping(pod, "status")
    source, problems = f"Pod/{name}", 0
    if unstructured.text(pod, "metadata", "deletionTimestamp"):
        return
    for condition in unstructured.items(status, "conditions"):
        if unstructured.text(condition, "type") == "PodScheduled" and (
            unstructured.text(condition, "status") == "False"
        ):
            problems += 1
            text = f"{unstructured.text(condition, 'reason')}: {unstructured.text(condition, 'message')}"  # noqa: E501
            yield finding(EvidenceKind.TEXT, source, f"pending, {text}", telling=True)
    statuses = unstructured.items(status, "initContainerStatuses") + unstructured.items(
        status, "containerStatuses"
    )
    for container in statuses:
        for text in _of_container(container):
            problems += 1
            yield finding(EvidenceKind.TEXT, source, text, telling=True)
    if not problems:
        ready = all(c.get("ready") is True for c in unstructured.items(status, "containerStatuses"))
        text = f"phase {unstructured.text(status, 'phase')}, {'ready' if ready else 'not ready'}"
        yield finding(EvidenceKind.TEXT, source, text, telling=not ready)


def _of_container(status: Mapping[str, object]) -> Iterator[str]:
    name, restarts = unstructured.text(status, "name"), unstructured.number(status, "restartCount")
    waiting = unstructured.mapping(status, "state", "waiting")
    if (reason := unstructured.text(waiting, "reason")) and reason not in _USUAL_WAITS:
        message = unstructured.text(waiting, "message")
        yield f"container {name} is waiting: {reason}" + (f": {message}" if message else "")
    for state in ("state", "lastState"):
        ended = unstructured.mapping(status, state, "terminated")
        if ended:
            why = unstructured.text(ended, "reason") or "ended"
            code = unstructured.number(ended, "exitCode")
            yield f"container {name} was {why} with exit code {code}, {restarts} restarts"
            return
    if restarts:
        ready = "" if status.get("ready") is True else " and is not ready"
        yield f"container {name} was restarted {restarts} times{ready}"


def of_events(events: Iterable[Object], since: datetime) -> Iterator[Finding]:
    """Yield the events that were seen since a moment, warnings and the newest first.

    Events outlive what they were about: those of before the fault would be another incident's.
    """
    recent = [(e, at) for e in events if (at := seen_at(e)) is not None and at >= since]
    recent.sort(
        key=lambda pair: (unstructured.text(pair[0], "type") != "Warning", -pair[1].timestamp())
    )
    for event, _ in recent:
        about = unstructured.mapping(event, "involvedObject")
        source = f"{unstructured.text(about, 'kind')}/{unstructured.text(about, 'name')}"
        count = max(
            unstructured.number(event, "count"), unstructured.number(event, "series", "count")
        )
        times = f" (x{count})" if count > 1 else ""
        text = f"{unstructured.text(event, 'reason')}{times}: {unstructured.text(event, 'message')}"
        warning = unstructured.text(event, "type") == "Warning"
        yield finding(EvidenceKind.EVENT, source, text, telling=warning)


def seen_at(event: Object) -> datetime | None:
    """Return when an event was last seen; the API has had several fields for that."""
    for text in (
        unstructured.text(event, "series", "lastObservedTime"),
        unstructured.text(event, "lastTimestamp"),
        unstructured.text(event, "eventTime"),
        unstructured.text(event, "metadata", "creationTimestamp"),
    ):
        if text:
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                continue
    return None


def of_usage(pods: Sequence[Object], metrics: Iterable[Object]) -> Iterator[Finding]:
    """Yield what the containers use, with their limits where they have some."""
    limits = {
        (
            unstructured.text(pod, "metadata", "name"),
            unstructured.text(c, "name"),
        ): unstructured.mapping(c, "resources", "limits")
        for pod in pods
        for c in unstructured.items(pod, "spec", "containers")
    }
    for item in metrics:
        pod = unstructured.text(item, "metadata", "name")
        for container in unstructured.items(item, "containers"):
            name = unstructured.text(container, "name")
            limit = limits.get((pod, name))
            if limit is None:
                continue
            texts, high = [], False
            for resource in ("cpu", "memory"):
                text, percent = _used(resource, unstructured.mapping(container, "usage"), limit)
                texts += [text] if text else []
                high = high or percent >= _HIGH_PERCENT
            if texts:
                yield finding(
                    EvidenceKind.METRIC, f"Pod/{pod}/{name}", ", ".join(texts), telling=high
                )


def _used(
    resource: str, usage: Mapping[str, object], limits: Mapping[str, object]
) -> tuple[str, float]:
    """Return the amount in words, and what share of the limit it is in percent."""
    amount = cpu_millicores if resource == "cpu" else memory_bytes
    try:
        used = amount(str(usage[resource]))
    except (KeyError, ValueError):
        return "", 0
    shown = f"{used:.0f}m" if resource == "cpu" else f"{used / _MEBIBYTE:.0f}Mi"
    try:
        most = amount(str(limits[resource]))
        percent = used * 100 / most
    except (KeyError, ValueError, ZeroDivisionError):
        return f"{resource} {shown} without a limit", 0
    return f"{resource} {shown} of {limits[resource]} ({percent:.0f}%)", percent


def of_log(text: str, pod: str, container: str, most: int = 3) -> Iterator[Finding]:
    """Yield the last lines that complain, or the very last when none does."""
    lines = [_STAMP.sub("", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    bad = [line for line in lines if _BAD_LINE.search(line)]
    source = f"Pod/{pod}/{container}"
    for line in reversed(bad[-most:]):
        yield finding(EvidenceKind.LOG, source, line, telling=True)
    if not bad and lines:
        yield finding(EvidenceKind.LOG, source, lines[-1])


def of_users(path: str, sli: UserSli) -> Iterator[Finding]:
    """Yield what users get at the front door, or nothing where that is not known."""
    if not sli.end:
        return
    text = f"{sli.failed} of {sli.total} requests of users failed, path {path}"
    if not sli.total:
        text = f"no request of users was answered, path {path}"
    elif sli.p50_milliseconds is not None and sli.p95_milliseconds is not None:
        text += f"; median {sli.p50_milliseconds:.0f} ms, p95 {sli.p95_milliseconds:.0f} ms"
    bad = sli.failed > 0 or not sli.total
    yield finding(EvidenceKind.METRIC, FRONT_DOOR, text, telling=bad)

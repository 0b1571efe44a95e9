"""ContainerLogs: what the containers of a workload, or of one pod, have logged.

A log is mined for templates before anything is cut: errors and rare lines come first, also one of
60 kB among thousands of others, and what was logged the same way long before the fault comes last.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import MAX_FINDINGS, Inspection, long_before
from reme_playbook.inspections.logs.records import LogRecord, parse_records
from reme_playbook.inspections.logs.severity import Judged, Severity, judge, telling_part
from reme_playbook.inspections.logs.templates import LogTemplate, mine_templates
from reme_playbook.inspections.related_workloads import called_workloads
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import duration, parse_time, relative_to
from reme_playbook.snapshot.views import PodView

MAX_BYTES = 4 * 1024 * 1024
MAX_LINES = 2000
_MAX_WINDOW = 12_000  # characters around what tells, redacted before they are cut
_MAX_PODS = 2
_STALE = timedelta(hours=1)
_KEY = "-----BEGIN"  # a key spans lines, and is redacted as a whole

_NAME = re.compile(r"[a-z0-9][-a-z0-9]{0,62}")
ContainerName = Annotated[str, StringConstraints(max_length=63, pattern=r"^([a-z0-9][-a-z0-9]*)?$")]


class ContainerLogs(Inspection):
    """The log of a container: of the replica that fails, if it is a workload."""

    NAME = InspectionName.CONTAINER_LOGS
    READS = "the log of a container of one or two pods, those that fail first"
    RIGHTS = ("pods", "pods/log")
    SHOWS = (FindingKind.LOG_ERROR, FindingKind.OUT_OF_MEMORY)
    BOUNDS = (
        "the last 2,000 lines, and those from the begin of the fault on, 4 MiB of each;"
        " at most two pods"
    )

    container: ContainerName = Field(default="", description="The container that fails if empty.")
    previous: bool = Field(default=False, description="The log before its last restart.")
    since_seconds: int | None = Field(
        default=None, ge=1, le=86_400, description="Only what is not older."
    )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return what fails, the other containers, what the target calls, pods of the report."""
        failing = _failing_containers(snapshot.pods)
        names = [view.name for view in snapshot.containers]
        for name in filter(_NAME.fullmatch, dict.fromkeys((*failing, *names))):
            if name in failing and _restarted(snapshot.pods, name):
                yield cls(subject=snapshot.target, container=name, previous=True)
            yield cls(subject=snapshot.target, container=name)
        for workload in called_workloads(snapshot):
            yield cls(subject=workload)
        started = {pod.name for pod in snapshot.pods if pod.containers}
        for pod in snapshot.named_pods:
            if pod in started:
                yield cls(subject=ObjectRef("Pod", snapshot.target.namespace, pod))


def _failing_containers(pods: Iterable[PodView]) -> list[str]:
    states = [state for pod in pods if not pod.deleting for state in pod.containers]
    bad = [s for s in states if s.waiting or s.terminated or s.restarts or not s.ready]
    return list(dict.fromkeys(s.name for s in sorted(bad, key=lambda s: (s.ready, -s.restarts))))


def _restarted(pods: Iterable[PodView], container: str) -> bool:
    return any(s.restarts for pod in pods for s in pod.containers if s.name == container)


@dataclass(frozen=True)
class ContainerLog:
    """The log of one container of one pod, as the API server returned it, with times."""

    pod: str
    container: str
    text: str
    termination: Mapping[str, Any] = field(default_factory=dict)  # what ended it, if it has ended
    memory_limit: str = ""


def choose_containers(
    inspection: ContainerLogs, pods: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return the pods whose log is read, each with the state of its container, worst first."""
    pairs = [
        (pod, state)
        for pod in reversed(pods)  # newest first
        if (state := _choose_state(inspection, pod)) is not None
    ]
    pairs.sort(key=lambda pair: _health(pair[1]))
    if pairs and _health(pairs[0][1]) < _HEALTHY:  # a replica that works tells less
        pairs = [pair for pair in pairs if _health(pair[1]) < _HEALTHY]
    return pairs[:_MAX_PODS]


_HEALTHY = (1, 0)


def _health(state: Mapping[str, Any]) -> tuple[int, int]:
    """Return what sorts containers that fail before those that work."""
    restarts = unstructured.number(state, "restartCount")
    return int(state.get("ready") is True), -restarts


def _choose_state(inspection: ContainerLogs, pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    containers = unstructured.items(pod, "status", "containerStatuses")
    initial = unstructured.items(pod, "status", "initContainerStatuses")
    states = [*containers, *initial] if inspection.container else containers
    if inspection.container:
        states = [s for s in states if unstructured.text(s, "name") == inspection.container]
    if inspection.previous:
        states = [s for s in states if unstructured.number(s, "restartCount")]
    return min(states, key=_health, default=None)


def termination_of(state: Mapping[str, Any], *, previous: bool) -> Mapping[str, Any]:
    """Return how the container ended whose log is read; empty if it runs."""
    waiting = bool(unstructured.mapping(state, "state", "waiting"))
    if previous or waiting:  # the log of a container that waits is that of its last run
        return unstructured.mapping(state, "lastState", "terminated")
    return unstructured.mapping(state, "state", "terminated")


def log_findings(
    inspection: ContainerLogs,
    logs: Sequence[ContainerLog],
    fault_start: datetime | None,
    clean: Callable[[str], str],
    now: datetime | None = None,
) -> Iterator[Finding]:
    """Yield what the logs tell, the worst first; `clean` redacts a text.

    Without a known start of the fault, errors that were last logged an hour ago are no sign of it.
    Texts are redacted in a window that is much longer than what is shown, so that no secret is
    cut from the name that shows it to be one.
    """
    if not logs:
        yield Finding(FindingKind.UNAVAILABLE, inspection.subject, "no such container has a log")
    records = [record for log in logs for record in parse_records(log.text, log.pod)]
    container = logs[0].container if logs else ""
    last_texts: set[str] = set()
    ranked: list[tuple[tuple[int, ...], Finding]] = []
    for log in logs:
        yield from _termination(inspection, log)
        last = next((record for record in reversed(records) if record.source == log.pod), None)
        if log.termination and last:
            last_texts.add(last.text)
            ranked.append(_last_record(inspection, log, last, clean))
    ranked += [
        _template(inspection, container, template, fault_start, clean, now)
        for template in mine_templates(records)
        if template.judged.severity is not Severity.NORMAL
        and not (template.count == 1 and template.example in last_texts)
    ]
    findings = [finding for _, finding in sorted(ranked, key=lambda pair: pair[0])]
    if logs and not any(finding.kind is FindingKind.LOG_ERROR for finding in findings):
        text = f"no error in {len(records)} records of the log" if records else "the log is empty"
        yield Finding(FindingKind.NORMAL, inspection.subject, text)
    yield from findings[:MAX_FINDINGS]


def _termination(inspection: ContainerLogs, log: ContainerLog) -> Iterator[Finding]:
    if unstructured.text(log.termination, "reason") == "OOMKilled":
        limit = f" of {log.memory_limit}" if log.memory_limit else ""
        yield Finding(
            FindingKind.OUT_OF_MEMORY,
            inspection.subject,
            f"container {log.container} of pod {log.pod} was killed at its memory limit{limit}",
            parse_time(unstructured.text(log.termination, "finishedAt")),
        )


def _template(
    inspection: ContainerLogs,
    container: str,
    template: LogTemplate,
    fault_start: datetime | None,
    clean: Callable[[str], str],
    now: datetime | None,
) -> tuple[tuple[int, ...], Finding]:
    """Return the finding of a template and its rank: the lowest is the worst."""
    first, last, severity = template.first, template.last, template.judged.severity
    # What was logged the same way while all was well is no sign of the fault.
    stale = bool(last and now and not fault_start and last < now - _STALE)
    is_error = severity >= Severity.ERROR and not stale and not long_before(first, fault_start)
    newest = -int(last.timestamp()) if last else 0
    rank = (not is_error, -severity, template.count, newest)
    kind = FindingKind.LOG_ERROR if is_error else FindingKind.NORMAL
    head = ", ".join([_place(container, template), *_times(template, fault_start)])
    if stale and last and now:
        head += f", last {duration((now - last).total_seconds())} ago"
    text = _shown(template.example, template.judged, MAX_TEXT - len(head) - 2, clean)
    return rank, Finding(kind, inspection.subject, f"{head}: {text}", last)


def _place(container: str, template: LogTemplate) -> str:
    pods = sorted(template.sources)
    return f"{container} in {pods[0] if len(pods) == 1 else f'{len(pods)} pods'}"


def _times(template: LogTemplate, fault_start: datetime | None) -> Iterator[str]:
    """Yield how often and since when a template was logged."""
    first, last, repeated = template.first, template.last, template.count > 1
    if repeated:
        yield f"{template.count} times"
    if first and fault_start:
        yield f"{'first ' if repeated else ''}{relative_to(first, fault_start)}"
    elif repeated and first and last:
        yield f"within {duration((last - first).total_seconds())}"


def _last_record(
    inspection: ContainerLogs, log: ContainerLog, record: LogRecord, clean: Callable[[str], str]
) -> tuple[tuple[int, ...], Finding]:
    """Return what a container logged last before it ended."""
    judged = judge(record.text)
    code = unstructured.number(log.termination, "exitCode")
    head = f"{log.container} in {log.pod}, last before exit code {code}: "
    text = head + _shown(record.text, judged, MAX_TEXT - len(head), clean)
    failed = code != 0 and judged.severity >= Severity.ERROR
    kind = FindingKind.LOG_ERROR if failed else FindingKind.NORMAL
    rank = (not failed, -Severity.FATAL, 0, 0)
    return rank, Finding(kind, inspection.subject, text, record.at)


def _shown(text: str, judged: Judged, limit: int, clean: Callable[[str], str]) -> str:
    """Return the part of a record that tells, redacted before it is cut."""
    start = max(0, judged.position - _MAX_WINDOW // 2)
    if text[:start].count("\n") < text[: judged.position].count("\n") and _KEY not in text:
        start = text.rfind("\n", 0, judged.position) + 1  # the line of a stack trace that tells
    head = clean(text[start : judged.position])
    line = clean(text[start : start + _MAX_WINDOW])
    return telling_part(line, min(len(head), len(line)), limit)

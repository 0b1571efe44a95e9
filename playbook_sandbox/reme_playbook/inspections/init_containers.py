"""InitContainers: whether the init containers of the pods have finished, and why not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.container_logs import ContainerLog, ContainerLogs, log_findings
from reme_playbook.inspections.shorten import shorten
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import duration, time_at

_LONG_SECONDS = 60
"""An init container that runs for longer waits for something."""
_MAX_CONTAINERS = 3
_MAX_MESSAGE = 150


class InitContainers(Inspection):
    """States of the init containers of the pods, and what the logs of the failed ones tell."""

    NAME = InspectionName.INIT_CONTAINERS
    READS = "the states of init containers, and the logs of those that fail or wait"
    RIGHTS = ("pods", "pods/log")
    SHOWS = (FindingKind.INIT_CONTAINER_FAILED, FindingKind.LOG_ERROR, FindingKind.OUT_OF_MEMORY)
    BOUNDS = "at most 3 init containers of one pod; of their logs as ContainerLogs"

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the target if it has init containers."""
        if unstructured.items(snapshot.template, "spec", "initContainers"):
            yield cls(subject=snapshot.target)


def waiting_init_containers(
    pods: Sequence[Mapping[str, Any]], now: datetime
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return the init containers that keep pods from starting: of the newest pod that has some."""
    for pod in reversed(pods):
        pairs = [
            (pod, status)
            for status in unstructured.items(pod, "status", "initContainerStatuses")
            if _problem(status, now)
        ]
        if pairs:
            return pairs[:_MAX_CONTAINERS]
    return []


def has_log(status: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether it has a log, and whether that is the one before its last restart."""
    started = bool(
        unstructured.mapping(status, "state", "running")
        or unstructured.mapping(status, "state", "terminated")
    )
    return started or unstructured.number(status, "restartCount") > 0, not started


def init_findings(
    inspection: InitContainers,
    pods: Sequence[Mapping[str, Any]],
    logs: Sequence[ContainerLog],
    now: datetime,
    fault_start: datetime | None,
    clean: Callable[[str], str],
) -> Iterator[Finding]:
    """Yield each init container that keeps a pod from starting, and what its log tells."""
    waiting = waiting_init_containers(pods, now)
    for pod, status in waiting:
        name, container = (
            unstructured.text(pod, "metadata", "name"),
            unstructured.text(status, "name"),
        )
        text = f"init container {container} of pod {name} {_problem(status, now)}"
        yield Finding(FindingKind.INIT_CONTAINER_FAILED, inspection.subject, text, _ended(status))
    if not waiting:
        yield Finding(FindingKind.NORMAL, inspection.subject, _all_well(pods))
    for log in logs:
        source = ContainerLogs(subject=inspection.subject)
        findings = list(log_findings(source, [log], fault_start, clean))
        errors = [f for f in findings if f.kind is not FindingKind.NORMAL]
        yield from errors[:2] or findings[-1:]


def _all_well(pods: Sequence[Mapping[str, Any]]) -> str:
    with_some = [pod for pod in pods if unstructured.items(pod, "status", "initContainerStatuses")]
    return f"the init containers of {len(with_some)} pods have finished" if with_some else "no pods"


def _problem(status: Mapping[str, Any], now: datetime) -> str:
    """Return what is wrong with an init container, as the end of a sentence; empty if nothing."""
    waiting = unstructured.mapping(status, "state", "waiting")
    reason = unstructured.text(waiting, "reason")
    ended = _termination(status)
    code = unstructured.number(ended, "exitCode")
    restarts = unstructured.number(status, "restartCount")
    again = f", restarted {restarts} times" if restarts else ""
    if code:
        cause = unstructured.text(ended, "reason")
        killed = " (killed for memory)" if cause == "OOMKilled" else ""
        return f"failed with exit code {code}{killed}{again}"
    if reason not in ("", "PodInitializing"):
        message = shorten(unstructured.text(waiting, "message"), _MAX_MESSAGE)
        return f"cannot start: {reason}{f' ({message})' if message else ''}"
    started = time_at(status, "state", "running", "startedAt")
    if started and status.get("started") is not True:
        seconds = (now - started).total_seconds()
        if seconds >= _LONG_SECONDS:
            return f"has been running for {duration(seconds)} without an end{again}"
    return ""


def _termination(status: Mapping[str, Any]) -> Mapping[str, Any]:
    if ended := unstructured.mapping(status, "state", "terminated"):
        return ended
    if unstructured.mapping(status, "state", "running"):
        return {}
    return unstructured.mapping(status, "lastState", "terminated")


def _ended(status: Mapping[str, Any]) -> datetime | None:
    return time_at(_termination(status), "finishedAt")

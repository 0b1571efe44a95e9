"""ResourceUsage: what the containers use against the limits that their pods have, and the trend."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.related_workloads import called_workloads
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import duration, parse_time, relative_to, time_at

HIGH_PERCENT = 90
_RISING = 1.1  # by how much usage grows between the first and the last sample
_MIB = 2**20
_MAX_KILLED = 2
_UNITS = {"cpu": "m", "memory": "Mi"}


class ResourceUsage(Inspection):
    """Usage of CPU and memory against the limits of the pods themselves, over some seconds."""

    NAME = InspectionName.RESOURCE_USAGE
    READS = "the metrics of the workload's pods, several times some seconds apart"
    RIGHTS = ("pods", "pods.metrics.k8s.io")
    SHOWS = (FindingKind.USAGE_HIGH, FindingKind.OUT_OF_MEMORY)
    BOUNDS = "at most 4 samples within the time of an inspection; at most 32 pods"

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the target, then what it calls."""
        yield cls(subject=snapshot.target)
        yield from (cls(subject=workload) for workload in called_workloads(snapshot))


class _Amounts(NamedTuple):
    """Usage of one resource of one container, oldest sample first, and its limit; 0 if none."""

    pod: str
    container: str
    resource: str
    used: tuple[int, ...]
    limit: int
    seconds: float

    @property
    def percent(self) -> int:
        return 100 * self.used[-1] // self.limit if self.limit else 0


@dataclass(frozen=True)
class UsageSample:
    """One read of the metrics of a workload's pods."""

    metrics: Sequence[Mapping[str, Any]]


def usage_findings(
    inspection: ResourceUsage,
    pods: Sequence[Mapping[str, Any]],
    samples: Sequence[UsageSample],
    fault_start: datetime | None,
) -> Iterator[Finding]:
    """Yield what was killed for memory, what is near its limit, and else the highest shares."""
    yield from _killed(inspection, pods, fault_start)
    amounts = list(_amounts(pods, samples))
    if not amounts:
        text = "its pods have no metrics: there is no metrics server, or they are too young"
        yield Finding(FindingKind.UNAVAILABLE, inspection.subject, text)
    high = sorted((a for a in amounts if a.percent >= HIGH_PERCENT), key=lambda a: -a.percent)
    for resource in _UNITS:
        of_resource = [a for a in amounts if a.resource == resource]
        worst = [a for a in high if a.resource == resource]
        if worst:
            text = _text(worst[0], len({a.pod for a in worst}), len({a.pod for a in of_resource}))
            yield Finding(FindingKind.USAGE_HIGH, inspection.subject, text)
        elif of_resource:
            highest = max(of_resource, key=lambda a: (a.percent, a.used[-1]))
            yield Finding(FindingKind.NORMAL, inspection.subject, _text(highest, 0, 0))


def _killed(
    inspection: ResourceUsage, pods: Sequence[Mapping[str, Any]], fault_start: datetime | None
) -> Iterator[Finding]:
    """Yield the containers that were killed for memory, the newest first, each once."""
    kills: dict[str, tuple[datetime | None, str]] = {}
    for pod in pods:
        for status in unstructured.items(pod, "status", "containerStatuses"):
            for state in ("state", "lastState"):
                terminated = unstructured.mapping(status, state, "terminated")
                if unstructured.text(terminated, "reason") == "OOMKilled":
                    container = unstructured.text(status, "name")
                    kills[container] = time_at(terminated, "finishedAt"), _killed_text(pod, status)
    for at, text in list(kills.values())[-_MAX_KILLED:]:
        when = f", the last time {relative_to(at, fault_start)}" if at and fault_start else ""
        yield Finding(FindingKind.OUT_OF_MEMORY, inspection.subject, text + when, at)


def _killed_text(pod: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    container = unstructured.text(status, "name")
    limit = unstructured.text(_limits(pod, container), "memory")
    restarts = unstructured.number(status, "restartCount")
    times = f" and has restarted {restarts} times" if restarts > 1 else ""
    at_limit = f"at its memory limit of {limit}" if limit else "for memory, without a limit"
    name = unstructured.text(pod, "metadata", "name")
    return f"container {container} of pod {name} was killed {at_limit}{times}"


def _limits(pod: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    manifest = unstructured.by_name(pod, "spec", "containers", name=container)
    return unstructured.mapping(manifest, "resources", "limits")


def _amounts(
    pods: Sequence[Mapping[str, Any]], samples: Sequence[UsageSample]
) -> Iterator[_Amounts]:
    series: dict[tuple[str, str, str], dict[str, int]] = {}  # by time
    for sample in samples:
        for item in sample.metrics:
            pod_name, time = unstructured.text(item, "metadata", "name"), _time(item)
            for entry in unstructured.items(item, "containers"):
                for unit in _UNITS:
                    amount = _amount(unit, unstructured.text(entry, "usage", unit))
                    if amount is not None:
                        key = (pod_name, unstructured.text(entry, "name"), unit)
                        series.setdefault(key, {})[time] = amount
    by_name = {unstructured.text(pod, "metadata", "name"): pod for pod in pods}
    for (name, container, resource), by_time in sorted(series.items()):
        if manifest := by_name.get(name):
            limit = _amount(resource, unstructured.text(_limits(manifest, container), resource))
            used, seconds = tuple(by_time.values()), _seconds(list(by_time))
            yield _Amounts(name, container, resource, used, limit or 0, seconds)


def _amount(resource: str, text: str) -> int | None:
    """Return millicores or MiB."""
    try:
        return cpu_millicores(text) if resource == "cpu" else memory_bytes(text) // _MIB
    except ValueError:
        return None


def _time(metrics: Mapping[str, Any]) -> str:
    return unstructured.text(metrics, "timestamp")


def _seconds(times: Sequence[str]) -> float:
    first, last = parse_time(times[0]), parse_time(times[-1])
    return (last - first).total_seconds() if first and last else 0.0


def _text(amounts: _Amounts, high: int, pods: int) -> str:
    unit = _UNITS[amounts.resource]
    used = amounts.used[-1]
    of_limit = (
        f"{used}{unit} of {amounts.limit}{unit} ({amounts.percent}%)"
        if amounts.limit
        else f"{used}{unit}, without a limit"
    )
    place = f" in {high} of {pods} pods" if high > 1 else f" in pod {amounts.pod}"
    return f"{amounts.resource} of {amounts.container}{place}: {of_limit}{_trend(amounts, unit)}"


def _trend(amounts: _Amounts, unit: str) -> str:
    first, last = amounts.used[0], amounts.used[-1]
    if len(amounts.used) < 2:
        return ""
    within = duration(amounts.seconds)
    if last > first * _RISING:
        return f", rising from {first}{unit} within {within}"
    if last * _RISING < first:
        return f", falling from {first}{unit} within {within}"
    return f", steady for {within}"

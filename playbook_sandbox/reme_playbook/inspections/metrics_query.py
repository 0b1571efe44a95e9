"""MetricsQuery: what Prometheus has about the target's pods, now and before the fault.

The queries are fixed; only the names of the namespace and of the workload are filled in. A policy
or a report cannot add one: whoever may write them could read the metrics of every namespace.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Self

from pydantic import Field

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.related_workloads import called_workloads
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST_SERIES = 5
_MOST_CALLED = 2
_HIGH_MEMORY, _HIGH_THROTTLING = 0.9, 0.5


class Metric(StrEnum):
    """What is measured."""

    RESTARTS = "restarts"
    MEMORY_SHARE = "memory-share"
    CPU_THROTTLING = "cpu-throttling"
    FAILED_REQUESTS = "failed-requests"
    LATENCY = "latency"


class MetricsQuery(Inspection):
    """One of a few fixed queries about the pods of a workload."""

    NAME = InspectionName.METRICS_QUERY
    READS = (
        "Prometheus, where it is configured: restarts, memory against the limit, throttling, failed"
        " requests and latency of the workload's pods"
    )
    RIGHTS = ()
    SHOWS = (FindingKind.METRIC, FindingKind.USAGE_HIGH)
    BOUNDS = "fixed queries, at two times; at most 5 series and 256 KiB of an answer"

    metric: Metric = Field(description="What is measured.")

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return all metrics of the target, then requests and latency of what it calls."""
        if not snapshot.has_prometheus:
            return
        yield from (cls(subject=snapshot.target, metric=metric) for metric in Metric)
        for number, workload in enumerate(called_workloads(snapshot)):
            if number < _MOST_CALLED:
                yield cls(subject=workload, metric=Metric.FAILED_REQUESTS)
                yield cls(subject=workload, metric=Metric.LATENCY)


class Series(NamedTuple):
    """The value of one series at one time."""

    labels: Mapping[str, str]
    value: float


_TEMPLATES: Mapping[Metric, str] = {
    Metric.RESTARTS: (
        "sum by (container) (increase(kube_pod_container_status_restarts_total{PODS}[30m]))"
    ),
    Metric.MEMORY_SHARE: (
        'max by (container) (container_memory_working_set_bytes{PODS,container!=""}'
        " / on (namespace, pod, container)"
        ' kube_pod_container_resource_limits{PODS,resource="memory"})'
    ),
    Metric.CPU_THROTTLING: (
        "sum by (container) (rate(container_cpu_cfs_throttled_periods_total{PODS}[5m]))"
        " / sum by (container) (rate(container_cpu_cfs_periods_total{PODS}[5m]))"
    ),
    Metric.FAILED_REQUESTS: (
        'sum(rate(http_requests_total{PODS,code=~"5.."}[5m])'
        ' or rate(http_requests_total{PODS,status=~"5.."}[5m]))'
        " / sum(rate(http_requests_total{PODS}[5m]))"
    ),
    Metric.LATENCY: (
        "histogram_quantile(0.95,"
        " sum by (le) (rate(http_request_duration_seconds_bucket{PODS}[5m])))"
    ),
}
"""PODS stands for the selection of the workload's pods."""


def query(inspection: MetricsQuery) -> str:
    """Return the query in PromQL."""
    return _TEMPLATES[inspection.metric].replace("PODS", _pods(inspection.subject))


def _pods(workload: ObjectRef) -> str:
    # Names of objects are lower-case letters, digits, dashes and dots.
    name = workload.name.replace(".", r"\\.")
    suffix = {"Deployment": "-[a-z0-9]+-[a-z0-9]+", "StatefulSet": "-[0-9]+"}
    return (
        f'namespace="{workload.namespace}",pod=~"{name}{suffix.get(workload.kind, "-[a-z0-9]+")}"'
    )


def metric_findings(
    inspection: MetricsQuery, now: Sequence[Series], before: Sequence[Series], since: str
) -> Iterator[Finding]:
    """Yield each series with its value before the fault; `since` says when that was.

    `before` is empty if the start of the fault is not known.
    """
    subject, metric = inspection.subject, inspection.metric
    known = [series for series in now if not math.isnan(series.value)]
    if not known:
        yield Finding(FindingKind.UNAVAILABLE, subject, f"{metric}: Prometheus has no such series")
        return
    for series in sorted(known, key=lambda s: -s.value)[:_MOST_SERIES]:
        container = series.labels.get("container", "")
        earlier = next((s for s in before if s.labels == series.labels), None)
        compared = (
            f", {_amount(metric, earlier.value)} {since}"
            if earlier is not None and not math.isnan(earlier.value)
            else ""
        )
        of = f" of container {container}" if container else ""
        text = f"{_described(metric)}{of}: {_amount(metric, series.value)}{compared}"
        yield Finding(_kind(metric, series.value), subject, text)


def _kind(metric: Metric, value: float) -> FindingKind:
    high = {Metric.MEMORY_SHARE: _HIGH_MEMORY, Metric.CPU_THROTTLING: _HIGH_THROTTLING}
    return FindingKind.USAGE_HIGH if value >= high.get(metric, math.inf) else FindingKind.METRIC


def _described(metric: Metric) -> str:
    return {
        Metric.RESTARTS: "restarts within 30 min",
        Metric.MEMORY_SHARE: "memory against the limit",
        Metric.CPU_THROTTLING: "throttled periods of the CPU",
        Metric.FAILED_REQUESTS: "requests that fail",
        Metric.LATENCY: "95th percentile of the latency",
    }[metric]


def _amount(metric: Metric, value: float) -> str:
    if metric is Metric.RESTARTS:
        return f"{value:.0f}"
    if metric is Metric.LATENCY:
        return f"{value * 1000:.0f} ms"
    return f"{value * 100:.0f}%"

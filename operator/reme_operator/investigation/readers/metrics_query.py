"""Queries Prometheus about a workload."""

from collections.abc import Iterable
from datetime import timedelta

from reme_operator.investigation.prometheus import PrometheusError
from reme_operator.investigation.readers.base import Sources, reads
from reme_playbook.inspections.metrics_query import MetricsQuery, Series, metric_findings, query
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_BEFORE = timedelta(minutes=10)


@reads(MetricsQuery)
async def read(
    inspection: MetricsQuery, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return the metric now, and ten minutes before the fault began."""
    subject, prometheus = inspection.subject, sources.prometheus
    if prometheus is None or subject.namespace != snapshot.target.namespace:
        return [Finding(FindingKind.UNAVAILABLE, subject, "no Prometheus is configured")]
    promql = query(inspection)
    before: tuple[Series, ...] = ()
    try:
        now = await prometheus.query(promql, sources.clock.now())
        if snapshot.fault_start:
            before = await prometheus.query(promql, snapshot.fault_start - _BEFORE)
    except PrometheusError as error:
        return [Finding(FindingKind.UNAVAILABLE, subject, f"Prometheus: {error}")]
    return metric_findings(inspection, now, before, "10 min before the fault began")

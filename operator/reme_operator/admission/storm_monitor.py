"""Caches the storm state: the number of open reports and their common causes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.reasons import Reason
from reme_operator.admission.cache import AdmissionCache
from reme_operator.admission.follow_ups import parent_of
from reme_operator.admission.remediation_index import RemediationIndex
from reme_operator.admission.storm import (
    ReportSummary,
    StormLimits,
    StormState,
    possible_causes,
    storm_state,
    urgency,
    workload_cause,
)
from reme_operator.dependencies import Dependencies
from reme_operator.names import remediation_name

_TTL = timedelta(milliseconds=500)

WAITS_FOR_OTHERS = frozenset(
    {Reason.TARGET_LOCKED, Reason.BUDGET_EXHAUSTED, Reason.REPORT_STORM, Reason.SAME_CAUSE}
)
"""Refusals that end with another remediation. A report that is refused for any other reason counts
for no storm: others would wait for it for long."""


class PendingReport(NamedTuple):
    """A queued report, and why it was refused, if it was."""

    report: DiagnosisReport
    reason: Reason | None


@dataclass(slots=True)
class StormMonitor:
    """The storm state of a moment ago."""

    deps: Dependencies
    index: RemediationIndex
    cache: AdmissionCache
    _cached: tuple[datetime, StormState] | None = None

    def invalidate(self) -> None:
        """Compute the state afresh next time: a report or a remediation has changed."""
        self._cached = None

    async def state(self, reports: Iterable[PendingReport], now: datetime) -> StormState:
        """Return the storm state of these reports."""
        if self._cached is not None and timedelta(0) <= now - self._cached[0] < _TTL:
            return self._cached[1]
        settings = self.deps.settings
        limits = StormLimits(
            settings.storm_threshold,
            timedelta(seconds=settings.storm_window_seconds),
            settings.storm_max_concurrent,
        )
        pending = list(reports)
        recent = [p.report for p in pending if self._counts(p, now - limits.window)]
        active = len(recent) > limits.threshold
        targets = {(r.metadata.namespace, r.spec.target.name) for r, _ in pending}
        summaries = [await self._summary(r, now, targets if active else set()) for r in recent]
        state = storm_state(summaries, limits)
        self._cached = (now, state)
        self.deps.metrics.storm(state.active)
        return state

    def _counts(self, pending: PendingReport, since: datetime) -> bool:
        """Return whether a report is recent and has no result yet."""
        report, reason = pending
        meta = report.metadata
        if (meta.creation_timestamp or since) < since or report.spec.suspend:
            return False
        name = remediation_name(report)
        ended = any(not i.open and i.name == name for i in self.index.of_report(meta.uid))
        return not ended and (reason is None or reason in WAITS_FOR_OTHERS)

    async def _summary(
        self, report: DiagnosisReport, now: datetime, targets: set[tuple[str, str]]
    ) -> ReportSummary:
        meta, target = report.metadata, report.spec.target
        causes = frozenset({workload_cause(meta.namespace, target.name)})
        if targets:
            names = {name for namespace, name in targets if namespace == meta.namespace}
            services = await self.cache.service_names(meta.namespace, now)
            causes = possible_causes(report, names | services)
        return ReportSummary(
            uid=meta.uid,
            key=f"{meta.namespace}/{meta.name}",
            target=workload_cause(meta.namespace, target.name),
            urgency=urgency(report, now),
            causes=causes,
            acting=any(info.open for info in self.index.of_report(meta.uid)),
            follow_up=parent_of(report, self.index.all()) is not None,
        )

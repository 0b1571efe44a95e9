"""Keeps the weather over the desk: how many reports there are at once, and what they share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.reasons import Reason
from reme_operator.admission.cache import AdmissionCache
from reme_operator.admission.limits import storm_limits
from reme_operator.admission.remediation_index import RemediationIndex
from reme_operator.admission.storm import (
    ReportSummary,
    StormState,
    causes,
    urgency,
    weather,
    workload,
)
from reme_operator.names import remediation_name
from reme_operator.steps.context import Dependencies

_TRUSTED = timedelta(milliseconds=500)

WAITS_FOR_ANOTHER = frozenset(
    {Reason.TARGET_LOCKED, Reason.BUDGET_EXHAUSTED, Reason.REPORT_STORM, Reason.SAME_CAUSE}
)
"""What passes when a remediation ends. A report that is refused for anything else is not acted on
for others: they would wait long."""


class PendingReport(NamedTuple):
    """A report on the desk, and why it was refused, if it was."""

    report: DiagnosisReport
    reason: Reason | None


@dataclass(slots=True)
class StormMonitor:
    """The weather as it was a moment ago."""

    deps: Dependencies
    index: RemediationIndex
    cache: AdmissionCache
    _seen: tuple[datetime, StormState] | None = None

    def changed(self) -> None:
        """Look afresh the next time: a report or a remediation has come, gone or changed."""
        self._seen = None

    async def weather(self, reports: Iterable[PendingReport], now: datetime) -> StormState:
        """Return the weather that these reports make."""
        if self._seen is not None and timedelta(0) <= now - self._seen[0] < _TRUSTED:
            return self._seen[1]
        limits = storm_limits(self.deps.settings)
        everything = list(reports)
        recent = [one.report for one in everything if self._counts(one, now - limits.window)]
        stormy = len(recent) > limits.threshold
        targets = {(r.metadata.namespace, r.spec.target.name) for r, _ in everything}
        filed = [await self._filed(r, now, targets if stormy else set()) for r in recent]
        found = weather(filed, limits)
        self._seen = (now, found)
        self.deps.metrics.storm(found.active)
        return found

    def _counts(self, lying: PendingReport, since: datetime) -> bool:
        """Return whether a report is recent, and nothing has come of it yet."""
        report, reason = lying
        meta = report.metadata
        if (meta.creation_timestamp or since) < since or report.spec.suspend:
            return False
        own, name = self.index.of_report(meta.uid), remediation_name(report)
        ended = any(not e.open and e.name == name for e in own)
        return not ended and (reason is None or reason in WAITS_FOR_ANOTHER)

    async def _filed(
        self, report: DiagnosisReport, now: datetime, targets: set[tuple[str, str]]
    ) -> ReportSummary:
        meta, target = report.metadata, report.spec.target
        found = frozenset({workload(meta.namespace, target.name)})
        if targets:
            names = {name for namespace, name in targets if namespace == meta.namespace}
            found = causes(report, names | await self.cache.names(meta.namespace, now))
        return ReportSummary(
            uid=meta.uid,
            key=f"{meta.namespace}/{meta.name}",
            target=workload(meta.namespace, target.name),
            urgency=urgency(report, now),
            causes=found,
            acting=any(e.open for e in self.index.of_report(meta.uid)),
        )

"""Report storms: which of many reports come first, and which share one cause. Pure.

What a report says about its cause is text of others. It can only make the report wait for another
one: it never makes anything happen, and the report stands alone again once the other has ended.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reme_api.diagnosis_report import DiagnosisReport, Severity

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_NODE = re.compile(r"\bnodes?[\s/=:'\"]+([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)", re.ASCII)
_MAX_CAUSES = 8
"""A report that names more workloads than this names no cause."""

_SEVERITIES = tuple(Severity)
Urgency = tuple[int, int, datetime, str]


@dataclass(frozen=True, slots=True)
class StormLimits:
    """When many reports are a storm, and how many are acted on at once then."""

    threshold: int = 20
    window: timedelta = timedelta(minutes=5)
    max_concurrent: int = 2


@dataclass(frozen=True, slots=True)
class StormImpact:
    """What a storm means for one report."""

    active: bool = False
    reports: int = 0  # that are open at once
    max_concurrent: int = 0
    handled_by: str = ""  # the report that is acted on for this one as well: namespace/name
    cause: str = ""  # what the two have in common


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """One report that has no result yet."""

    uid: str
    key: str  # namespace/name
    target: str  # as a cause: namespace/name
    urgency: Urgency
    causes: frozenset[str]
    acting: bool = False  # it has an open remediation
    follow_up: bool = False  # a remediation opened it for the cause, and waits for it


def urgency(report: DiagnosisReport, now: datetime) -> Urgency:
    """Return the sort key: the most severe, then the most confident, then the oldest first."""
    fault, meta = report.spec.fault, report.metadata
    severity = _SEVERITIES.index(fault.severity or Severity.MEDIUM)
    confidence = 50 if fault.confidence_percent is None else fault.confidence_percent
    return -severity, -confidence, meta.creation_timestamp or now, meta.uid


def possible_causes(report: DiagnosisReport, names: Collection[str]) -> frozenset[str]:
    """Return what may cause the report: its target, workloads that its evidence names, a node.

    `names` are the Services and targets of its namespace.
    """
    namespace, target = report.metadata.namespace, report.spec.target.name
    texts = [text for e in report.spec.evidence for text in (e.source, e.text)]
    texts.append(report.spec.fault.summary)
    words = {word for text in texts for word in _NAME.findall(text)}
    mentioned = sorted((words & set(names)) - {target})
    nodes = sorted({node for text in texts for node in _NODE.findall(text)})
    causes = {workload_cause(namespace, target)}
    if len(mentioned) <= _MAX_CAUSES:
        causes |= {workload_cause(namespace, name) for name in mentioned}
    return frozenset(causes | {f"node {node}" for node in nodes[:_MAX_CAUSES]})


def workload_cause(namespace: str, name: str) -> str:
    """Return how a workload, or its Service, is written as a cause."""
    return f"{namespace}/{name}"


def group_by_cause(reports: Sequence[ReportSummary]) -> dict[str, tuple[ReportSummary, str]]:
    """Return, by UID, the report that is acted on for this one, and their common cause.

    The most common cause groups its reports first. Of a group, one report is acted on: one that a
    remediation opened for the cause, else one with an open remediation, else one about the cause
    itself, else the most urgent. A report that a remediation waits for waits for no other report.
    """
    by_cause: dict[str, list[ReportSummary]] = defaultdict(list)
    for report in reports:
        for cause in report.causes:
            by_cause[cause].append(report)
    handled_by: dict[str, tuple[ReportSummary, str]] = {}
    grouped: set[str] = set()
    for cause in sorted(by_cause, key=lambda c: (-len(by_cause[c]), _highest(by_cause[c]), c)):
        group = [report for report in by_cause[cause] if report.uid not in grouped]
        if len(group) < 2:
            continue
        leader = min(group, key=lambda r: _order(r, cause))
        grouped |= {report.uid for report in group}
        handled_by |= {
            report.uid: (leader, cause)
            for report in group
            if report.uid != leader.uid and not (report.acting or report.follow_up)
        }
    return handled_by


def _order(report: ReportSummary, cause: str) -> tuple[bool, bool, bool, Urgency]:
    """Return the sort key within a group; the report that is acted on comes first."""
    return (
        not (report.follow_up and report.target == cause),
        not report.acting,
        report.target != cause,
        report.urgency,
    )


def _highest(group: Iterable[ReportSummary]) -> Urgency:
    return min(report.urgency for report in group)


@dataclass(frozen=True, slots=True)
class StormState:
    """How many reports are open at once, and what that means for each of them."""

    limits: StormLimits
    reports: int
    handled_by: Mapping[str, tuple[ReportSummary, str]]

    @property
    def active(self) -> bool:
        """Whether there is a storm."""
        return self.reports > self.limits.threshold

    def impact(self, uid: str) -> StormImpact:
        """Return what it means for one report."""
        if not self.active:
            return StormImpact()
        leader, cause = self.handled_by.get(uid, (None, ""))
        key = leader.key if leader else ""
        return StormImpact(True, self.reports, self.limits.max_concurrent, key, cause)


def storm_state(reports: Sequence[ReportSummary], limits: StormLimits) -> StormState:
    """Return the state that these open reports of the window amount to."""
    active = len(reports) > limits.threshold
    return StormState(limits, len(reports), group_by_cause(reports) if active else {})

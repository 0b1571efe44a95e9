"""Many reports at once: which come first, and which have one cause: pure.

What a report says of its cause is foreign text. It can only make the report wait for another one:
it never makes anything happen, and a report is on its own again once the other is dealt with.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reme_api.diagnosis_report import DiagnosisReport, Severity

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_NODE = re.compile(r"\bnodes?[\s/=:'\"]+([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)", re.ASCII)
_MOST_CAUSES = 8
"""A report that names the whole namespace names no cause."""

_SEVERITIES = tuple(Severity)
Urgency = tuple[int, int, datetime, str]


@dataclass(frozen=True, slots=True)
class StormLimits:
    """When many become too many, and how many are acted on then."""

    threshold: int = 20
    window: timedelta = timedelta(minutes=5)
    most: int = 2


@dataclass(frozen=True, slots=True)
class StormImpact:
    """What a storm means for one report."""

    active: bool = False
    open: int = 0  # reports at once
    most: int = 0  # that are acted on at a time
    handled_by: str = ""  # the report that is acted on for this one as well
    cause: str = ""  # what the two have in common


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """One report that nothing has come of yet."""

    uid: str
    key: str  # namespace/name
    target: str  # the cause that its own target is
    urgency: Urgency
    causes: frozenset[str]
    acting: bool = False  # a remediation of it is open


def urgency(report: DiagnosisReport, now: datetime) -> Urgency:
    """Return what to sort by: the worst, then the surest, then the oldest comes first."""
    fault, meta = report.spec.fault, report.metadata
    severity = _SEVERITIES.index(fault.severity or Severity.MEDIUM)
    sure = 50 if fault.confidence_percent is None else fault.confidence_percent
    return -severity, -sure, meta.creation_timestamp or now, meta.uid


def causes(report: DiagnosisReport, names: Collection[str]) -> frozenset[str]:
    """Return what the report may be caused by: its target, others that its evidence names, a node.

    `names` are the Services and targets of its namespace.
    """
    namespace, own = report.metadata.namespace, report.spec.target.name
    texts = [t for e in report.spec.evidence for t in (e.source, e.text)]
    texts.append(report.spec.fault.summary)
    words = {word for text in texts for word in _NAME.findall(text)}
    named = sorted((words & set(names)) - {own})
    nodes = sorted({node for text in texts for node in _NODE.findall(text)})
    found = {workload(namespace, own)}
    if len(named) <= _MOST_CAUSES:
        found |= {workload(namespace, name) for name in named}
    return frozenset(found | {f"node {node}" for node in nodes[:_MOST_CAUSES]})


def workload(namespace: str, name: str) -> str:
    """Return the cause that a workload, or its Service, is."""
    return f"{namespace}/{name}"


def followers(filed: Sequence[ReportSummary]) -> dict[str, tuple[ReportSummary, str]]:
    """Return, by UID, the report that is acted on for this one, and their common cause.

    The most common cause takes its reports first. The one of them that is acted on is the one that
    is under way, else the one about the cause itself, else the worst.
    """
    members: dict[str, list[ReportSummary]] = defaultdict(list)
    for one in filed:
        for cause in one.causes:
            members[cause].append(one)
    found: dict[str, tuple[ReportSummary, str]] = {}
    taken: set[str] = set()
    for cause in sorted(members, key=lambda c: (-len(members[c]), _worst(members[c]), c)):
        group = [one for one in members[cause] if one.uid not in taken]
        if len(group) < 2:
            continue
        lead = min(group, key=lambda f: (not f.acting, f.target != cause, f.urgency))
        taken |= {one.uid for one in group}
        found |= {o.uid: (lead, cause) for o in group if o.uid != lead.uid and not o.acting}
    return found


def _worst(group: Iterable[ReportSummary]) -> Urgency:
    return min(one.urgency for one in group)


@dataclass(frozen=True, slots=True)
class StormState:
    """How many reports there are at once, and what that means for each of them."""

    limits: StormLimits
    open: int
    following: Mapping[str, tuple[ReportSummary, str]]

    @property
    def active(self) -> bool:
        """Whether there is a storm."""
        return self.open > self.limits.threshold

    def place(self, uid: str) -> StormImpact:
        """Return what it means for one report."""
        if not self.active:
            return StormImpact()
        lead, cause = self.following.get(uid, (None, ""))
        handled_by = lead.key if lead else ""
        return StormImpact(True, self.open, self.limits.most, handled_by, cause)


def weather(filed: Sequence[ReportSummary], limits: StormLimits) -> StormState:
    """Return the weather that these open reports of the window make."""
    stormy = len(filed) > limits.threshold
    return StormState(limits, len(filed), followers(filed) if stormy else {})

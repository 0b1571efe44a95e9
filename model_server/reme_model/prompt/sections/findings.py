"""Describes what the inspections of an investigation showed: a few short lines.

Only method ThinkRemed has findings. One line has the weight of the other observations; the others
give way to everything that tells of the fault, so that findings never crowd out the rest.
"""

from collections.abc import Iterator

from reme_model.prompt.redact import excerpt
from reme_model.prompt.sections.lines import Line, Weight, fact, normal, quoted, wrong
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST_LINES = 5
_MOST_NORMAL = 3
_LONGEST = 150

_FACTS = {
    FindingKind.RECENT_CHANGE: "changed shortly before",
    FindingKind.EARLIER_CHANGE: "changed long before",
    FindingKind.METRIC: "metric",
}
"""Kinds that are neither wrong nor normal by themselves, and what their lines begin with."""

_QUOTED = {
    FindingKind.LOG_ERROR: "log",
    FindingKind.WARNING_EVENT: "event",
}
"""Kinds whose text was written by others, and what it is."""


def finding_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield the findings that are wrong, then changes, then names of what is normal."""
    texts = dict.fromkeys(
        (text, finding.kind in _FACTS)
        for finding in sorted(live.findings, key=lambda one: one.kind in _FACTS)
        if (text := _text(finding, live))
    )
    for place, (text, is_fact) in enumerate(list(texts)[:_MOST_LINES]):
        weight = Weight.USEFUL if place else Weight.TELLING
        yield fact(text, weight) if is_fact else wrong(text, weight)
    abnormal = {finding.subject for finding in live.findings if _is_abnormal(finding)}
    healthy = [
        f"{finding.subject.kind.lower()} {finding.subject.name}"
        for finding in live.findings
        if finding.kind is FindingKind.NORMAL and finding.subject not in {*abnormal, live.target}
    ]
    for name in list(dict.fromkeys(healthy))[:_MOST_NORMAL]:
        yield normal(name)


def _is_abnormal(finding: Finding) -> bool:
    return finding.kind not in {FindingKind.NORMAL, FindingKind.UNAVAILABLE, *_FACTS}


def _text(finding: Finding, live: ClusterSnapshot) -> str:
    """Return the text of a line; empty for a finding that has none, or that is known already."""
    if finding.kind in (FindingKind.NORMAL, FindingKind.UNAVAILABLE):
        return ""
    if _is_described(finding, live):
        return ""
    text = excerpt(finding.text, _LONGEST)
    name = finding.subject.name
    if finding.kind in _QUOTED:
        return f"{_QUOTED[finding.kind]} of {name}: {quoted(text)}"
    subject = "" if name in text else f"{finding.subject.kind.lower()} {name}: "
    start = f"{_FACTS[finding.kind]}, " if finding.kind in _FACTS else ""
    return f"{start}{subject}{text}"


def _is_described(finding: Finding, live: ClusterSnapshot) -> bool:
    """Return whether another line says it anyway: about an event, or about a dependency."""
    known = [event.message for event in live.events]
    known += [dependency.problem for dependency in live.dependencies]
    return any(text and text in finding.text for text in known)

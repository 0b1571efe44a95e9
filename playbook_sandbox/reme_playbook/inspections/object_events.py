"""ObjectEvents: what controllers, the scheduler and the kubelet said about an object."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import MAX_FINDINGS, Inspection, long_before
from reme_playbook.inspections.related_workloads import called_workloads
from reme_playbook.inspections.shorten import shorten
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import parse_time, relative_to

_RELATED = ("HorizontalPodAutoscaler", "Job", "PodDisruptionBudget")
"""Kinds of related objects about which controllers post events that matter."""


_USUAL = frozenset(
    {"Scheduled", "Pulling", "Pulled", "Created", "Started", "SuccessfulCreate", "SuccessfulDelete"}
)
"""Reasons of events that every new pod has."""
_COMBINED = "(combined from similar events): "
_DIGIT = re.compile(r"[0-9]")
_MAX_OTHERS = 2
_OFTEN = 3
_MAX_HEAD = 140


class ObjectEvents(Inspection):
    """Events of an object; of a workload also those of its pods and ReplicaSets."""

    NAME = InspectionName.OBJECT_EVENTS
    READS = "events about the object; of a workload also about its ReplicaSets and pods"
    RIGHTS = ("events", "events.events.k8s.io")
    SHOWS = (FindingKind.WARNING_EVENT,)
    BOUNDS = "the newest 200 events; warnings first, one finding for each reason and message"

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the target with its pods, what it calls, and what constrains it."""
        yield cls(subject=snapshot.target)
        yield from (cls(subject=workload) for workload in called_workloads(snapshot))
        for kind in _RELATED:
            refs = sorted(ref for ref in snapshot.objects if ref.kind == kind)
            yield from (cls(subject=ref) for ref in refs)


def event_findings(
    inspection: ObjectEvents, events: Sequence[Mapping[str, Any]], fault_start: datetime | None
) -> Iterator[Finding]:
    """Yield what the events say, warnings first, each reason and message once, newest first.

    A warning that was seen last long before the fault is no sign of it.
    """
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for event in events:  # oldest first
        reason, message = unstructured.text(event, "reason"), _message(event)
        if (reason or message) and reason not in _USUAL:
            key = reason, _pattern(message)
            newest.pop(key, None)
            newest[key] = event
    newest_first = list(newest.values())[::-1]
    telling = sorted(newest_first, key=lambda event: (_says_little(event), _is_rare(event)))
    findings = [_finding(inspection, event, fault_start) for event in telling]
    warnings = [finding for finding in findings if finding.kind is FindingKind.WARNING_EVENT]
    others = [finding for finding in findings if finding.kind is not FindingKind.WARNING_EVENT]
    if not warnings:
        yield Finding(FindingKind.NORMAL, inspection.subject, "no warning among its events")
    yield from [*warnings, *others[:_MAX_OTHERS]][:MAX_FINDINGS]


def _finding(
    inspection: ObjectEvents, event: Mapping[str, Any], fault_start: datetime | None
) -> Finding:
    at = event_time(event)
    early = long_before(at, fault_start)
    is_warning = unstructured.text(event, "type") == "Warning" and not early
    kind = FindingKind.WARNING_EVENT if is_warning else FindingKind.NORMAL
    return Finding(kind, inspection.subject, _text(event, at, fault_start), at)


def event_time(event: Mapping[str, Any]) -> datetime | None:
    """Return when the event was last seen, if it says so."""
    for path in (("series", "lastObservedTime"), ("lastTimestamp",), ("eventTime",)):
        if at := parse_time(unstructured.text(event, *path)):
            return at
    return parse_time(unstructured.text(event, "metadata", "creationTimestamp"))


def _text(event: Mapping[str, Any], at: datetime | None, fault_start: datetime | None) -> str:
    about = unstructured.mapping(event, "involvedObject")
    count = unstructured.number(event, "count", default=1)
    times = f", {count} times" if count > 1 else ""
    when = f", {relative_to(at, fault_start)}" if at and fault_start else ""
    reason = unstructured.text(event, "reason")
    name = f"{unstructured.text(about, 'kind')} {unstructured.text(about, 'name')}"
    head = f"{shorten(f'{reason} of {name}', _MAX_HEAD)}{times}{when}: "
    return head + shorten(_message(event), MAX_TEXT - len(head))


def _message(event: Mapping[str, Any]) -> str:
    return unstructured.text(event, "message").removeprefix(_COMBINED)


def _says_little(event: Mapping[str, Any]) -> bool:
    """Return whether the event only repeats what the state of a container says already."""
    return _message(event).startswith(("Error: ", "Back-off "))


def _is_rare(event: Mapping[str, Any]) -> bool:
    """Return whether the event was seen once or twice, which may be a coincidence."""
    series = unstructured.number(event, "series", "count")
    return max(series, unstructured.number(event, "count", default=1)) < _OFTEN


def _pattern(message: str) -> str:
    """Return the message without names of pods and numbers, so that equal ones count as one."""
    return " ".join(word for word in message.split() if not _DIGIT.search(word))

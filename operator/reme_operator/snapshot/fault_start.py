"""When a fault began, by its earliest sign. Pure.

A report says when somebody noticed; what the cluster shows may be older: a pod that became unready,
or a warning. A warning that a pod got over does not count: nearly every pod fails its readiness
probe once while it starts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_kube.events import first_seen, last_seen
from reme_kube.resources import Json
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.pod_times import is_ready, never_ready, ready_changed_at, started_at
from reme_playbook.snapshot.times import time_at

_STARTING = timedelta(minutes=2)
"""Warnings that a pod had first so soon after its start belong to the start."""
_FAILED_CONDITIONS = {("Available", "False"), ("ReplicaFailure", "True")}


class FaultStart(NamedTuple):
    """The earliest known sign of a fault."""

    at: datetime
    observed: bool
    """Whether it was stated or observed; otherwise only the report is known."""


def fault_start(
    stated: datetime | None,
    created: datetime,
    workload: Json,
    pods: Sequence[Json],
    events: Iterable[Json],
) -> FaultStart:
    """Return the start of the fault of a workload.

    `stated` is what the report says, and `created` when it came.
    """
    shown = list(_signs_of_status(workload, pods))
    known = [*([stated] if stated else []), *shown]
    return FaultStart(
        min([*known, *_signs_of_events(workload, pods, events), created]), bool(known)
    )


def _signs_of_status(workload: Json, pods: Sequence[Json]) -> Iterator[datetime]:
    for pod in pods:
        if is_ready(pod) or unstructured.text(pod, "metadata", "deletionTimestamp"):
            continue
        moment = ready_changed_at(pod) or started_at(pod)
        if moment is not None:
            yield moment
    if not _lacks_pods(workload):
        return
    for condition in unstructured.items(workload, "status", "conditions"):
        if (condition.get("type"), condition.get("status")) in _FAILED_CONDITIONS:
            moment = time_at(condition, "lastTransitionTime")
            if moment is not None:
                yield moment


def _signs_of_events(
    workload: Json, pods: Sequence[Json], events: Iterable[Json]
) -> Iterator[datetime]:
    by_name = {unstructured.text(pod, "metadata", "name"): pod for pod in pods}
    missing = _lacks_pods(workload)
    for event in events:
        if unstructured.text(event, "type") != "Warning":
            continue
        first, last = first_seen(event), last_seen(event)
        if first is None or last is None:
            continue
        about = unstructured.mapping(event, "involvedObject")
        if about.get("kind") == "Pod":
            pod = by_name.get(unstructured.text(about, "name"))
            if pod is not None:
                yield from _sign_of_pod(pod, first, last)
        elif missing and unstructured.text(event, "reason") == "FailedCreate":
            yield first


def _sign_of_pod(pod: Mapping[str, object], first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield when a warning about a pod began to matter, if it still does."""
    changed, start = ready_changed_at(pod), started_at(pod)
    if is_ready(pod):
        if changed is None or last > changed:
            yield max(first, changed) if changed else first
    elif never_ready(pod) or start is None or first > start + _STARTING:
        yield first


def _lacks_pods(workload: Json) -> bool:
    count = views.replicas(workload)
    return count.available < count.desired

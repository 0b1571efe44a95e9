"""When pods started, and whether they have ever been ready: from their status, without a history.

A pod's condition Ready changes its time only when its status changes. A pod that is not ready since
its start has therefore never been ready; one that became unready later has served before.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.times import time_at

_START_TOLERANCE = timedelta(seconds=1)
"""The kubelet writes both times in whole seconds, and the condition with its first status."""


def started_at(pod: Mapping[str, Any]) -> datetime | None:
    """Return when a node accepted the pod; when it was created, if none has yet."""
    return time_at(pod, "status", "startTime") or time_at(pod, "metadata", "creationTimestamp")


def ready_changed_at(pod: Mapping[str, Any]) -> datetime | None:
    """Return when the pod last became ready or unready."""
    conditions = unstructured.items(pod, "status", "conditions")
    ready = next((c for c in conditions if c.get("type") == "Ready"), {})
    return time_at(ready, "lastTransitionTime")


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether the pod is ready."""
    return any(
        c.get("type") == "Ready" and c.get("status") == "True"
        for c in unstructured.items(pod, "status", "conditions")
    )


def never_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether the pod has not been ready since it exists; False where that is unknown."""
    if is_ready(pod):
        return False
    if not unstructured.items(pod, "status", "containerStatuses") and not unstructured.text(
        pod, "status", "startTime"
    ):
        return True  # no node has taken it, so that no container has run
    start, changed = started_at(pod), ready_changed_at(pod)
    return start is not None and changed is not None and changed <= start + _START_TOLERANCE


def ready_since(pods: Iterable[Mapping[str, Any]]) -> datetime | None:
    """Return since when all of these pods are ready; None if one is not, or there is none."""
    moments = [ready_changed_at(pod) if is_ready(pod) else None for pod in pods]
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None

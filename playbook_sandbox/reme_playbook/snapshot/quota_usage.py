"""Which amounts of which quotas keep pods of the target from being created."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.current_events import current_events
from reme_playbook.snapshot.quantity import quota_amount
from reme_playbook.snapshot.related_views import QuotaView
from reme_playbook.snapshot.snapshot import ClusterSnapshot

QuotaKey = Literal[
    "pods",
    "count/pods",
    "cpu",
    "memory",
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
]
"""Amounts of a quota that can keep pods from being created."""
KEYS: tuple[QuotaKey, ...] = get_args(QuotaKey)
_EXCEEDED = re.compile(r"exceeded quota: ([-a-z0-9.]+),")


def quota(snapshot: ClusterSnapshot, name: str) -> QuotaView | None:
    """Return a ResourceQuota of the namespace, or nothing."""
    return next((q for q in snapshot.quotas if q.name == name), None)


def exhausted_amounts(view: QuotaView, snapshot: ClusterSnapshot) -> tuple[QuotaKey, ...]:
    """Return the amounts of the quota that are used up, so that pods of the target are missing."""
    refused = set(refusals(_messages(snapshot)))  # an old one names another limit
    missing = snapshot.replicas.desired > snapshot.replicas.current
    return tuple(
        key
        for key in KEYS
        if key in view.hard
        and (
            (view.name, key, view.hard[key]) in refused
            or (missing and _used(view, key) + one_pod(key, snapshot) > _hard(view, key))
        )
        and _used(view, key) + one_pod(key, snapshot) > 0
    )


def required_amount(view: QuotaView, key: str, snapshot: ClusterSnapshot) -> int:
    """Return the amount that the quota needs for the missing pods, at least one."""
    missing = max(snapshot.replicas.desired - snapshot.replicas.current, 1)
    return _used(view, key) + missing * one_pod(key, snapshot)


def one_pod(key: str, snapshot: ClusterSnapshot) -> int:
    """Return how much of an amount one pod of the target uses, according to its template."""
    if key.endswith("pods"):
        return 1
    side, _, resource = key.rpartition(".")
    if resource not in ("cpu", "memory"):
        return 0
    limits = [getattr(c.resources, f"{resource}_limit") for c in snapshot.containers]
    if side == "limits":
        amounts = limits
    else:
        # A container without a request requests its limit.
        requests = [getattr(c.resources, f"{resource}_request") for c in snapshot.containers]
        amounts = [request or limit for request, limit in zip(requests, limits, strict=True)]
    return sum(quota_amount(key, amount) for amount in amounts if amount)


def _hard(view: QuotaView, key: str) -> int:
    return quota_amount(key, view.hard[key])


def _used(view: QuotaView, key: str) -> int:
    return quota_amount(key, view.used.get(key, "0"))


def refusals(messages: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield quota, amount and limit of each refusal to create a pod that a message reports."""
    for message in messages:
        before, _, limits = message.rpartition(" limited: ")
        exceeded = _EXCEEDED.search(before.rpartition("\n")[2])
        if exceeded is None or ":" in limits:
            continue
        for part in limits.split(","):
            key, _, limit = part.strip().partition("=")
            amount = views.quota(key, limit)
            if amount is not None:
                yield exceeded[1], key, amount


def _messages(snapshot: ClusterSnapshot) -> list[str]:
    """Return what controllers of the target say about pods that they could not create."""
    conditions = unstructured.items(snapshot.workload, "status", "conditions")
    failures = [c for c in conditions if c.get("type") == "ReplicaFailure"]
    return [
        *(unstructured.text(failure, "message") for failure in failures),
        *(event.message for event in current_events(snapshot) if event.reason == "FailedCreate"),
    ]

"""QuotaState: which amounts of which quotas are used up, and what they keep from being created."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import MAX_FINDINGS, Inspection, change_kind
from reme_playbook.snapshot import quota_usage, related_views, unstructured
from reme_playbook.snapshot.changes import last_change
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import quota_amount
from reme_playbook.snapshot.related_views import QuotaView
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import relative_to

_MAX_AMOUNTS = 4


class QuotaState(Inspection):
    """Quotas and limit ranges of the namespace: used against hard, and what they refuse."""

    NAME = InspectionName.QUOTA_STATE
    READS = "the ResourceQuotas of the namespace, and its LimitRanges if that is permitted"
    RIGHTS = ("resourcequotas",)
    SHOWS = (FindingKind.QUOTA_EXCEEDED, FindingKind.RECENT_CHANGE, FindingKind.EARLIER_CHANGE)
    BOUNDS = "at most 8 of each"

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the target if there is a quota, or pods are missing without one being known."""
        missing = snapshot.replicas.desired > snapshot.replicas.current
        if snapshot.quotas or missing:
            yield cls(subject=snapshot.target)


def quota_findings(
    inspection: QuotaState,
    quotas: Sequence[Mapping[str, Any]],
    limit_ranges: Sequence[Mapping[str, Any]],
    snapshot: ClusterSnapshot,
) -> Iterator[Finding]:
    """Yield the amounts that block pods of the target, their changes, then what else is limited."""
    namespace = inspection.subject.namespace
    refs = {ref: quota for quota in quotas if (ref := _ref(namespace, quota)) is not None}
    current = replace(snapshot, objects={**_without_quotas(snapshot), **refs})
    blocking: list[Finding] = []
    others: list[Finding] = []
    for ref, manifest in refs.items():
        view = related_views.quota(manifest)
        exhausted = quota_usage.exhausted_amounts(view, current)
        blocking += [_exceeded(ref, view, key, current) for key in exhausted]
        if exhausted:
            blocking += _change(ref, manifest, current)
        else:
            others.append(Finding(FindingKind.NORMAL, ref, _used(view)))
    if not quotas:
        yield Finding(FindingKind.NORMAL, inspection.subject, "the namespace has no quota")
    ranges = [
        Finding(FindingKind.NORMAL, inspection.subject, text)
        for manifest in limit_ranges
        for text in _ranges(manifest)
    ]
    yield from [*blocking, *others, *ranges][:MAX_FINDINGS]


def _exceeded(
    ref: ObjectRef, view: QuotaView, key: quota_usage.QuotaKey, snapshot: ClusterSnapshot
) -> Finding:
    one = quota_usage.one_pod(key, snapshot)
    needs = f"; one more pod needs {_amount(key, one)}" if one and not key.endswith("pods") else ""
    missing = snapshot.replicas.desired - snapshot.replicas.current
    pods = (
        f", so that {missing} of {snapshot.replicas.desired} pods are missing"
        if missing > 0
        else ""
    )
    text = f"quota {view.name} is used up: {_share(view, key)}{needs}{pods}"
    return Finding(FindingKind.QUOTA_EXCEEDED, ref, text)


def _change(
    ref: ObjectRef, manifest: Mapping[str, Any], snapshot: ClusterSnapshot
) -> Iterator[Finding]:
    start = snapshot.fault_start if snapshot.fault_start_observed else None
    change = last_change(ref, manifest)
    if change is not None and start is not None:
        text = f"quota {ref.name} {change.what} {relative_to(change.at, start)}"
        yield Finding(change_kind(change.at, start), ref, text, change.at)


def _used(view: QuotaView) -> str:
    shares = [_share(view, key) for key in view.hard]
    more = f", {len(shares) - _MAX_AMOUNTS} more" if len(shares) > _MAX_AMOUNTS else ""
    return f"quota {view.name} leaves room: {', '.join(shares[:_MAX_AMOUNTS])}{more}"


def _share(view: QuotaView, key: str) -> str:
    return f"{key} {view.used.get(key, '0')} of {view.hard[key]}"


def _amount(key: str, amount: int) -> str:
    return f"{amount}m" if key.endswith("cpu") else f"{-(-amount // 2**20)}Mi"


def _ranges(manifest: Mapping[str, Any]) -> Iterator[str]:
    name = unstructured.text(manifest, "metadata", "name")
    for entry in unstructured.items(manifest, "spec", "limits"):
        bounds = [
            f"{side} {resource} {value}"
            for side in ("min", "max", "default")
            for resource, value in sorted(unstructured.strings(entry, side).items())
            if _is_amount(resource, value)
        ]
        if bounds:
            kind = unstructured.text(entry, "type")
            yield f"limit range {name} of a {kind}: {', '.join(bounds[:_MAX_AMOUNTS])}"


def _is_amount(resource: str, value: str) -> bool:
    try:
        quota_amount(resource, value)
    except ValueError:
        return False
    return True


def _without_quotas(snapshot: ClusterSnapshot) -> dict[ObjectRef, Mapping[str, Any]]:
    return {ref: obj for ref, obj in snapshot.objects.items() if ref.kind != "ResourceQuota"}


def _ref(namespace: str, quota: Mapping[str, Any]) -> ObjectRef | None:
    try:
        return ObjectRef("ResourceQuota", namespace, unstructured.text(quota, "metadata", "name"))
    except ValueError:
        return None

"""NodeState: the nodes that the target's pods are on, and those that refuse pods."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import MAX_FINDINGS, Inspection
from reme_playbook.inspections.shorten import shorten
from reme_playbook.snapshot import related_views, unstructured
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import relative_to, time_at

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_MAX_MESSAGE = 150
_BY_THE_CLUSTER = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Prefixes of taints that controllers set for what is wrong with a node."""


class NodeState(Inspection):
    """Conditions, pressure, taints and cordons of the nodes that matter for the target."""

    NAME = InspectionName.NODE_STATE
    READS = "the nodes of the target's pods and, if a pod has none, all others"
    RIGHTS = ("pods", "nodes")
    SHOWS = (FindingKind.NODE_UNHEALTHY,)
    BOUNDS = "at most 200 nodes; not where reme watches single namespaces only"

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return the target if it has pods on nodes, or pods that no node takes."""
        on_nodes = any(
            unstructured.text(manifest, "spec", "nodeName")
            for ref, manifest in snapshot.objects.items()
            if ref.kind == "Pod"
        )
        if on_nodes or snapshot.has_unschedulable_pods:
            yield cls(subject=snapshot.target)


def node_findings(
    inspection: NodeState,
    pods: Sequence[Mapping[str, Any]],
    nodes: Sequence[Mapping[str, Any]],
    fault_start: datetime | None,
) -> Iterator[Finding]:
    """Yield what is wrong with the nodes of the pods first, then with those that refuse pods."""
    used = {unstructured.text(pod, "spec", "nodeName") for pod in pods} - {""}
    unplaced = any(not unstructured.text(pod, "spec", "nodeName") for pod in pods)
    findings = [
        finding
        for node in sorted(nodes, key=lambda node: _name(node) not in used)
        if unplaced or _name(node) in used
        for finding in _node_findings(inspection, node, fault_start, unplaced=unplaced)
    ]
    unhealthy = [finding for finding in findings if finding.kind is FindingKind.NODE_UNHEALTHY]
    if not unhealthy:
        text = f"the nodes of its pods are healthy: {', '.join(sorted(used)[:3]) or 'none'}"
        yield Finding(FindingKind.NORMAL, inspection.subject, text)
    others = [finding for finding in findings if finding.kind is FindingKind.NORMAL]
    yield from [*unhealthy, *others][:MAX_FINDINGS]


def _node_findings(
    inspection: NodeState,
    node: Mapping[str, Any],
    fault_start: datetime | None,
    *,
    unplaced: bool,
) -> Iterator[Finding]:
    subject = _ref(node) or inspection.subject
    for condition in unstructured.items(node, "status", "conditions"):
        if problem := _problem(condition):
            at = time_at(condition, "lastTransitionTime")
            when = f", since {relative_to(at, fault_start)}" if at and fault_start else ""
            text = f"node {_name(node)} {problem}{when}"
            if message := unstructured.text(condition, "message"):
                text += f": {shorten(message, _MAX_MESSAGE)}"
            yield Finding(FindingKind.NODE_UNHEALTHY, subject, text, at)
    view = related_views.node(node)
    if view.unschedulable:
        kind = FindingKind.NODE_UNHEALTHY if unplaced else FindingKind.NORMAL
        yield Finding(kind, subject, f"node {view.name} is cordoned: it takes no new pods")
    for taint in view.taints:
        if taint.effect != "PreferNoSchedule" and taint.key != "node.kubernetes.io/unschedulable":
            by_cluster = taint.key.startswith(_BY_THE_CLUSTER)
            kind = FindingKind.NODE_UNHEALTHY if by_cluster else FindingKind.NORMAL
            value = f"={taint.value}" if taint.value else ""
            text = f"node {view.name} has the taint {taint.key}{value} ({taint.effect})"
            yield Finding(kind, subject, text)


def _problem(condition: Mapping[str, Any]) -> str:
    kind, status = unstructured.text(condition, "type"), unstructured.text(condition, "status")
    if kind == "Ready" and status != "True":
        return "is not ready" if status == "False" else "does not respond"
    if kind in _PRESSURES and status == "True":
        return f"has {kind}"
    return ""


def _name(node: Mapping[str, Any]) -> str:
    return unstructured.text(node, "metadata", "name")


def _ref(node: Mapping[str, Any]) -> ObjectRef | None:
    try:
        return ObjectRef("Node", "", _name(node))
    except ValueError:
        return None

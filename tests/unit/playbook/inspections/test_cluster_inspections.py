"""Nodes and quotas: what keeps pods of the target from being placed or created."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_playbook.inspections.node_state import NodeState, node_findings
from reme_playbook.inspections.quota_state import QuotaState, quota_findings
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import CART, Shop, key

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
READY = {"type": "Ready", "status": "True"}


def node(name: str, *conditions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"conditions": list(conditions or (READY,))},
    }


def pod(node_name: str = "") -> dict[str, Any]:
    return {"metadata": {"name": "cart-1"}, "spec": {"nodeName": node_name} if node_name else {}}


def nodes(pods: list[dict[str, Any]], *manifests: dict[str, Any]) -> list[Finding]:
    return list(node_findings(NodeState(subject=CART), pods, manifests, START))


def test_a_node_under_pressure_is_a_finding_about_the_node() -> None:
    pressure = {
        "type": "DiskPressure",
        "status": "True",
        "message": "the disk is full",
        "lastTransitionTime": "2026-01-02T02:59:00Z",
    }
    (finding,) = nodes([pod("a")], node("a", READY, pressure), node("b", pressure))
    assert finding.kind is FindingKind.NODE_UNHEALTHY
    assert finding.subject == key("Node", "a")
    assert finding.text == (
        "node a has DiskPressure, since 60 s before the fault began: the disk is full"
    )


@pytest.mark.parametrize(
    ("status", "text"), [("False", "is not ready"), ("Unknown", "does not respond")]
)
def test_a_node_that_is_not_ready(status: str, text: str) -> None:
    (finding,) = nodes([pod("a")], node("a", {"type": "Ready", "status": status}))
    assert finding.kind is FindingKind.NODE_UNHEALTHY
    assert text in finding.text


def test_healthy_nodes_are_named() -> None:
    (finding,) = nodes([pod("a")], node("a"), node("b"))
    assert finding == Finding(FindingKind.NORMAL, CART, "the nodes of its pods are healthy: a")


def test_a_cordon_matters_only_for_pods_that_no_node_takes() -> None:
    cordoned = node("a", unschedulable=True)
    placed = nodes([pod("a")], cordoned)
    assert [finding.kind for finding in placed] == [FindingKind.NORMAL] * 2
    waiting = nodes([pod()], cordoned)
    assert waiting[0].kind is FindingKind.NODE_UNHEALTHY
    assert "cordoned" in waiting[0].text


def test_of_taints_those_that_the_cluster_sets_say_that_a_node_is_unhealthy() -> None:
    taints = [
        {"key": "team", "value": "data", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"},
    ]
    findings = nodes([pod()], node("a", taints=taints))
    assert [(f.kind, f.text) for f in findings] == [
        (
            FindingKind.NODE_UNHEALTHY,
            "node a has the taint node.kubernetes.io/disk-pressure (NoSchedule)",
        ),
        (FindingKind.NORMAL, "node a has the taint team=data (NoSchedule)"),
    ]


def test_nodes_are_offered_where_a_pod_is_on_one_or_waits_for_one() -> None:
    assert list(NodeState.candidates(Shop().live())) == []
    assert list(NodeState.candidates(Shop(unplaced=True).live())) == [NodeState(subject=CART)]


QUOTA = {
    "metadata": {
        "name": "compute",
        "managedFields": [{"manager": "kubectl", "time": "2026-01-02T02:57:00Z", "fieldsV1": {}}],
    },
    "spec": {"hard": {"pods": "2", "limits.cpu": "1"}},
    "status": {"used": {"pods": "2", "limits.cpu": "600m"}},
}


def quotas(
    live: ClusterSnapshot, *manifests: dict[str, Any], ranges: tuple[dict[str, Any], ...] = ()
) -> list[Finding]:
    known = replace(live, fault_start=START, fault_start_observed=True)
    return list(quota_findings(QuotaState(subject=CART), manifests, ranges, known))


def test_the_amount_that_blocks_pods_is_named_and_when_it_was_changed() -> None:
    findings = quotas(Shop(replicas=3, status={"replicas": 2}).live(), QUOTA)
    assert [(f.kind, f.subject, f.text) for f in findings] == [
        (
            FindingKind.QUOTA_EXCEEDED,
            key("ResourceQuota", "compute"),
            "quota compute is used up: pods 2 of 2, so that 1 of 3 pods are missing",
        ),
        (
            FindingKind.RECENT_CHANGE,
            key("ResourceQuota", "compute"),
            "quota compute was changed 3 min before the fault began",
        ),
    ]
    assert findings[1].at == START - timedelta(minutes=3)


def test_a_quota_with_room_is_normal() -> None:
    (finding,) = quotas(Shop(replicas=2, status={"replicas": 2}).live(), QUOTA)
    assert finding.kind is FindingKind.NORMAL
    assert finding.text == "quota compute leaves room: pods 2 of 2, limits.cpu 600m of 1"


def test_what_one_more_pod_needs_is_said() -> None:
    tight = {**QUOTA, "spec": {"hard": {"limits.cpu": "700m"}}}
    (finding, *_) = quotas(Shop(replicas=3, status={"replicas": 2}).live(), tight)
    assert "limits.cpu 600m of 700m; one more pod needs 300m" in finding.text


def test_limit_ranges_are_shown_if_they_can_be_read() -> None:
    limits = [{"type": "Container", "max": {"memory": "64Mi"}, "default": {"cpu": "100m"}}]
    ranges = ({"metadata": {"name": "small"}, "spec": {"limits": limits}},)
    findings = quotas(Shop().live(), ranges=ranges)
    assert [finding.text for finding in findings] == [
        "the namespace has no quota",
        "limit range small of a Container: max memory 64Mi, default cpu 100m",
    ]


def test_quotas_are_offered_where_there_are_some_or_pods_are_missing() -> None:
    assert list(QuotaState.candidates(Shop(status={"replicas": 2}).live())) == []
    assert list(QuotaState.candidates(Shop(status={"replicas": 1}).live()))

"""Repairs of what is around a workload, from report to record: a quota, and a node."""

from collections.abc import Iterator
from typing import Any

import pytest

from reme_api.reasons import Outcome
from reme_api.remediation import Remediation
from tests.support.testbed import Testbed, never_verified

pytestmark = pytest.mark.cluster

PATIENT = {"windowSeconds": 3, "timeoutSeconds": 90, "baselineSamples": 2}
ACTIONS = [{"name": name} for name in ("SetQuota", "UncordonNode", "RemoveTaint", "Restart")]
TAINT = {"key": "reme.dev/test", "effect": "NoSchedule"}


def patch(testbed: Testbed, kind: str, name: str, spec: str, namespace: str = "") -> None:
    where = ["-n", namespace] if namespace else []
    testbed.kubectl.run("patch", kind, name, *where, "--type", "merge", "-p", f'{{"spec":{spec}}}')


def lose_pod(testbed: Testbed) -> None:
    """Delete the catalog's pod, and wait until its successor is missing or waits."""
    testbed.kubectl.run("delete", "pod", "-l", "app=catalog", "-n", testbed.namespace, "--now")

    def unserved() -> bool:
        deployment = testbed.kubectl.get("deployment", "catalog", testbed.namespace) or {}
        return not deployment.get("status", {}).get("readyReplicas")

    testbed.until("the catalog is gone", unserved)


@pytest.fixture
def full(shop: Testbed) -> Iterator[Testbed]:
    """A quota with room for one pod less than there are, and the catalog's pod lost to it."""
    shop.policy(actions=ACTIONS, verification=PATIENT)

    def settled() -> int:
        """Return the number of pods, 0 while one of an earlier test is still going away."""
        pods = shop.kubectl.list("pods", shop.namespace)
        going = any(pod["metadata"].get("deletionTimestamp") for pod in pods)
        return 0 if going else len(pods)

    running = shop.until("no pod is terminating", settled)
    quota: dict[str, Any] = {"apiVersion": "v1", "kind": "ResourceQuota"}
    quota |= {"metadata": {"name": "team"}, "spec": {"hard": {"pods": str(running - 1)}}}
    shop.kubectl.apply(quota, namespace=shop.namespace)

    def counted() -> bool:
        resourcequota = shop.kubectl.get("resourcequota", "team", shop.namespace) or {}
        return "used" in resourcequota.get("status", {})

    shop.until("the quota counts", counted)
    lose_pod(shop)
    yield shop
    shop.kubectl.delete("resourcequota", "team", shop.namespace)


def quota_task(testbed: Testbed, pods: int) -> dict[str, Any]:
    where = {"kind": "ResourceQuota", "name": "team", "namespace": testbed.namespace}
    definition = {"spec": {"hard": {"pods": str(pods)}}}
    return {"kubernetes.core.k8s": where | {"state": "patched", "definition": definition}}


def room(testbed: Testbed) -> int:
    return int(testbed.spec_of("resourcequota", "team")["hard"]["pods"])


def test_a_full_quota_gets_room(full: Testbed) -> None:
    before = room(full)
    full.model.play(quota_task(full, before + 1))
    ended = full.ended(full.report("full"), seconds=240)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert room(full) == before + 1
    (obj,) = full.model.recorded_requests()
    assert f"quota team: used {before} of {before} pods" in str(obj["messages"][-1])


def test_a_quota_that_was_raised_in_vain_is_lowered_again(full: Testbed) -> None:
    before = room(full)
    full.shop.set_env("catalog", FAIL_PERCENT="100")
    full.policy(actions=ACTIONS)
    full.model.play(quota_task(full, before + 1))
    ended = full.ended(full.report("in-vain"), seconds=240)
    never_verified(ended)
    assert ended.status.outcome is Outcome.ROLLED_BACK, ended.status.message
    assert room(full) == before


@pytest.fixture
def closed(shop: Testbed) -> Iterator[Testbed]:
    """Every node is cordoned, and no pod tolerates its taint; so the catalog's pod has no place."""
    shop.policy(actions=ACTIONS, verification=PATIENT)
    names = nodes(shop)
    for name in names:
        shop.kubectl.run("cordon", name)
    yield shop
    for name in names:
        shop.kubectl.run("uncordon", name)
        taint = f"{TAINT['key']}:{TAINT['effect']}-"
        if TAINT["key"] in str(shop.kubectl.get("node", name)):
            shop.kubectl.run("taint", "node", name, taint)


def nodes(testbed: Testbed) -> list[str]:
    return [node["metadata"]["name"] for node in testbed.kubectl.list("nodes")]


def bound_everywhere(testbed: Testbed, remediation: Remediation) -> list[Any]:
    selector = f"reme.dev/remediation-uid={remediation.metadata.uid}"
    return testbed.kubectl.list("clusterrolebindings", selector=selector)


def cordoned(testbed: Testbed, name: str) -> bool:
    node = testbed.kubectl.get("node", name)
    assert node is not None
    return bool(node["spec"].get("unschedulable"))


def test_a_node_takes_pods_again(closed: Testbed) -> None:
    lose_pod(closed)
    name = nodes(closed)[0]
    closed.model.play({"kubernetes.core.k8s_drain": {"name": name, "state": "uncordon"}})
    ended = closed.ended(closed.report("cordoned"), seconds=240)
    assert ended.status.outcome is Outcome.VERIFIED, ended.status.message
    assert not cordoned(closed, name)
    assert f"node {name} is cordoned" in str(closed.model.recorded_requests()[-1]["messages"][-1])
    closed.until("clean-up", lambda: not closed.leftovers(ended))
    closed.until("no right is left", lambda: not bound_everywhere(closed, ended))


def test_a_taint_is_taken_off_and_put_back_when_it_was_another(closed: Testbed) -> None:
    """The taint is off, the node is still cordoned: that helps nobody, and is undone."""
    name = nodes(closed)[0]
    closed.kubectl.run("taint", "node", name, f"{TAINT['key']}=yes:{TAINT['effect']}")
    closed.policy(actions=ACTIONS)
    lose_pod(closed)
    task = {"name": name, "state": "absent", "taints": [TAINT]}
    closed.model.play({"kubernetes.core.k8s_taint": task})
    ended = closed.ended(closed.report("tainted"), seconds=240)
    assert ended.status.outcome is Outcome.ROLLED_BACK, ended.status.message
    node = closed.kubectl.get("node", name)
    assert node is not None
    assert TAINT | {"value": "yes"} in node["spec"]["taints"]
    assert cordoned(closed, name)
    closed.until("no right is left", lambda: not bound_everywhere(closed, ended))


def test_a_healthy_node_is_nobodys_to_change(shop: Testbed) -> None:
    shop.policy(actions=ACTIONS)
    shop.break_catalog()
    name = nodes(shop)[0]
    shop.model.play({"kubernetes.core.k8s_drain": {"name": name, "state": "uncordon"}})
    ended = shop.ended(shop.report("not-cordoned"))
    assert ended.status.outcome is Outcome.REJECTED, ended.status.message

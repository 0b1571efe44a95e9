"""Runs of the actions on related objects and on nodes, each with its rollback."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.disruption_budget import SetDisruptionBudget
from reme_playbook.actions.ingress_backend import SetIngressBackend
from reme_playbook.actions.job import ResumeJob, SuspendJob
from reme_playbook.actions.network_policy import (
    AllowEgress,
    AllowIngress,
    WithdrawEgress,
    WithdrawIngress,
)
from reme_playbook.actions.node import AddTaint, CordonNode, RemoveTaint, UncordonNode
from reme_playbook.actions.node_selector import PatchNodeSelector
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollout import SetUpdateStrategy
from reme_playbook.snapshot.field_path import read
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.e2e.sandbox.conftest import Object, RunAdmission
from tests.e2e.sandbox.test_runs import Sandboxes, sandboxes

__all__ = ["sandboxes"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ADDRESSES = {
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas/{}",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets/{}",
    "Job": "/apis/batch/v1/namespaces/{}/jobs/{}",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/{}",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies/{}",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments/{}",
    "Node": "/api/v1/nodes/{1}",
}


@pytest.fixture(scope="module")
def related(admission: RunAdmission) -> Iterator[RunAdmission]:
    path = str(Path(__file__).with_name("related.yaml"))
    admission.kubectl.run("apply", "-n", admission.shop, "-f", path)
    taints = [
        {"key": "dedicated", "value": "batch", "effect": "NoSchedule"},
        {"key": "reme.dev/test", "effect": "NoExecute"},
    ]
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"runs-{admission.shop}"},
        "spec": {"unschedulable": True, "taints": taints},
    }
    assert admission.api("POST", "/api/v1/nodes", node).status == 201
    yield admission
    admission.api("DELETE", f"/api/v1/nodes/runs-{admission.shop}")
    admission.kubectl.run(
        "delete", "clusterrolebindings", "-l", _label_selector(), "--ignore-not-found"
    )
    admission.kubectl.run("delete", "-n", admission.shop, "-f", path)


def _label_selector() -> str:
    return "app.kubernetes.io/managed-by=reme,reme.dev/remediation-name=e2e"


def read_object(admission: RunAdmission, key: ObjectRef) -> Object:
    address = ADDRESSES[key.kind].format(key.namespace, key.name)
    return admission.api("GET", address).body


def fields(admission: RunAdmission, *actions: Action) -> list[Any]:
    return [
        read(read_object(admission, action.target), write.path)
        for action in actions
        for write in action.writes()
    ]


def pairs(admission: RunAdmission) -> list[tuple[Action, Action]]:
    """Return each action with the one that rolls it back."""

    def key(kind: Any, name: str) -> ObjectRef:
        return ObjectRef(kind, admission.shop, name)

    cart = key("Deployment", "cart")
    hpa, budget = key("HorizontalPodAutoscaler", "cart"), key("PodDisruptionBudget", "cart")
    quota, job = key("ResourceQuota", "all"), key("Job", "cart-migration")
    node = ObjectRef("Node", "", f"runs-{admission.shop}")
    path: dict[str, Any] = {"rule": 0, "path": 1, "host": "shop.example", "http_path": "/cart"}
    backend = {"target": key("Ingress", "shop"), "port": 80, **path}
    policy = key("NetworkPolicy", "cart")
    let_in: dict[str, Any] = {"target": policy, "position": 0, "labels": {"app": "front"}}
    taint: dict[str, Any] = {"target": node, "key": "dedicated", "effect": "NoSchedule"}
    return [
        (
            SetUpdateStrategy(target=cart, max_surge=0, max_unavailable=1),
            SetUpdateStrategy(target=cart, max_surge="25%", max_unavailable="25%"),
        ),
        (
            PatchNodeSelector(target=cart, selector={"disk": "ssd"}),
            PatchNodeSelector(target=cart, selector={"disk": None}),
        ),
        (
            SetCommand(target=cart, container="app", command=("/cart", "{serve}")),
            SetCommand(target=cart, container="app", command=()),
        ),
        (
            SetAutoscaling(target=hpa, min_replicas=2, max_replicas=4),
            SetAutoscaling(target=hpa, min_replicas=1, max_replicas=2),
        ),
        (
            SetQuota(target=quota, hard={"count/pods": "60"}),
            SetQuota(target=quota, hard={"count/pods": "40"}),
        ),
        (
            SetDisruptionBudget(target=budget, min_available=1),
            SetDisruptionBudget(target=budget, min_available="100%"),
        ),
        (ResumeJob(target=job), SuspendJob(target=job)),
        (
            SetIngressBackend(service="cart", **backend),
            SetIngressBackend(service="cartt", **backend),
        ),
        (AllowIngress(port=8080, **let_in), WithdrawIngress(port=8080, **let_in)),
        (AllowEgress(target=policy, position=1), WithdrawEgress(target=policy, position=1)),
        (UncordonNode(target=node), CordonNode(target=node)),
        (RemoveTaint(**taint), AddTaint(value="batch", **taint)),
    ]


def test_each_action_is_executed_and_rolled_back(
    related: RunAdmission, sandboxes: Sandboxes
) -> None:
    both = pairs(related)
    for begin in (0, 6):  # the number of actions of a playbook is limited
        items = both[begin : begin + 6]
        actions = tuple(action for action, _ in items)
        inverses = tuple(action for _, action in reversed(items))
        before = fields(related, *actions)
        done = sandboxes.request(*actions)
        state = sandboxes.run(done)
        assert state.ok, (state, sandboxes.log(done.name))
        after = fields(related, *actions)
        assert all(one != other for one, other in zip(before, after, strict=True)), after
        rollback = replace(done, actions=inverses, is_rollback=True, created=datetime.now(UTC))
        state = sandboxes.run(rollback)
        assert state.ok, (state, sandboxes.log(rollback.name))
        assert fields(related, *actions) == before


def test_an_ingress_path_that_has_moved_is_not_changed(
    related: RunAdmission, sandboxes: Sandboxes
) -> None:
    moved = {"rule": 0, "path": 1, "host": "shop.example", "http_path": "/elsewhere"}
    target = ObjectRef("Ingress", related.shop, "shop")
    action = SetIngressBackend(target=target, service="cart", port=80, **moved)
    before = read_object(related, target)["spec"]
    state = sandboxes.run(sandboxes.request(action))
    assert not state.ok
    assert state.changed == 0
    assert read_object(related, target)["spec"] == before

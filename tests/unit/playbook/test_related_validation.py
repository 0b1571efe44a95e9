"""What may be done to what is around a workload: only to what really holds it back, and little."""

from dataclasses import replace
from typing import Any

import pytest

from reme_api.actions import ActionName
from reme_playbook.actions.autoscaling import SetAutoscaling
from reme_playbook.actions.command import SetCommand
from reme_playbook.actions.disruption_budget import SetDisruptionBudget
from reme_playbook.actions.ingress_backend import SetIngressBackend
from reme_playbook.actions.job import ResumeJob
from reme_playbook.actions.network_policy import AllowEgress, AllowIngress
from reme_playbook.actions.node import CordonNode, RemoveTaint, UncordonNode
from reme_playbook.actions.node_selector import PatchNodeSelector
from reme_playbook.actions.quota import SetQuota
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollout import SetUpdateStrategy
from reme_playbook.errors import RejectionRule
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.snapshot.snapshot import EventLine
from tests.unit.playbook.builders import (
    CART,
    Json,
    Shop,
    container,
    everything,
    key,
    only,
    template,
)
from tests.unit.playbook.constrained import (
    ALL,
    ASTRAY,
    BUDGET,
    COMMANDED,
    CORDONED,
    DEDICATED,
    FULL,
    GUARDED,
    HELD,
    HPA,
    INGRESS,
    JOB,
    LIMITED,
    MISPLACED,
    NODE,
    POLICY,
    QUOTA,
    SHUT,
    STUCK,
    TAINTED,
    autoscaler,
    budget,
    ingress,
    network_policy,
    node,
    path,
    peers,
    quota,
)
from tests.unit.playbook.test_validation import rejection

Verdict = RejectionRule | None


@pytest.mark.parametrize(
    ("fields", "bounds", "rule"),
    [
        ({"max_replicas": 4}, {}, None),
        ({"max_replicas": 5}, {}, RejectionRule.BOUNDS),
        ({"max_replicas": 4}, {"max_replicas": 3}, RejectionRule.BOUNDS),
        ({"max_replicas": 1}, {}, RejectionRule.BOUNDS),
        ({"max_replicas": 2}, {}, RejectionRule.NO_CHANGE),
        ({"min_replicas": 2}, {}, None),
        ({"min_replicas": 3}, {"max_increase_percent": 900}, RejectionRule.VALUE),
        ({"min_replicas": 3, "max_replicas": 4}, {"max_increase_percent": 900}, None),
    ],
)
def test_an_autoscaler_gets_more_room_within_bounds(
    fields: dict[str, int], bounds: dict[str, int], rule: Verdict
) -> None:
    action = SetAutoscaling(target=HPA, **fields)
    assert rejection(action, LIMITED.live(), everything(**bounds)) is rule


def test_bounds_of_before_are_within_bounds() -> None:
    action = SetAutoscaling(target=HPA, max_replicas=9)
    applied = {HPA: {"spec": {"maxReplicas": 9}}}
    assert rejection(action, LIMITED.live()) is RejectionRule.BOUNDS
    assert rejection(action, replace(LIMITED, applied=applied).live()) is None


def test_an_autoscaler_of_another_workload_is_left_alone() -> None:
    shop = Shop(related={HPA: autoscaler(scales="stock")})
    action = SetAutoscaling(target=HPA, max_replicas=3)
    assert rejection(action, shop.live()) is RejectionRule.NOT_OF_TARGET


@pytest.mark.parametrize(
    ("hard", "rule"),
    [
        ({"pods": "8"}, None),
        ({"pods": "9"}, RejectionRule.BOUNDS),
        ({"pods": "3"}, RejectionRule.BOUNDS),
        ({"pods": "4"}, RejectionRule.NO_CHANGE),
        ({"pods": "5", "limits.cpu": "5"}, RejectionRule.NOT_OF_TARGET),
        ({"memory": "1Gi"}, RejectionRule.NOT_FOUND),
    ],
)
def test_a_quota_is_raised_where_it_is_used_up(hard: dict[str, str], rule: Verdict) -> None:
    amounts = {"pods": "4", "limits.cpu": "4"}
    result = quota(amounts, {"pods": "4", "limits.cpu": "1"})
    action = SetQuota(target=QUOTA, hard=hard)
    assert rejection(action, replace(FULL, related={QUOTA: result}).live()) is rule


FIVE = SetQuota(target=QUOTA, hard={"pods": "5"})
FORBIDDEN = (
    'pods "cart-1" is forbidden: exceeded quota: all, requested: pods=1, used: pods=4, '
    "limited: pods={}"
)


def test_a_quota_that_has_room_or_keeps_no_pod_away_is_left_alone() -> None:
    room = replace(FULL, related={QUOTA: quota({"pods": "4"}, {"pods": "3"})})
    assert rejection(FIVE, room.live()) is RejectionRule.NOT_OF_TARGET
    whole = replace(FULL, status={"replicas": 2, "updatedReplicas": 2})
    assert rejection(FIVE, whole.live()) is RejectionRule.NOT_OF_TARGET


@pytest.mark.parametrize(("limit", "rule"), [("4", None), ("3", RejectionRule.NOT_OF_TARGET)])
def test_the_api_servers_word_counts_while_its_limit_holds(limit: str, rule: Verdict) -> None:
    whole = {"replicas": 2, "updatedReplicas": 2}
    messages = FORBIDDEN.format(limit)
    condition = {"type": "ReplicaFailure", "status": "True", "message": messages}
    message = replace(FULL, status={**whole, "conditions": [condition]})
    assert rejection(FIVE, message.live()) is rule
    event = EventLine("ReplicaSet", "cart-hash1", "FailedCreate", messages)
    rolling = {**whole, "updatedReplicas": 1}
    assert rejection(FIVE, replace(FULL, status=rolling, events=(event,)).live()) is rule
    # All pods are there: the refusal is past.
    past = replace(FULL, status=whole, events=(event,)).live()
    assert rejection(FIVE, past) is RejectionRule.NOT_OF_TARGET


def test_a_quota_of_nothing_may_become_what_is_missing() -> None:
    none = replace(FULL, related={QUOTA: quota({"pods": "0"}, {"pods": "0"})})
    assert rejection(SetQuota(target=QUOTA, hard={"pods": "1"}), none.live()) is None
    assert (
        rejection(SetQuota(target=QUOTA, hard={"pods": "2"}), none.live()) is RejectionRule.BOUNDS
    )


@pytest.mark.parametrize(
    ("spec", "fields", "rule"),
    [
        ({"minAvailable": "100%"}, {"min_available": 3}, None),
        ({"minAvailable": 4}, {"min_available": 2}, None),
        ({"minAvailable": 4}, {"min_available": 1}, RejectionRule.BOUNDS),
        ({"minAvailable": 4}, {"min_available": 0}, RejectionRule.BOUNDS),
        ({"minAvailable": 4}, {"min_available": "50%"}, RejectionRule.VALUE),
        ({"minAvailable": 4}, {"max_unavailable": 1}, RejectionRule.NOT_FOUND),
        ({"minAvailable": 3}, {"min_available": 2}, RejectionRule.NO_CHANGE),
        ({"maxUnavailable": 0}, {"max_unavailable": 1}, None),
        ({"maxUnavailable": "0%"}, {"max_unavailable": 1}, None),
        ({"maxUnavailable": 0}, {"max_unavailable": 2}, RejectionRule.BOUNDS),
        ({"maxUnavailable": 1}, {"max_unavailable": 2}, RejectionRule.NO_CHANGE),
    ],
)
def test_a_budget_lets_one_pod_be_moved_and_no_more(
    spec: Json, fields: dict[str, Any], rule: Verdict
) -> None:
    shop = replace(GUARDED, related={BUDGET: budget(**spec)})
    assert rejection(SetDisruptionBudget(target=BUDGET, **fields), shop.live()) is rule


def test_a_single_pod_keeps_its_budget() -> None:
    shop = replace(GUARDED, replicas=1)
    action = SetDisruptionBudget(target=BUDGET, min_available=0)
    assert rejection(action, shop.live()) is RejectionRule.BOUNDS


def test_a_budget_of_others_is_left_alone() -> None:
    shared = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web"]}]}
    foreign = {"matchLabels": {"app": "stock"}}
    for selector in (shared, foreign):
        shop = replace(GUARDED, related={BUDGET: budget(minAvailable=4, selector=selector)})
        action = SetDisruptionBudget(target=BUDGET, min_available=3)
        assert rejection(action, shop.live()) is RejectionRule.NOT_OF_TARGET


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"max_surge": 0, "max_unavailable": 1}, None),
        ({"max_surge": 1, "max_unavailable": 0}, None),
        ({"max_surge": 0}, None),
        ({"max_surge": 1, "max_unavailable": 1}, None),
        ({"max_surge": 2}, RejectionRule.BOUNDS),
        ({"max_unavailable": "100%"}, RejectionRule.BOUNDS),
        ({"max_surge": 0, "max_unavailable": 0}, RejectionRule.VALUE),
        ({"max_surge": 1}, RejectionRule.NO_CHANGE),
    ],
)
def test_a_rollout_moves_one_pod_at_a_time(fields: dict[str, Any], rule: Verdict) -> None:
    assert rejection(SetUpdateStrategy(target=CART, **fields), STUCK.live()) is rule


def test_what_replaces_all_pods_at_once_has_no_steps() -> None:
    shop = Shop(spec={"strategy": {"type": "Recreate"}})
    assert (
        rejection(SetUpdateStrategy(target=CART, max_surge=0), shop.live()) is RejectionRule.VALUE
    )


@pytest.mark.parametrize(
    ("selector", "rule"),
    [
        ({"disk": "hdd"}, None),
        ({"disk": None}, None),
        ({"disk": "nvme"}, RejectionRule.UNKNOWN_VALUE),
        ({"zone": "a"}, RejectionRule.UNKNOWN_VALUE),
        ({"disk": "ssd"}, RejectionRule.NO_CHANGE),
        ({"zone": None}, RejectionRule.NO_CHANGE),
    ],
)
def test_pods_ask_for_the_nodes_of_before(selector: dict[str, str | None], rule: Verdict) -> None:
    assert rejection(PatchNodeSelector(target=CART, selector=selector), MISPLACED.live()) is rule


def test_a_label_that_some_node_has_stays_asked_for() -> None:
    drop = PatchNodeSelector(target=CART, selector={"disk": None})
    for labels in (None, frozenset({("disk", "ssd")})):
        shop = replace(MISPLACED, node_labels=labels)
        assert rejection(drop, shop.live()) is RejectionRule.UNKNOWN_VALUE


def command(**fields: Any) -> SetCommand:
    return SetCommand(target=CART, container="server", **fields)


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (command(command=("/cart",)), None),
        (command(command=("/cart",), args=()), None),
        (command(args=()), None),
        (command(command=("sh", "-c", "id")), RejectionRule.UNKNOWN_VALUE),
        (command(args=("--slow",)), RejectionRule.UNKNOWN_VALUE),
        (command(command=("/crat",)), RejectionRule.NO_CHANGE),
        (command(args=("--password=x",)), RejectionRule.SENSITIVE),
    ],
)
def test_a_container_runs_what_it_ran_before(action: SetCommand, rule: Verdict) -> None:
    assert rejection(action, COMMANDED.live()) is rule


def test_arguments_that_look_secret_are_not_touched() -> None:
    shop = Shop(
        template=template(container(command=["/crat"], args=["--db-password", "x"])),
        earlier=[template(container(command=["/cart"], args=["--db-password", "y"]))],
    )
    assert rejection(command(command=("/cart",)), shop.live()) is RejectionRule.SENSITIVE


@pytest.mark.parametrize(
    ("name", "spec", "rule"),
    [
        ("cart-migration", {"suspend": True}, None),
        ("cart-migration", {}, RejectionRule.NO_CHANGE),
        ("stock-import", {"suspend": True}, RejectionRule.NOT_OF_TARGET),
        ("wait-for-me", {"suspend": True}, None),
    ],
)
def test_a_job_that_the_workload_waits_for_is_resumed(name: str, spec: Json, rule: Verdict) -> None:
    waits = container(args=["--after=wait-for-me"])
    job = key("Job", name)
    shop = Shop(template=template(waits), related={job: {"spec": spec}})
    assert rejection(ResumeJob(target=job), shop.live()) is rule


def test_a_job_of_another_workload_of_that_name_is_left_alone() -> None:
    shop = replace(HELD, neighbours={key("Deployment", "cart-migration"): {"app": "x"}})
    assert rejection(ResumeJob(target=JOB), shop.live()) is RejectionRule.NOT_OF_TARGET


def backend(**changes: Any) -> SetIngressBackend:
    fields: dict[str, Any] = {
        "rule": 0,
        "path": 1,
        "host": "shop.example",
        "http_path": "/cart",
        "service": "cart",
        "port": 80,
    }
    return SetIngressBackend(target=INGRESS, **{**fields, **changes})


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (backend(), None),
        (backend(port="http"), None),
        (backend(port=81), RejectionRule.UNKNOWN_VALUE),
        (backend(service="front"), RejectionRule.UNKNOWN_VALUE),
        (backend(service="cartt"), RejectionRule.NO_CHANGE),
        (backend(path=0, http_path="/"), RejectionRule.NOT_OF_TARGET),
        (backend(path=2), RejectionRule.NOT_FOUND),
        (backend(host=None), RejectionRule.NOT_FOUND),
        (backend(http_path="/x"), RejectionRule.NOT_FOUND),
    ],
)
def test_only_a_path_that_should_lead_to_the_target_is_led_there(
    action: SetIngressBackend, rule: Verdict
) -> None:
    assert rejection(action, ASTRAY.live()) is rule


@pytest.mark.parametrize(
    ("result", "applied", "rule"),
    [
        (path("cart", 81, "/cart"), None, None),
        (path("cart", 80, "/cart"), None, RejectionRule.NO_CHANGE),
        (path("front", 80, "/cart"), None, RejectionRule.NOT_OF_TARGET),
        (path("front", 80, "/cart"), "cart", None),
        (path("front", 80, "/cart"), "stock", RejectionRule.NOT_OF_TARGET),
        (path("nowhere", 80, "/cart"), None, RejectionRule.NOT_OF_TARGET),
        (path("nowhere", 80, "/cart"), "cart", None),
    ],
)
def test_a_path_is_the_targets_by_its_service_or_by_what_was_applied(
    result: Json, applied: str | None, rule: Verdict
) -> None:
    before = {INGRESS: ingress(path("front"), path(applied, where="/cart"))} if applied else {}
    shop = replace(ASTRAY, related={INGRESS: ingress(path("front"), result)}, applied=before)
    assert rejection(backend(), shop.live()) is rule


def let_in(**changes: Any) -> AllowIngress:
    fields: dict[str, Any] = {"position": 1, "labels": {"app": "front"}, "port": 8080}
    return AllowIngress(target=POLICY, **{**fields, **changes})


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (let_in(), None),
        (let_in(port="http"), None),
        (let_in(labels={"app": "front", "tier": "web"}), None),
        (let_in(labels={"tier": "web"}), RejectionRule.UNKNOWN_VALUE),
        (let_in(labels={"app": "nobody"}), RejectionRule.UNKNOWN_VALUE),
        (let_in(port=22), RejectionRule.UNKNOWN_VALUE),
        (let_in(position=0), RejectionRule.VALUE),
        (let_in(position=2), RejectionRule.VALUE),
    ],
)
def test_one_workload_is_let_in_at_a_port_that_is_there(
    action: AllowIngress, rule: Verdict
) -> None:
    assert rejection(action, SHUT.live()) is rule


@pytest.mark.parametrize(
    "spec",
    [
        {"ingress": [peers(app="front"), {}]},
        {"ingress": [{}]},
        {"ingress": [{"from": [{"podSelector": {}}]}]},
        {"ingress": [{"from": [{"namespaceSelector": {}}]}]},
        {"ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]},
        {"ingress": [{"ports": [{"port": 8000, "endPort": 9000}]}]},
        {"egress": []},
    ],
)
def test_who_is_let_in_already_needs_no_rule(spec: Json) -> None:
    shop = replace(SHUT, related={POLICY: network_policy(**spec)})
    action = let_in(position=len(spec.get("ingress", [])))
    assert rejection(action, shop.live()) is RejectionRule.NO_CHANGE


def test_a_policy_of_others_is_left_alone() -> None:
    foreign = network_policy(podSelector={"matchLabels": {"app": "stock"}}, ingress=[])
    shop = replace(SHUT, related={POLICY: foreign})
    assert rejection(let_in(position=0), shop.live()) is RejectionRule.NOT_OF_TARGET


def let_out(**changes: Any) -> AllowEgress:
    return AllowEgress(target=POLICY, **{"position": 0, **changes})


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        (let_out(), None),
        (let_out(labels={"app": "stock"}, port=8080), None),
        (let_out(labels={"app": "stock"}, port=22), RejectionRule.UNKNOWN_VALUE),
        (let_out(labels={"app": "front"}, port=8080), RejectionRule.UNKNOWN_VALUE),
        (let_out(position=1), RejectionRule.VALUE),
    ],
)
def test_pods_are_let_out_to_what_they_call(action: AllowEgress, rule: Verdict) -> None:
    assert rejection(action, SHUT.live()) is rule


def test_who_is_let_out_already_needs_no_rule() -> None:
    shop = replace(SHUT, related={POLICY: network_policy(egress=[{}])})
    call = let_out(position=1, labels={"app": "stock"}, port=8080)
    for action in (let_out(position=1), call):
        assert rejection(action, shop.live()) is RejectionRule.NO_CHANGE


UNCORDON = UncordonNode(target=NODE)


@pytest.mark.parametrize(
    ("shop", "rule"),
    [
        (CORDONED, None),
        (replace(CORDONED, unplaced=False), RejectionRule.NOT_OF_TARGET),
        (replace(CORDONED, related={NODE: node()}), RejectionRule.NO_CHANGE),
        (
            replace(CORDONED, related={NODE: node(ready=False, unschedulable=True)}),
            RejectionRule.NOT_OF_TARGET,
        ),
        (
            replace(CORDONED, template=template(nodeSelector={"disk": "ssd"})),
            RejectionRule.NOT_OF_TARGET,
        ),
        (replace(CORDONED, related={}), RejectionRule.NOT_FOUND),
    ],
)
def test_a_node_is_uncordoned_for_pods_that_no_node_takes(shop: Shop, rule: Verdict) -> None:
    assert rejection(UNCORDON, shop.live()) is rule


def test_a_protected_node_is_left_alone() -> None:
    held = node(unschedulable=True, labels={"reme.dev/protected": "true"})
    shop = replace(CORDONED, related={NODE: held})
    assert rejection(UNCORDON, shop.live()) is RejectionRule.PROTECTED


def test_a_node_is_protected_by_no_namespace() -> None:
    assert rejection(UNCORDON, CORDONED.live(), release_namespace="reme-system") is None
    policy = only(ActionName.UNCORDON_NODE, names=["n2"])
    assert rejection(UNCORDON, CORDONED.live(), policy) is RejectionRule.NOT_ALLOWED


def tolerating(**toleration: str) -> Shop:
    return replace(TAINTED, template=template(tolerations=[toleration]))


@pytest.mark.parametrize(
    ("shop", "rule"),
    [
        (TAINTED, None),
        (tolerating(operator="Exists"), RejectionRule.NOT_OF_TARGET),
        (tolerating(key="dedicated", value="batch"), RejectionRule.NOT_OF_TARGET),
        (tolerating(key="dedicated", value="web"), None),
        (tolerating(key="dedicated", operator="Exists", effect="NoExecute"), None),
        (replace(TAINTED, related={NODE: node()}), RejectionRule.NO_CHANGE),
        (
            replace(TAINTED, related={NODE: node(DEDICATED, ready=False)}),
            RejectionRule.NOT_OF_TARGET,
        ),
    ],
)
def test_a_taint_that_keeps_the_pods_away_is_taken_off(shop: Shop, rule: Verdict) -> None:
    action = RemoveTaint(target=NODE, key="dedicated", effect="NoSchedule")
    assert rejection(action, shop.live()) is rule


@pytest.mark.parametrize(
    "name",
    [
        "node.kubernetes.io/unreachable",
        "node-role.kubernetes.io/control-plane",
        "node.cloudprovider.kubernetes.io/uninitialized",
    ],
)
def test_kubernetes_own_taints_are_left_alone(name: str) -> None:
    shop = replace(TAINTED, related={NODE: node({"key": name, "effect": "NoSchedule"})})
    action = RemoveTaint(target=NODE, key=name, effect="NoSchedule")
    assert rejection(action, shop.live()) is RejectionRule.PROTECTED


def test_a_taint_that_only_prefers_keeps_nobody_away() -> None:
    taint = {"key": "dedicated", "effect": "PreferNoSchedule"}
    shop = replace(TAINTED, related={NODE: node(taint)})
    action = RemoveTaint(target=NODE, key="dedicated", effect="PreferNoSchedule")
    assert rejection(action, shop.live()) is RejectionRule.NOT_OF_TARGET


@pytest.mark.parametrize("action", [CordonNode(target=NODE)], ids=str)
def test_what_only_rolls_back_is_never_asked_for(action: Action) -> None:
    assert rejection(action, CORDONED.live()) is RejectionRule.INTERNAL


@pytest.mark.parametrize("shop", ALL, ids=range(len(ALL)))
def test_nothing_related_is_touched_that_the_policy_does_not_name(shop: Shop) -> None:
    for action in allowed_actions(shop.live(), everything()):
        others = [name for name in ActionName if name is not action.name]
        policy = everything().model_copy(
            update={"actions": [r for r in everything().actions if r.name in others]}
        )
        assert rejection(action, shop.live(), policy) is RejectionRule.NOT_ALLOWED

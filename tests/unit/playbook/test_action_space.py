import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicySpec
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.rollout import ResumeRollout
from reme_playbook.actions.scale import Scale
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution.render import render, tasks
from reme_playbook.policy.action_space import MAX_ACTIONS, allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import (
    CART,
    CONFIG,
    FRONT,
    STOCK,
    Shop,
    container,
    everything,
    key,
    only,
    template,
)
from tests.unit.playbook.constrained import (
    ASTRAY,
    BUDGET,
    COMMANDED,
    CORDONED,
    FULL,
    FULL_TWICE,
    GUARDED,
    HELD,
    HPA,
    INGRESS,
    LIMITED,
    MISPLACED,
    NEIGHBOURS,
    POLICY,
    QUOTA,
    SHUT,
    STUCK,
    TAINTED,
    autoscaler,
    budget,
    ingress,
    network_policy,
    path,
    peers,
    quota,
)
from tests.unit.playbook.shops import shops


def chosen(live: ClusterSnapshot, name: ActionName, **bounds: int) -> list[Action]:
    return list(allowed_actions(live, only(name, **bounds)))


def test_a_policy_without_actions_leaves_nothing_to_choose() -> None:
    assert allowed_actions(Shop().live(), RemediationPolicySpec()) == ()


def test_replicas_are_a_few_steps_and_what_was_before() -> None:
    name = ActionName.SCALE
    assert [a.replicas for a in chosen(Shop().live(), name) if isinstance(a, Scale)] == [3, 4]
    gone = Shop(replicas=0, applied={CART: {"spec": {"replicas": 3}}}).live()
    assert [a.replicas for a in chosen(gone, name) if isinstance(a, Scale)] == [1, 3]
    assert chosen(Shop(replicas=10).live(), name) == []
    assert chosen(Shop(kind="DaemonSet").live(), name) == []


def test_amounts_are_a_few_steps_within_the_bounds() -> None:
    def limits(**bounds: int) -> list[str | None]:
        result = chosen(Shop().live(), ActionName.SET_RESOURCES, **bounds)
        return [a.memory_limit for a in result if isinstance(a, SetResources) and a.memory_limit]

    assert limits() == ["160Mi", "192Mi", "256Mi"]
    assert limits(max_increase_percent=50) == ["160Mi", "192Mi"]
    assert limits(max_increase_percent=10) == []


def test_amounts_of_before_come_first_and_as_a_whole() -> None:
    broken = container(resources={"limits": {"cpu": "2m", "memory": "200Mi"}})
    result = chosen(
        Shop(template=template(broken), earlier=[template()]).live(), ActionName("SetResources")
    )
    first = result[0]
    assert isinstance(first, SetResources)
    assert first.values() == {
        "cpu_limit": "300m",
        "memory_limit": "128Mi",
        "cpu_request": "50m",
        "memory_request": "64Mi",
    }


def test_services_are_mended_only_where_they_are_broken() -> None:
    for name in (ActionName.PATCH_SERVICE_SELECTOR, ActionName.PATCH_SERVICE_PORT):
        assert chosen(Shop().live(), name) == []
    wrong = Shop(selector={"app": "card", "v": "9"}, ports=[{"port": 80, "targetPort": 1}]).live()
    (selector,) = tasks(chosen(wrong, ActionName.PATCH_SERVICE_SELECTOR))
    definition = selector["kubernetes.core.k8s"]["definition"]
    assert definition == {"spec": {"selector": {"app": "cart", "v": None}}}
    ports = tasks(chosen(wrong, ActionName.PATCH_SERVICE_PORT))
    assert [
        task["kubernetes.core.k8s"]["definition"]["spec"]["ports"][0]["targetPort"]
        for task in ports
    ] == [8080, "http"]


def test_a_selector_with_no_label_of_the_pods_gets_those_of_the_workload() -> None:
    live = Shop(selector={"run": "x"}).live()
    (task,) = tasks(chosen(live, ActionName.PATCH_SERVICE_SELECTOR))
    selector = task["kubernetes.core.k8s"]["definition"]["spec"]["selector"]
    assert selector == {"run": None, "app": "cart"}


def test_secrets_are_never_offered() -> None:
    def secret(value: str) -> list[dict[str, str]]:
        return [
            {"name": "DB_PASSWORD", "value": value},
            {"name": "DSN", "value": f"x://a:{value}@b"},
        ]

    shop = Shop(
        template=template(container(env=secret("one"))),
        earlier=[template(container(env=secret("two")))],
        data={"api.key": "one"},
        applied={CONFIG: {"data": {"api.key": "two"}}},
    )
    result = allowed_actions(shop.live(), everything())
    assert result
    assert "two" not in json.dumps(tasks(result))


def test_a_paused_rollout_can_be_resumed() -> None:
    paused = Shop(spec={"paused": True}).live()
    assert chosen(paused, ActionName.RESUME_ROLLOUT) == [ResumeRollout(target=CART)]
    assert chosen(Shop().live(), ActionName.RESUME_ROLLOUT) == []


def test_the_choice_stays_small() -> None:
    old = [
        template(container(env=[{"name": f"A{n}", "value": f"{v}"} for n in range(99)]))
        for v in range(5)
    ]
    assert len(allowed_actions(Shop(earlier=old).live(), everything())) == MAX_ACTIONS


def test_a_target_that_is_gone_or_odd_leaves_nothing_to_choose() -> None:
    assert (
        allowed_actions(ClusterSnapshot(target=CART, objects={}, neighbours={}), everything()) == ()
    )
    odd: dict[ObjectRef, Any] = {
        CART: {
            "metadata": [],
            "spec": {"template": {"spec": {"containers": [None, {"name": "B"}]}}},
        },
        key("Service", "cart"): {"spec": {"selector": [], "ports": {"a": 1}}},
        CONFIG: {"data": None},
        key("Pod", "p"): {},
    }
    assert allowed_actions(
        ClusterSnapshot(target=CART, objects=odd, neighbours={STOCK: {}}), everything()
    )


@settings(max_examples=40, deadline=None)
@given(shops(), st.sampled_from([0, 60, 100, 900]))
def test_every_choice_passes_the_gate_and_compiles_back(shop: Shop, increase: int) -> None:
    live = shop.live()
    policy = everything(max_increase_percent=increase, max_decrease_percent=50, max_replicas=5)
    result = allowed_actions(live, policy)
    assert result
    assert len({*result}) == len(result)
    for action in result:
        validate([action], policy, live)
        assert compile_playbook(json.dumps(tasks([action]))) == (action,)
        assert compile_playbook(json.dumps(render([action]))) == (action,)


@pytest.mark.parametrize(
    ("shop", "name", "summaries"),
    [
        (LIMITED, ActionName.SET_AUTOSCALING, ["Set max replicas 3", "Set max replicas 4"]),
        (FULL, ActionName.SET_QUOTA, ["Set pods 5", "Set pods 6", "Set pods 8"]),
        (
            FULL_TWICE,
            ActionName.SET_QUOTA,
            [
                f"Set pods {p}, limits.memory {m}"
                for p, m in ((5, "640Mi"), (6, "768Mi"), (8, "1Gi"))
            ],
        ),
        (GUARDED, ActionName.SET_DISRUPTION_BUDGET, ["Set min available 3"]),
        (HELD, ActionName.RESUME_JOB, ["Resume Job cart-migration"]),
        (ASTRAY, ActionName.SET_INGRESS_BACKEND, ["Lead shop.example/cart of Ingress shop to"]),
        (SHUT, ActionName.ALLOW_INGRESS, ["Let pods with app=front reach port 8080 by"]),
        (
            SHUT,
            ActionName.ALLOW_EGRESS,
            ["Let the cluster's DNS be asked", "Let port 8080 of pods with app=stock be reached"],
        ),
        (CORDONED, ActionName.UNCORDON_NODE, ["Uncordon Node n1"]),
        (TAINTED, ActionName.REMOVE_TAINT, ["Take the taint dedicated:NoSchedule off Node n1"]),
        (STUCK, ActionName.SET_UPDATE_STRATEGY, ["Roll Deployment cart out with max surge 0"]),
        (
            MISPLACED,
            ActionName.PATCH_NODE_SELECTOR,
            ["Set disk in the node selector", "Set disk in the node selector"],
        ),
        (COMMANDED, ActionName.SET_COMMAND, ["Set command and args of container server"]),
    ],
)
def test_what_holds_the_workload_back_can_be_changed_in_a_few_ways(
    shop: Shop, name: ActionName, summaries: list[str]
) -> None:
    result = [action.summary() for action in chosen(shop.live(), name)]
    assert len(result) == len(summaries)
    assert all(text.startswith(begin) for text, begin in zip(result, summaries, strict=True))


def test_of_a_healthy_shop_nothing_related_is_offered() -> None:
    related = {
        HPA: autoscaler(limited=False),
        QUOTA: quota({"pods": "9"}, {"pods": "4"}),
        BUDGET: budget(maxUnavailable=1),
        INGRESS: ingress(path("cart")),
        POLICY: network_policy(ingress=[peers(app="front")]),
    }
    status = {"replicas": 2, "updatedReplicas": 2}
    shop = Shop(related=related, callers=(FRONT,), neighbours=NEIGHBOURS, status=status)
    new = {action.name for action in allowed_actions(shop.live(), everything())}
    # How many there are is the autoscaler's to say, no pod differs from the other, no probe fails.
    assert new == {"Restart", "SetResources"}

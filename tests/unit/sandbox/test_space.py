import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicySpec
from reme_sandbox.actions import Action, ResumeRollout, Scale, SetResources
from reme_sandbox.compiler import compile_playbook
from reme_sandbox.gate import check
from reme_sandbox.keys import ObjectKey
from reme_sandbox.live import LiveState
from reme_sandbox.render import render, tasks
from reme_sandbox.space import MAX_ACTIONS, admissible
from tests.unit.sandbox.builders import (
    CART,
    CONFIG,
    STOCK,
    Shop,
    container,
    everything,
    key,
    only,
    template,
)
from tests.unit.sandbox.shops import shops


def chosen(live: LiveState, name: ActionName, **bounds: int) -> list[Action]:
    return list(admissible(live, only(name, **bounds)))


def test_a_policy_without_actions_leaves_nothing_to_choose() -> None:
    assert admissible(Shop().live(), RemediationPolicySpec()) == ()


def test_replicas_are_a_few_steps_and_what_was_before() -> None:
    name = ActionName.SCALE
    assert [a.replicas for a in chosen(Shop().live(), name) if isinstance(a, Scale)] == [3, 4]
    gone = Shop(replicas=0, applied={CART: {"spec": {"replicas": 3}}}).live()
    assert [a.replicas for a in chosen(gone, name) if isinstance(a, Scale)] == [1, 3]
    assert chosen(Shop(replicas=10).live(), name) == []
    assert chosen(Shop(kind="DaemonSet").live(), name) == []


def test_amounts_are_a_few_steps_within_the_bounds() -> None:
    def limits(**bounds: int) -> list[str | None]:
        found = chosen(Shop().live(), ActionName.SET_RESOURCES, **bounds)
        return [a.memory_limit for a in found if isinstance(a, SetResources) and a.memory_limit]

    assert limits() == ["160Mi", "192Mi", "256Mi"]
    assert limits(max_increase_percent=50) == ["160Mi", "192Mi"]
    assert limits(max_increase_percent=10) == []


def test_amounts_of_before_come_first_and_as_a_whole() -> None:
    broken = container(resources={"limits": {"cpu": "2m", "memory": "200Mi"}})
    found = chosen(
        Shop(template=template(broken), earlier=[template()]).live(), ActionName("SetResources")
    )
    first = found[0]
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
    found = admissible(shop.live(), everything())
    assert found
    assert "two" not in json.dumps(tasks(found))


def test_a_paused_rollout_can_be_resumed() -> None:
    paused = Shop(spec={"paused": True}).live()
    assert chosen(paused, ActionName.RESUME_ROLLOUT) == [ResumeRollout(target=CART)]
    assert chosen(Shop().live(), ActionName.RESUME_ROLLOUT) == []


def test_the_choice_stays_small() -> None:
    old = [
        template(container(env=[{"name": f"A{n}", "value": f"{v}"} for n in range(99)]))
        for v in range(5)
    ]
    assert len(admissible(Shop(earlier=old).live(), everything())) == MAX_ACTIONS


def test_a_target_that_is_gone_or_odd_leaves_nothing_to_choose() -> None:
    assert admissible(LiveState(target=CART, objects={}, neighbours={}), everything()) == ()
    odd: dict[ObjectKey, Any] = {
        CART: {
            "metadata": [],
            "spec": {"template": {"spec": {"containers": [None, {"name": "B"}]}}},
        },
        key("Service", "cart"): {"spec": {"selector": [], "ports": {"a": 1}}},
        CONFIG: {"data": None},
        key("Pod", "p"): {},
    }
    assert admissible(LiveState(target=CART, objects=odd, neighbours={STOCK: {}}), everything())


@settings(max_examples=40, deadline=None)
@given(shops(), st.sampled_from([0, 60, 100, 900]))
def test_every_choice_passes_the_gate_and_compiles_back(shop: Shop, increase: int) -> None:
    live = shop.live()
    policy = everything(max_increase_percent=increase, max_decrease_percent=50, max_replicas=5)
    found = admissible(live, policy)
    assert found
    assert len({*found}) == len(found)
    for action in found:
        check([action], policy, live)
        assert compile_playbook(json.dumps(tasks([action]))) == (action,)
        assert compile_playbook(json.dumps(render([action]))) == (action,)

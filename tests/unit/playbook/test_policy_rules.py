"""Which rules are about an action, by name, container, field and time, and what it disturbs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from reme_api.actions import ActionName, Disruption
from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import PUBLIC, Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.scale import Scale
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.action_space import allowed_actions, evaluate, refusals_by_action
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.unit.playbook.builders import CART, Shop, everything, key, only

MEMORY = SetResources(target=CART, container="server", memory_limit="160Mi")
MONDAY_NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def refusal(
    action: Action, policy: RemediationPolicySpec, shop: Shop | None = None, **options: Any
) -> RejectionRule | None:
    try:
        validate([action], policy, (shop or Shop()).live(), **options)
    except RejectedPlaybookError as error:
        return error.rule
    return None


@pytest.mark.parametrize(
    ("names", "allowed"),
    [(["cart"], True), (["ca*"], True), (["c?rt"], True), (["*"], True), (["cart-*"], False)],
)
def test_names_have_wildcards(names: list[str], allowed: bool) -> None:
    result = refusal(Restart(target=CART), only(ActionName.RESTART, names=names))
    assert result is (None if allowed else RejectionRule.NOT_ALLOWED)


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({"containers": ["server"]}, True),
        ({"containers": ["ser*"]}, True),
        ({"containers": ["proxy"]}, False),
        ({"fields": ["memoryLimit"]}, True),
        ({"fields": ["memory*"]}, True),
        ({"fields": ["cpu*"]}, False),
        ({"containers": ["server"], "fields": ["cpuLimit"]}, False),
    ],
)
def test_a_rule_may_be_about_some_containers_and_fields(
    rule: dict[str, Any], allowed: bool
) -> None:
    result = refusal(MEMORY, only(ActionName.SET_RESOURCES, **rule))
    assert result is (None if allowed else RejectionRule.NOT_ALLOWED)


def test_one_rule_must_allow_every_field_of_an_action() -> None:
    both = SetResources(target=CART, container="server", memory_limit="160Mi", cpu_limit="400m")
    apart = RemediationPolicySpec(
        actions=[
            ActionRule(name=ActionName.SET_RESOURCES, fields=["memoryLimit"]),
            ActionRule(name=ActionName.SET_RESOURCES, fields=["cpuLimit"]),
        ]
    )
    assert refusal(both, apart) is RejectionRule.NOT_ALLOWED
    assert refusal(MEMORY, apart) is None


def test_the_bounds_of_a_rule_are_not_those_of_another() -> None:
    two = RemediationPolicySpec(
        actions=[
            ActionRule(
                name=ActionName.SET_RESOURCES, containers=["proxy"], max_increase_percent=900
            ),
            ActionRule(
                name=ActionName.SET_RESOURCES, containers=["server"], max_increase_percent=10
            ),
        ]
    )
    assert refusal(MEMORY, two) is RejectionRule.BOUNDS


@pytest.mark.parametrize(
    ("most", "rule"), [({}, None), ({"max_memory_mebibytes": 160}, None),
                       ({"max_memory_mebibytes": 159}, RejectionRule.BOUNDS),
                       ({"max_cpu_millicores": 1}, None)],
)  # fmt: skip
def test_an_amount_is_never_above_the_most(
    most: dict[str, int], rule: RejectionRule | None
) -> None:
    assert refusal(MEMORY, only(ActionName.SET_RESOURCES, **most)) is rule


def test_the_most_holds_for_what_was_there_before_too() -> None:
    from tests.unit.playbook.builders import container, template

    earlier = template(container(resources={"limits": {"cpu": "300m", "memory": "1Gi"}}))
    shop = Shop(earlier=[earlier])
    back = SetResources(target=CART, container="server", memory_limit="1Gi")
    assert refusal(back, only(ActionName.SET_RESOURCES), shop) is None
    capped = only(ActionName.SET_RESOURCES, max_memory_mebibytes=512)
    assert refusal(back, capped, shop) is RejectionRule.BOUNDS


def test_a_rule_may_hold_at_some_times_only() -> None:
    night = only(ActionName.RESTART, windows=[{"start": "22:00", "end": "04:00"}])
    restart = Restart(target=CART)
    assert refusal(restart, night, now=MONDAY_NOON) is RejectionRule.OUTSIDE_WINDOW
    assert refusal(restart, night, now=MONDAY_NOON.replace(hour=23)) is None
    assert refusal(restart, night) is None
    with pytest.raises(RejectedPlaybookError, match="2026-05-04 22:00 UTC"):
        validate([restart], night, Shop().live(), now=MONDAY_NOON)


def test_a_rule_without_times_related_one_with_times_always_holds() -> None:
    both = RemediationPolicySpec(
        actions=[
            ActionRule.model_validate({"name": "Restart", "windows": [{"end": "01:00"}]}),
            ActionRule(name=ActionName.RESTART),
        ]
    )
    assert refusal(Restart(target=CART), both, now=MONDAY_NOON) is None


SERVES = {"availableReplicas": 2, "readyReplicas": 2}
ONE = {"availableReplicas": 1, "readyReplicas": 1}
STATEFUL = ObjectRef("StatefulSet", "shop", "cart")
DAEMON = ObjectRef("DaemonSet", "shop", "cart")

DISRUPTIONS: list[tuple[str, Action, Shop, Disruption]] = [
    ("a rollout", Restart(target=CART), Shop(status=SERVES), Disruption.MEDIUM),
    (
        "all at once",
        Restart(target=CART),
        Shop(status=SERVES, spec={"strategy": {"type": "Recreate"}}),
        Disruption.HIGH,
    ),
    (
        "all may be away",
        MEMORY,
        Shop(status=SERVES, spec={"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}),
        Disruption.HIGH,
    ),
    (
        "nothing serves that could be interrupted",
        Restart(target=CART),
        Shop(spec={"strategy": {"type": "Recreate"}}),
        Disruption.MEDIUM,
    ),
    (
        "one replica of a Deployment gets another first",
        Restart(target=CART),
        Shop(replicas=1, status=ONE),
        Disruption.MEDIUM,
    ),
    (
        "one replica of a StatefulSet",
        Restart(target=STATEFUL),
        Shop(kind="StatefulSet", replicas=1, status=ONE),
        Disruption.HIGH,
    ),
    (
        "two replicas of a StatefulSet",
        Restart(target=STATEFUL),
        Shop(kind="StatefulSet", status=SERVES),
        Disruption.MEDIUM,
    ),
    ("more replicas", Scale(target=CART, replicas=3), Shop(), Disruption.NONE),
    ("fewer replicas", Scale(target=CART, replicas=1), Shop(), Disruption.LOW),
    ("one of two pods", DeletePod(target=key("Pod", "cart-6d-0")), Shop(), Disruption.LOW),
    (
        "a pod that is not ready",
        DeletePod(target=key("Pod", "cart-6d-0")),
        Shop(ready=False),
        Disruption.NONE,
    ),
]


@pytest.mark.parametrize(
    ("action", "shop", "expected"), [d[1:] for d in DISRUPTIONS], ids=[d[0] for d in DISRUPTIONS]
)
def test_what_an_action_disturbs_depends_on_what_is_there(
    action: Action, shop: Shop, expected: Disruption
) -> None:
    assert action.current_disruption(shop.live()) is expected


@pytest.mark.parametrize("most", Disruption)
def test_nothing_disturbs_more_than_the_policy_allows(most: Disruption) -> None:
    live = Shop(status=SERVES, spec={"strategy": {"type": "Recreate"}}).live()
    policy = everything().model_copy(update={"max_disruption": most})
    for action in allowed_actions(live, policy):
        assert not action.current_disruption(live).exceeds(most)
    result = {action.current_disruption(live) for action in allowed_actions(live, everything())}
    assert Disruption.HIGH in result
    with_less = everything().model_copy(update={"max_disruption": Disruption.LOW})
    with pytest.raises(RejectedPlaybookError) as caught:
        validate([Restart(target=CART)], with_less, live)
    assert caught.value.rule is RejectionRule.TOO_DISRUPTIVE


def test_every_field_that_an_action_sets_has_a_name() -> None:
    without = {"Restart", "Rollback", "DeletePod", "ResumeRollout", "ResumeJob", "UncordonNode"}
    for name, action in PUBLIC.items():
        assert bool(action.example().field_names()) is (name not in without)
        assert action.has_field_names() is (name not in without)


def test_what_is_weighed_says_why_it_is_refused() -> None:
    live, policy = Shop(replicas=2).live(), only(ActionName.SCALE, max_increase_percent=50)
    result = {
        one.action.summary(): one.refusal and one.refusal.rule
        for one in evaluate(ActionName.SCALE, live, policy)
        if one.action
    }
    assert result["Scale Deployment cart to 3"] is None
    assert result["Scale Deployment cart to 4"] is RejectionRule.BOUNDS
    refused = refusals_by_action(live, policy)
    assert {name: error.rule for name, error in refused.items()} == {"Scale": "Bounds"}

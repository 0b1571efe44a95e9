"""A new pod that waits for the place of an older one, and what may be done about it."""

from dataclasses import replace
from typing import Any

import pytest

from reme_api.actions import ActionName, Disruption
from reme_playbook.actions.rollout import SetUpdateStrategy
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.validation import validate
from reme_playbook.snapshot.snapshot import EventLine
from reme_playbook.snapshot.surge_pods import WaitingSurge, waiting_surge
from tests.unit.playbook.builders import CART, Json, Shop, container, everything, key, only
from tests.unit.playbook.constrained import FULL, STUCK, surge_pod

SURGE = key("Pod", "cart-7e-0")
ASIDE = SetUpdateStrategy(target=CART, max_surge=0, max_unavailable=1)


def stuck(message: str, **spec: Any) -> Shop:
    return replace(STUCK, related={SURGE: surge_pod(message, **spec)})


def requesting(amount: str) -> Json:
    return container(resources={"requests": {"memory": amount}})


@pytest.mark.parametrize(
    ("shop", "place"),
    [
        (STUCK, "hostPort 80"),
        (
            stuck("1 node(s) didn't match pod anti-affinity rules."),
            "the place that anti-affinity leaves",
        ),
        (stuck("1 Too many pods."), "the last place for a pod"),
        (
            replace(
                stuck("1 Insufficient memory.", containers=[requesting("64Mi")]),
                pod_spec={"containers": [requesting("64Mi")]},
            ),
            "the memory of its node",
        ),
    ],
)
def test_a_new_pod_waits_for_what_the_older_one_holds(shop: Shop, place: str) -> None:
    assert waiting_surge(shop.live()) == WaitingSurge("cart-7e-0", "cart-6d-0", place)
    names = [a for a in allowed_actions(shop.live(), everything()) if a.name is ASIDE.NAME]
    assert names == [ASIDE]


def test_a_volume_that_only_one_node_can_have() -> None:
    waiting = surge_pod()
    waiting["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
    message = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) cart-6d-0'
    event = EventLine("Pod", "cart-7e-0", "FailedAttachVolume", message)
    shop = replace(STUCK, related={SURGE: waiting}, events=(event,))
    assert waiting_surge(shop.live()) == WaitingSurge("cart-7e-0", "cart-6d-0", "its volume")
    assert waiting_surge(replace(shop, events=()).live()) is None


OLDER = surge_pod()
OLDER["metadata"]["creationTimestamp"] = ""


@pytest.mark.parametrize(
    "shop",
    [
        # The older pod would not make room for the new one.
        stuck("1 node(s) didn't match Pod's node affinity/selector.", nodeSelector={"disk": "x"}),
        stuck("1 node(s) didn't have free ports.", nodeSelector={"disk": "x"}),
        stuck("1 node(s) didn't have free ports.", containers=[container()]),
        replace(
            stuck("1 Insufficient memory.", containers=[requesting("8Gi")]),
            pod_spec={"containers": [requesting("64Mi")]},
        ),
        # No older pod serves, or it is the older pod that waits.
        replace(STUCK, ready=False),
        replace(STUCK, related={}),
        replace(STUCK, kind="StatefulSet"),
    ],
)
def test_otherwise_it_waits_for_nothing_that_an_older_pod_could_give(shop: Shop) -> None:
    assert waiting_surge(shop.live()) is None
    space = allowed_actions(shop.live(), everything())
    assert ActionName.SET_UPDATE_STRATEGY not in {action.name for action in space}


def test_an_older_pod_that_waits_is_no_surge() -> None:
    shop = replace(STUCK, related={SURGE: OLDER}).live()
    for number in range(2):
        pod = shop.objects[key("Pod", f"cart-6d-{number}")]
        pod["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert waiting_surge(shop) is None


def test_the_last_pod_may_go_first_only_where_a_new_one_waits_for_its_place() -> None:
    quiet = replace(STUCK, related={})
    with pytest.raises(RejectedPlaybookError, match="waits for the place") as rejected:
        validate((ASIDE,), everything(), quiet.live())
    assert rejected.value.rule is RejectionRule.BOUNDS
    # Of several pods, one may go at any time.
    status = {"replicas": 4, "updatedReplicas": 4, "availableReplicas": 4}
    validate((ASIDE,), everything(), replace(quiet, replicas=4, status=status).live())


def test_that_the_last_pod_goes_first_is_a_high_disruption() -> None:
    assert ASIDE.current_disruption(STUCK.live()) is Disruption.HIGH
    careful = only(ActionName.SET_UPDATE_STRATEGY).model_copy(
        update={"max_disruption": Disruption.MEDIUM}
    )
    with pytest.raises(RejectedPlaybookError, match="maxDisruption"):
        validate((ASIDE,), careful, STUCK.live())
    surge_only = SetUpdateStrategy(target=CART, max_surge=1)
    assert surge_only.current_disruption(STUCK.live()) is Disruption.LOW
    many = replace(STUCK, replicas=4)
    assert ASIDE.current_disruption(many.live()) is Disruption.LOW


def test_a_full_quota_asks_for_it_only_while_older_pods_are_there() -> None:
    full = replace(FULL, replicas=3, spec=STUCK.spec)
    rolling = replace(full, status={"replicas": 2, "updatedReplicas": 0})
    first = replace(full, status={"replicas": 2, "updatedReplicas": 2})
    for shop, offered in ((rolling, True), (first, False)):
        space = allowed_actions(shop.live(), everything())
        assert (ActionName.SET_UPDATE_STRATEGY in {a.name for a in space}) is offered

"""The same try is never made twice: what counts is what a playbook brings, not its words."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from reme_playbook.actions.base import Action
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.image import SetImage
from reme_playbook.actions.registry import PUBLIC, build
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.policy.action_space import allowed_actions
from reme_playbook.policy.tries import Try, already_tried, check_untried, effects, untried
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision, Usage
from tests.unit.playbook.builders import (
    CART,
    CONFIG,
    SERVICE,
    Shop,
    container,
    everything,
    key,
    template,
)

OLD = template(container(image="registry.example/cart:1"))


def shop(**fields: Any) -> ClusterSnapshot:
    return Shop(earlier=[OLD], **fields).live()


def attempted(live: ClusterSnapshot, *actions: Action, **fields: Any) -> Try:
    summaries = tuple(action.summary() for action in actions)
    return Try(1, effects(actions, live), summaries, **fields)


def repeats(live: ClusterSnapshot, earlier: Try, *actions: Action) -> bool:
    return already_tried(actions, live, [earlier]) is not None


def resources(**values: str) -> SetResources:
    return SetResources(target=CART, container="server", **values)


def test_the_same_template_under_another_number_is_the_same_try() -> None:
    before = shop()
    first = attempted(before, Rollback(target=CART))
    # Rolled back and undone: both templates have other numbers now.
    history = (
        replace(before.revisions[0], number=4),
        replace(before.revisions[1], number=3),
    )
    now = replace(before, revisions=history)
    assert repeats(now, first, Rollback(target=CART))
    assert repeats(now, first, Rollback(target=CART, revision=3))
    assert repeats(now, first, Rollback(target=CART, revision=3).pinned(now, frozenset()))


def test_two_revisions_of_one_template_are_the_same_try() -> None:
    live = shop()
    restarted = copy.deepcopy(OLD)
    restarted["metadata"]["annotations"] = {"reme.dev/restarted-at": "then"}
    again = Revision(9, restarted, created="2026-01-01T12:00:00Z")
    live = replace(live, revisions=(*live.revisions, again))
    first = attempted(live, Rollback(target=CART, revision=1))
    assert repeats(live, first, Rollback(target=CART, revision=9))


def test_what_makes_the_same_template_is_the_same_try_as_a_rollback() -> None:
    live = shop()
    image = SetImage(target=CART, container="server", image="registry.example/cart:1")
    assert repeats(live, attempted(live, Rollback(target=CART)), image)
    assert repeats(live, attempted(live, image), Rollback(target=CART))
    other = SetEnv(target=CART, container="server", variable="LEVEL", value="debug")
    assert not repeats(live, attempted(live, image), other)
    assert not repeats(live, attempted(live, other), image, other)
    assert repeats(live, attempted(live, image, other), other, image)


def test_any_pod_of_the_workload_is_the_same_try() -> None:
    live = shop()
    first = attempted(live, DeletePod(target=key("Pod", "cart-6d-0")))
    assert repeats(live, first, DeletePod(target=key("Pod", "cart-6d-1")))
    assert not repeats(live, first, Restart(target=CART))


@pytest.mark.parametrize(
    ("first", "second", "same"), [(3, 4, True), (4, 3, True), (1, 3, False), (3, 1, False)]
)
def test_another_number_in_the_same_direction_is_the_same_try(
    first: int, second: int, same: bool
) -> None:
    live = shop(replicas=2)
    earlier = attempted(live, Scale(target=CART, replicas=first))
    assert repeats(live, earlier, Scale(target=CART, replicas=second)) is same


def test_a_restart_of_other_pods_or_with_other_settings_is_another_try() -> None:
    live = shop()
    restart = Restart(target=CART)
    setting = SetConfigValue(target=CONFIG, key="color", value="blue")
    first = attempted(live, restart)
    assert repeats(live, first, restart)
    assert not repeats(live, first, setting, restart)
    assert repeats(live, attempted(live, setting, restart), restart, setting)
    assert not repeats(live, attempted(live, setting, restart), restart)
    assert not repeats(Shop(template=OLD).live(), first, restart)


def test_a_part_of_what_was_tried_is_the_same_try() -> None:
    live = shop()
    service = build(
        {"action": "PatchServicePort", "target": SERVICE, "port": 80, "target_port": "http"}
    )
    both = attempted(live, service, Restart(target=CART))
    assert repeats(live, both, service)
    assert repeats(live, both, Restart(target=CART))
    assert not repeats(live, attempted(live, service), service, Restart(target=CART))


def test_a_higher_memory_limit_needs_a_container_that_was_killed_for_memory() -> None:
    live = shop()
    earlier = attempted(live, resources(memory_limit="160Mi"))
    killed = replace(earlier, killed_for_memory=frozenset({"server"}))
    higher, lower = resources(memory_limit="256Mi"), resources(memory_limit="144Mi")
    assert repeats(live, earlier, higher), "nothing says that memory is what is missing"
    assert not repeats(live, killed, higher)
    assert repeats(live, killed, lower), "a higher one was not enough"
    other = replace(earlier, killed_for_memory=frozenset({"proxy"}))
    assert repeats(live, other, higher)
    pod = copy.deepcopy(dict(live.objects[key("Pod", "cart-6d-0")]))
    pod["status"]["containerStatuses"] = [
        {"name": "server", "lastState": {"terminated": {"reason": "OOMKilled"}}}
    ]
    now = replace(live, objects={**live.objects, key("Pod", "cart-6d-0"): pod})
    assert not repeats(now, earlier, higher), "it is killed for memory now"


def test_a_higher_cpu_limit_needs_a_container_that_uses_its_cpu() -> None:
    live = shop()
    earlier, higher = attempted(live, resources(cpu_limit="375m")), resources(cpu_limit="600m")
    assert repeats(live, earlier, higher)
    busy = replace(live, usage={("cart-6d-0", "server"): Usage(290, 2**20)})
    assert not repeats(busy, earlier, higher)
    idle = replace(live, usage={("cart-6d-0", "server"): Usage(120, 2**20)})
    assert repeats(idle, earlier, higher)
    assert not repeats(live, earlier, resources(memory_limit="256Mi")), "another limit"


def test_records_without_effects_are_compared_by_their_words() -> None:
    live = shop()
    old = Try(1, ("",), (Restart(target=CART).summary(),))
    assert repeats(live, old, Restart(target=CART))
    assert not repeats(live, old, Rollback(target=CART))


def test_a_reply_that_repeats_an_attempt_is_rejected_with_its_number() -> None:
    live = shop()
    earlier = replace(attempted(live, Rollback(target=CART)), number=2)
    check_untried([Restart(target=CART)], live, [earlier])
    with pytest.raises(RejectedPlaybookError, match="attempt 2") as refused:
        check_untried([Rollback(target=CART, revision=1)], live, [earlier])
    assert refused.value.rule is RejectionRule.ALREADY_TRIED


def test_what_is_left_are_other_tries() -> None:
    live = shop()
    allowed = allowed_actions(live, everything())
    earlier = [
        attempted(live, Rollback(target=CART)),
        attempted(live, Scale(target=CART, replicas=3)),
    ]
    remaining = untried(allowed, live, earlier)
    names = {action.name for action in remaining}
    assert {"Rollback", "Scale"} <= {action.name for action in allowed}
    assert not names & {"Rollback", "Scale"}
    assert Restart(target=CART) in remaining
    assert untried(allowed, live, []) == allowed


@pytest.mark.parametrize("action", [c.example() for c in PUBLIC.values()], ids=lambda a: a.name)
def test_every_effect_fits_a_status_field(action: Action) -> None:
    live = shop()
    pods = effects([Restart(target=CART)], live)[0]
    first, second = action.brings(live, pods), action.brings(live, pods)
    assert first == second
    assert 0 < len(first) <= 256


def test_the_effect_of_long_names_fits_a_status_field() -> None:
    name = "c" * 63
    shop = Shop(template=template(container(name=name)), data={"color": "red"})
    setting = SetConfigValue(target=CONFIG, key="color", value="blue")
    both = SetResources(target=CART, container=name, cpu_limit="999999", memory_limit="999999Gi")
    assert max(map(len, effects([setting, both], shop.live()))) <= 256

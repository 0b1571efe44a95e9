"""Which playbooks are sampled: all kinds, all admissible, and the same ones for the same seed."""

import random

from hypothesis import given
from hypothesis import strategies as st

from reme_benchmark.fidelity.playbook_sampling import (
    Playbook,
    good_repairs,
    is_allowed,
    permissive_policy,
    rebind_pods,
    sample_playbooks,
    trials_per_fault,
)
from reme_benchmark.fidelity.records import Origin
from reme_benchmark.scenarios.faults import catalog
from reme_lab.simulator import snapshot_of, with_pods_replaced
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.restart import Restart
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.benchmark.trials import healthy, inputs, key, with_variable

TIME = "time-service"


def broken() -> ClusterSnapshot:
    return snapshot_of(with_variable(healthy(TIME), "FAIL_PERCENT", "80"))


def origin(count: int, seed: int = 1) -> list[Playbook]:
    trial = inputs("bad-version", healthy(TIME), healthy(TIME))
    good = good_repairs(catalog.fault("bad-version"), trial.values)
    return sample_playbooks(broken(), good, count, random.Random(seed))


def test_every_kind_of_playbook_is_drawn_and_admissible() -> None:
    playbooks = origin(10)
    assert {one.origin for one in playbooks} == set(Origin)
    assert len({one.actions for one in playbooks}) == 10
    assert all(is_allowed(one.actions, broken(), permissive_policy()) for one in playbooks)
    assert all(len(one.actions) == (2 if one.origin is Origin.PAIR else 1) for one in playbooks)


def test_the_same_seed_draws_the_same_playbooks() -> None:
    assert origin(8) == origin(8)
    assert origin(8) != origin(8, seed=2)


def test_random_actions_are_of_many_names() -> None:
    names = {a.action for one in origin(24) for a in one.actions}
    assert len(names) >= 6


def test_a_deleted_pod_is_the_one_of_now() -> None:
    then = snapshot_of(healthy(TIME))
    now = snapshot_of(with_pods_replaced(healthy(TIME), key(TIME)))
    pod = next(k for k in then.objects if k.kind == "Pod")
    other = next(k for k in now.objects if k.kind == "Pod")
    assert pod != other
    restart = Restart(target=key(TIME))
    assert rebind_pods((DeletePod(target=pod), restart), then, now) == (
        DeletePod(target=other),
        restart,
    )
    assert rebind_pods((DeletePod(target=pod),), then, then) == (DeletePod(target=pod),)


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.integers(0, 400))
def test_shares_add_up_and_are_even(names: list[str], count: int) -> None:
    trials = trials_per_fault(names, count)
    assert sum(trials.values()) == count
    assert max(trials.values()) - min(trials.values()) <= 1

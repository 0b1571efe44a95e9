"""Which playbooks are tried: all kinds, all admissible, and the same ones for the same seed."""

import random

from hypothesis import given
from hypothesis import strategies as st

from reme_benchmark.fidelity.playbook_sampling import (
    Playbook,
    draw,
    good_repairs,
    passes,
    rebound,
    shares,
    wide,
)
from reme_benchmark.fidelity.records import Drawn
from reme_benchmark.scenarios.faults import catalog
from reme_lab.simulator import snapshot_of, with_pods_replaced
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.restart import Restart
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.benchmark.trials import healthy, inputs, key, with_variable

TIME = "time-service"


def broken() -> ClusterSnapshot:
    return snapshot_of(with_variable(healthy(TIME), "FAIL_PERCENT", "80"))


def drawn(count: int, seed: int = 1) -> list[Playbook]:
    trial = inputs("bad-version", healthy(TIME), healthy(TIME))
    good = good_repairs(catalog.fault("bad-version"), trial.values)
    return draw(broken(), good, count, random.Random(seed))


def test_every_kind_of_playbook_is_drawn_and_admissible() -> None:
    found = drawn(10)
    assert {one.drawn for one in found} == set(Drawn)
    assert len({one.actions for one in found}) == 10
    assert all(passes(one.actions, broken(), wide()) for one in found)
    assert all(len(one.actions) == (2 if one.drawn is Drawn.PAIR else 1) for one in found)


def test_the_same_seed_draws_the_same_playbooks() -> None:
    assert drawn(8) == drawn(8)
    assert drawn(8) != drawn(8, seed=2)


def test_random_actions_are_of_many_names() -> None:
    names = {a.action for one in drawn(24) for a in one.actions}
    assert len(names) >= 6


def test_a_deleted_pod_is_the_one_of_now() -> None:
    then = snapshot_of(healthy(TIME))
    now = snapshot_of(with_pods_replaced(healthy(TIME), key(TIME)))
    pod = next(k for k in then.objects if k.kind == "Pod")
    other = next(k for k in now.objects if k.kind == "Pod")
    assert pod != other
    restart = Restart(target=key(TIME))
    assert rebound((DeletePod(target=pod), restart), then, now) == (
        DeletePod(target=other),
        restart,
    )
    assert rebound((DeletePod(target=pod),), then, then) == (DeletePod(target=pod),)


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.integers(0, 400))
def test_shares_add_up_and_are_even(names: list[str], count: int) -> None:
    found = shares(names, count)
    assert sum(found.values()) == count
    assert max(found.values()) - min(found.values()) <= 1

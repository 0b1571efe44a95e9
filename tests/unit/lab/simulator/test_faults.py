"""Each fault is visible, its repairs repair it without side effects, and other actions do not."""

import pytest

from reme_lab.simulator import apply, assess, problems_of
from tests.unit.lab.simulator.break_catalog import BREAKS, Break
from tests.unit.lab.simulator.worlds import ANSWERS, lab, rollout

REPAIRED = [(b, place) for b in BREAKS for place in range(len(b.good))]
UNREPAIRED = [(b, place) for b in BREAKS for place in range(len(b.useless))]


def named(value: object) -> str:
    return value.name.replace(" ", "-") if isinstance(value, Break) else str(value)


def test_nothing_is_wrong_with_the_healthy_laboratory() -> None:
    assert problems_of(lab(), [ANSWERS, rollout()]) == ()


@pytest.mark.parametrize("broken", BREAKS, ids=named)
def test_the_fault_shows(broken: Break) -> None:
    assert problems_of(broken.world(), broken.probes)


@pytest.mark.parametrize(("broken", "place"), REPAIRED, ids=named)
def test_a_good_repair_is_verified_and_does_no_harm(broken: Break, place: int) -> None:
    world = broken.world()
    verdict = assess(world, apply(world, broken.good[place]), broken.probes)
    assert (verdict.missing, verdict.side_effects) == ((), ())
    assert verdict.good


@pytest.mark.parametrize(("broken", "place"), UNREPAIRED, ids=named)
def test_what_is_no_repair_does_not_help_or_does_harm(broken: Break, place: int) -> None:
    world = broken.world()
    assert not assess(world, apply(world, broken.useless[place]), broken.probes).good

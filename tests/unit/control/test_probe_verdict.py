"""The judge: what samples over time amount to."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_api.probes import NeighbourHealth, ProbeVerdict
from reme_operator.decision.probe_verdict import (
    ProbeHistory,
    ProbeRound,
    WindowVerdict,
    baseline_verdict,
    degraded_neighbours,
    verification_verdict,
)
from reme_operator.probes.sample import Sample
from tests.doubles.builders import NOW, later, neighbour

WINDOW = timedelta(seconds=3)
GOOD, BAD, SILENT = Sample(True, "200", ""), Sample(False, "500", "no"), Sample(None, "", "?")
LETTERS = {"+": GOOD, "-": BAD, "?": SILENT}


def after(letters: str, step: float = 1.0) -> ProbeHistory:
    """Return what one probe has shown: + passed, - failed, ? could not be measured."""
    probe_history = ProbeHistory(NOW)
    for place, letter in enumerate(letters):
        probe_history = probe_history.add(
            ProbeRound(later(place * step), {"answers": LETTERS[letter]})
        )
    return probe_history


def judged(letters: str, at: float, deadline: float = 10) -> ProbeVerdict | None:
    verdict = verification_verdict(
        after(letters), later(at), window=WINDOW, deadline=later(deadline)
    )
    return verdict.verdict if verdict else None


@pytest.mark.parametrize(
    ("letters", "samples", "expected"),
    [
        ("-", 3, ProbeVerdict.FAILED),  # one failure shows the fault
        ("++-", 3, ProbeVerdict.FAILED),
        ("++", 3, None),
        ("+++", 3, ProbeVerdict.PASSED),
        ("???", 3, ProbeVerdict.UNKNOWN),
        ("?+?", 3, ProbeVerdict.PASSED),
        ("??", 3, None),
    ],
)
def test_the_baseline_looks_for_the_fault(
    letters: str, samples: int, expected: ProbeVerdict | None
) -> None:
    verdict = baseline_verdict(after(letters), samples)
    assert (verdict.verdict if verdict else None) is expected


def test_one_probe_that_says_nothing_makes_a_baseline_unknown() -> None:
    probe_history = ProbeHistory(NOW).add(ProbeRound(NOW, {"a": GOOD, "b": SILENT}))
    verdict = baseline_verdict(probe_history, 1)
    assert verdict == WindowVerdict(ProbeVerdict.UNKNOWN, "could not be measured: b")


@pytest.mark.parametrize(
    ("letters", "at", "expected"),
    [
        ("+", 0, None),
        ("+++", 2, None),
        ("++++", 3, ProbeVerdict.PASSED),
        ("+++-", 3, None),
        ("+++-++++", 7, ProbeVerdict.PASSED),  # a break begins it anew
        ("+++?++", 5, None),  # so does a sample that could not be taken
        ("-----------", 10, ProbeVerdict.FAILED),
        ("???????????", 10, ProbeVerdict.UNKNOWN),
        ("--------???", 10, ProbeVerdict.FAILED),  # the last failure is within the last window
        ("-----??????", 10, ProbeVerdict.UNKNOWN),
        ("--------+++", 10, ProbeVerdict.FAILED),  # not held long enough until then
        ("-+-+-+-+-+-", 10, ProbeVerdict.FAILED),
        ("", 10, ProbeVerdict.UNKNOWN),
    ],
)
def test_success_must_hold(letters: str, at: float, expected: ProbeVerdict | None) -> None:
    assert judged(letters, at) is expected


def test_a_last_sample_long_ago_still_decides_which_way_it_failed() -> None:
    assert judged("?????", at=60) is ProbeVerdict.UNKNOWN


@given(st.text("+-?", max_size=30), st.floats(0, 40))
def test_nothing_passes_without_a_whole_window_of_successes(letters: str, at: float) -> None:
    verdict = judged(letters, at)
    streak = "+" * 4  # four samples, a second apart, span the window of three seconds
    if verdict is ProbeVerdict.PASSED:
        assert letters.endswith(streak)
    if letters.endswith(streak):
        assert verdict is ProbeVerdict.PASSED


def watched(
    *health: NeighbourHealth, at: float, probe_history: ProbeHistory | None = None
) -> ProbeHistory:
    before = (neighbour("stock", 2, 2), neighbour("cart", 1, 1))
    fresh = ProbeRound(later(at), {"answers": GOOD}, health)
    return (probe_history or ProbeHistory(NOW)).add(fresh, before, target="Deployment/cart")


def test_a_neighbour_that_stays_worse_fails_it_early() -> None:
    probe_history = None
    for at in range(5):
        probe_history = watched(
            neighbour("stock", 1, 2), neighbour("cart", 1, 1), at=at, probe_history=probe_history
        )
    assert probe_history is not None
    verdict = verification_verdict(probe_history, later(4), window=WINDOW, deadline=later(100))
    assert verdict is not None
    assert verdict.verdict is ProbeVerdict.FAILED
    assert verdict.neighbours_degraded
    assert "Deployment/stock" in verdict.message


def test_a_neighbour_that_recovers_costs_only_time() -> None:
    probe_history = watched(neighbour("stock", 1, 2), at=0)
    for at in range(1, 5):
        probe_history = watched(neighbour("stock", 2, 2), at=at, probe_history=probe_history)
    verdict = verification_verdict(probe_history, later(4), window=WINDOW, deadline=later(100))
    assert verdict is not None
    assert verdict.verdict is ProbeVerdict.PASSED


def test_the_target_may_take_its_time_but_must_be_there_in_the_end() -> None:
    probe_history = None
    for at in range(11):
        probe_history = watched(
            neighbour("stock", 2, 2), neighbour("cart", 0, 1), at=at, probe_history=probe_history
        )
        if at < 10:
            assert (
                verification_verdict(probe_history, later(at), window=WINDOW, deadline=later(10))
                is None
            )
    assert probe_history is not None
    verdict = verification_verdict(probe_history, later(10), window=WINDOW, deadline=later(10))
    assert verdict is not None
    assert verdict.verdict is ProbeVerdict.FAILED
    assert not verdict.neighbours_degraded
    assert "Deployment/cart" in verdict.message


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        ((1, 1), (1, 1), False),
        ((1, 1), (0, 1), True),
        ((1, 1), (1, 2), True),  # it wants more than it gets
        ((0, 1), (0, 1), False),  # it was broken before
        ((1, 2), (1, 2), False),
        ((1, 2), (0, 2), True),
        ((0, 1), (1, 1), False),
        ((2, 2), (0, 0), False),  # scaled down on purpose
    ],
)
def test_worse_is_worse_than_before(
    was: tuple[int, int], now: tuple[int, int], worse: bool
) -> None:
    result = degraded_neighbours([neighbour("a", *was)], [neighbour("a", *now)])
    assert bool(result) is worse


def test_one_that_was_deleted_by_somebody_is_not_our_harm() -> None:
    assert degraded_neighbours([neighbour("a", 1)], []) == ()


def test_the_record_counts_every_sample() -> None:
    window = after("+-?+").window(ProbeVerdict.FAILED, later(9), "it failed")
    (probe,) = window.probes
    assert (probe.passed, probe.failed, probe.errors) == (2, 1, 1)
    assert (window.start_time, window.completion_time) == (NOW, later(9))

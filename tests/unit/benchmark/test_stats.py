"""The statistics give the values that the literature prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_benchmark.reports.statistics import (
    bootstrap,
    mcnemar,
    median,
    paired_difference,
    percentile,
    wilson,
)


@pytest.mark.parametrize(
    ("passed", "cases", "low", "high"),
    [  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson(passed: int, cases: int, low: float, high: float) -> None:
    assert wilson(passed, cases) == pytest.approx((low, high), abs=5e-5)


def test_wilson_and_mcnemar_are_those_of_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
    from statsmodels.stats.proportion import proportion_confint

    for cases in (1, 2, 7, 40, 313):
        for passed in range(0, cases + 1, max(1, cases // 7)):
            reference = proportion_confint(passed, cases, alpha=0.05, method="wilson")
            assert wilson(passed, cases) == pytest.approx(reference, abs=1e-12)
    for first_only in range(0, 30, 4):
        for second_only in range(0, 30, 5):
            table = [[10, first_only], [second_only, 10]]
            reference = reference_mcnemar(table, exact=True).pvalue
            assert mcnemar(first_only, second_only) == pytest.approx(reference, abs=1e-12)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(("passed", "cases"), [(2, 1), (-1, 3)])
def test_a_share_that_cannot_be_is_refused(passed: int, cases: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson(passed, cases)


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_holds_the_share_and_mirrors(passed: int, cases: int) -> None:
    passed = min(passed, cases)
    low, high = wilson(passed, cases)
    assert 0 <= low <= passed / cases <= high <= 1
    assert wilson(cases - passed, cases) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (1, 7, 0.0703),  # Bentur 2009, as in Fagerland, Lydersen and Laake 2013
        (0, 5, 0.0625),
        (5, 0, 0.0625),
        (0, 6, 0.03125),
        (3, 3, 1.0),
        (0, 0, 1.0),
        (9, 1, 22 / 1024),
    ],
)
def test_mcnemar(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p, abs=5e-5)


def test_mcnemar_of_thousands_of_pairs() -> None:
    assert mcnemar(1000, 1100) == pytest.approx(0.0307, abs=5e-4)  # the normal one: z = 2.16


def test_the_difference_of_paired_shares() -> None:
    # Bentur 2009, Newcombe's square-and-add interval as in Fagerland, Lydersen and Laake 2013
    assert paired_difference(1, 1, 7, 12) == pytest.approx((-0.507, -0.026), abs=1e-3)
    assert paired_difference(0, 0, 0, 0) == (-1, 1)


@given(*[st.integers(0, 60)] * 4)
def test_the_difference_mirrors_and_holds_what_was_seen(a: int, b: int, c: int, d: int) -> None:
    if not a + b + c + d:
        return
    low, high = paired_difference(a, b, c, d)
    assert -1 <= low <= (b - c) / (a + b + c + d) + 1e-12
    assert high >= (b - c) / (a + b + c + d) - 1e-12
    assert paired_difference(a, c, b, d) == pytest.approx((-high, -low))


def test_the_middle_and_the_ends() -> None:
    assert median([]) is None
    assert median([3, 1, 2]) == 2
    assert percentile([], 95) is None
    assert percentile([5, 1, 3], 95) == 5
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([4], 0) == 4


def test_the_bootstrap_draws_whole_cases() -> None:
    alternating = [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]] * 10
    interval = bootstrap(alternating, seed=1)
    assert interval == bootstrap(alternating, seed=1)
    assert interval is not None
    # 20 cases, not 80: as wide as the interval of 10 of 20, which is 0.30 to 0.70.
    assert interval == pytest.approx((0.30, 0.70), abs=0.051)
    assert bootstrap([[1.0, 0.0]], seed=1) is None
    assert bootstrap([[1.0], [1.0], []], seed=1) == (1, 1)

"""The few statistics that the results need, in plain Python.

Wilson's score interval for shares, Newcombe's for the difference of paired shares, McNemar's exact
test, and a bootstrap over cases for runs that repeat them (repeats of a case are not independent).
"""

import math
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

Z95 = 1.959963984540054
"""Two-sided 95% of the normal distribution."""


class Interval(NamedTuple):
    """Where a figure lies with 95% confidence."""

    low: float
    high: float


def wilson(passed: int, cases: int) -> Interval:
    """Return Wilson's interval of a share, from 0 to 1 when there are no cases.

    Raises:
        ValueError: there cannot be so many.
    """
    if not 0 <= passed <= cases:
        raise ValueError(f"{passed} of {cases} is no share")
    if cases == 0:
        return Interval(0.0, 1.0)
    share, z2 = passed / cases, Z95 * Z95
    middle = (share + z2 / (2 * cases)) / (1 + z2 / cases)
    half = Z95 * math.sqrt(share * (1 - share) / cases + z2 / (4 * cases**2)) / (1 + z2 / cases)
    # At the ends the interval touches 0 or 1, which rounding would miss.
    low = 0.0 if passed == 0 else middle - half
    high = 1.0 if passed == cases else middle + half
    return Interval(low, high)


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the exact two-sided p of McNemar's test from the two counts of discordant pairs.

    It is a sign test on them: 1 when there are none, since nothing then tells the two apart.
    """
    pairs = first_only + second_only
    tail = sum(math.comb(pairs, k) for k in range(min(first_only, second_only) + 1))
    return float(min(1.0, 2 * tail / 2**pairs))


def paired_difference(both: int, first_only: int, second_only: int, neither: int) -> Interval:
    """Return the interval of the first share minus the second, by Newcombe's method 10."""
    cases = both + first_only + second_only + neither
    if cases == 0:
        return Interval(-1.0, 1.0)
    first, second = both + first_only, both + second_only
    p1, p2 = first / cases, second / cases
    low1, high1 = wilson(first, cases)
    low2, high2 = wilson(second, cases)
    phi = _correlation(both, first_only, second_only, neither)

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))

    difference = p1 - p2
    return Interval(
        max(-1.0, difference - reach(p1 - low1, high2 - p2)),
        min(1.0, difference + reach(high1 - p1, p2 - low2)),
    )


def _correlation(both: int, first_only: int, second_only: int, neither: int) -> float:
    """Return phi of the pairs; a positive one is corrected for continuity, as Newcombe does."""
    margins = (
        (both + first_only)
        * (second_only + neither)
        * (both + second_only)
        * (first_only + neither)
    )
    if margins == 0:
        return 0.0
    cross = float(both * neither - first_only * second_only)
    if cross > 0:
        cross = max(0.0, cross - (both + first_only + second_only + neither) / 2)
    return cross / math.sqrt(margins)


def median(values: Sequence[float]) -> float | None:
    """Return the middle value, or nothing when there are none."""
    return statistics.median(values) if values else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return a percentile by nearest rank, which is always one of the values."""
    if not values:
        return None
    return _rank(sorted(values), percent)


def _rank(ordered: Sequence[float], percent: float) -> float:
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[min(len(ordered), max(1, rank)) - 1]


def bootstrap(
    groups: Sequence[Sequence[float]], *, seed: int, rounds: int = 4000
) -> Interval | None:
    """Return the percentile interval of the mean, drawing whole groups (the repeats of a case).

    Nothing when fewer than two groups have values: one case says nothing about others.
    """
    filled = [(sum(group), len(group)) for group in groups if group]
    if len(filled) < 2:
        return None
    draw = random.Random(seed)  # noqa: S311 - it must be repeatable, and guards nothing
    means = []
    for _ in range(rounds):
        chosen = draw.choices(filled, k=len(filled))
        means.append(sum(total for total, _ in chosen) / sum(count for _, count in chosen))
    means.sort()
    return Interval(_rank(means, 2.5), _rank(means, 97.5))

"""Compares two runs case by case: only pairs in which they differ tell them apart."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reme_benchmark.reports.comparison import Comparison, Discordant, Paired, Side
from reme_benchmark.reports.errors import ResultsError
from reme_benchmark.reports.failure_sections import cause
from reme_benchmark.reports.repeats import content_key
from reme_benchmark.reports.statistics import bootstrap, mcnemar, median, paired_difference
from reme_benchmark.reports.store import Store
from reme_benchmark.reports.summary_model import Range, Share
from reme_benchmark.scoring.records import CaseResult, Run, State


class Pair(NamedTuple):
    """The same case in both runs."""

    a: CaseResult
    b: CaseResult


def compare(a: Store, b: Store) -> Comparison:
    """Compare two runs that were kept.

    Raises:
        ResultsError: one of them cannot be read, or they are the same.
    """
    if a.path.resolve() == b.path.resolve():
        raise ResultsError(f"{a.path} cannot be compared with itself")
    return compared(a.load_run(), a.results(), b.load_run(), b.results())


def compared(
    run_a: Run, results_a: Sequence[CaseResult], run_b: Run, results_b: Sequence[CaseResult]
) -> Comparison:
    """Compare two runs. Pure; what either cluster could not have is in no pair."""
    found, paired_by = _pairs(run_a, _possible(results_a), run_b, _possible(results_b))
    counts = _count(found)
    low, high = paired_difference(counts.both, counts.a_only, counts.b_only, counts.neither)
    by_fault: dict[str, list[Pair]] = {}
    for pair in found:
        by_fault.setdefault(pair.a.case.fault or "healthy", []).append(pair)
    return Comparison(
        a=_side(run_a, results_a, [p.a for p in found], found),
        b=_side(run_b, results_b, [p.b for p in found], found),
        paired_by=paired_by,
        pairs=len(found),
        counts=counts,
        difference=(counts.a_only - counts.b_only) / len(found) if found else None,
        low=low,
        high=high,
        p=mcnemar(counts.a_only, counts.b_only),
        over_cases=_over_cases(found, run_a.seed),
        by_fault={name: _count(by_fault[name]) for name in sorted(by_fault)},
        discordant=[_discordant(pair) for pair in found if pair.a.passed is not pair.b.passed],
    )


def _possible(results: Iterable[CaseResult]) -> list[CaseResult]:
    return [r for r in results if r.state is not State.NOT_APPLICABLE]


def _pairs(
    run_a: Run, a: Sequence[CaseResult], run_b: Run, b: Sequence[CaseResult]
) -> tuple[list[Pair], str]:
    """Return the pairs: by id where the same suite was drawn, otherwise by what a case is about."""
    if (run_a.suite, run_a.seed) == (run_b.suite, run_b.seed):
        known = {r.case.id: r for r in b}
        same = [Pair(r, known[r.case.id]) for r in a if r.case.id in known]
        # The same id with another content is another version of the suite.
        if all(content_key(pair.a.case) == content_key(pair.b.case) for pair in same):
            return same, "case id"
    waiting: dict[str, list[CaseResult]] = {}
    for result in b:
        waiting.setdefault(content_key(result.case), []).append(result)
    found = [
        Pair(result, others.pop(0))
        for result in a
        if (others := waiting.get(content_key(result.case)))
    ]
    return found, "what the case is about"


def _count(pairs: Iterable[Pair]) -> Paired:
    counts = Paired()
    for a, b in pairs:
        if a.passed:
            name = "both" if b.passed else "a_only"
        else:
            name = "b_only" if b.passed else "neither"
        setattr(counts, name, getattr(counts, name) + 1)
    return counts


def _side(
    run: Run, results: Sequence[CaseResult], own: Sequence[CaseResult], pairs: Sequence[Pair]
) -> Side:
    judged = [
        r for r, p in zip(own, pairs, strict=True) if {p.a.state, p.b.state} == {State.JUDGED}
    ]
    return Side(
        suite=run.suite,
        method=run.method,
        options=run.method_options,
        seed=run.seed,
        model=run.model or next((r.said.model for r in results if r.said.model), ""),
        commit=run.commit,
        passed=Share.of(sum(r.passed for r in own), len(own)),
        unpaired=len(results) - len(own),
        method_seconds=median([r.timing.method for r in judged]),
        failed_requests=median([r.users.failed_requests for r in judged]),
    )


def _over_cases(pairs: Iterable[Pair], seed: int) -> Range | None:
    groups: dict[str, list[float]] = {}
    for a, b in pairs:
        groups.setdefault(content_key(a.case), []).append(float(a.passed) - float(b.passed))
    if all(len(group) < 2 for group in groups.values()):
        return None
    found = bootstrap(list(groups.values()), seed=seed)
    return Range(low=found.low, high=found.high, cases=len(groups)) if found else None


def _discordant(pair: Pair) -> Discordant:
    winner, loser = ("a", pair.b) if pair.a.passed else ("b", pair.a)
    return Discordant(case=pair.a.case.id, about=pair.a.case.key, passed=winner, cause=cause(loser))

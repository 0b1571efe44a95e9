"""Compares two runs case by case, with paired tests."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from reme_benchmark.reports import formatting
from reme_benchmark.reports.statistics import bootstrap, mcnemar, median, paired_difference
from reme_benchmark.reports.store import ResultsError, Store
from reme_benchmark.reports.summary import content_key
from reme_benchmark.reports.summary_model import Range, Share
from reme_benchmark.reports.templates import render
from reme_benchmark.scoring.records import CaseResult, Record, Run, State

_ALPHA = 0.05


class Side(Record):
    """One of the two runs."""

    suite: str
    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    seed: int
    model: str
    commit: str
    passed: Share  # of the pairs
    unpaired: int  # cases that the other run does not have, or cannot have
    method_seconds: float | None  # median of the pairs that were judged in both runs
    failed_requests: float | None

    def label_against(self, other: "Side") -> str:
        """Return a label that distinguishes this run from the other one."""
        label = f"{self.method}" + (f" ({self.model[:24]})" if self.model else "")
        own = {k: v for k, v in self.options.items() if other.options.get(k) != v}
        same_method = self.method == other.method
        return label + (f", {formatting.options(own)}" if same_method and own else "")


class PairCounts(Record):
    """Counts of pairs by which of the two runs passed."""

    both: int = 0
    a_only: int = 0
    b_only: int = 0
    neither: int = 0


class Discordant(Record):
    """A case that passed in one run only."""

    case: str
    about: str
    passed: str  # a or b
    cause: str  # of the failure in the other run


class Comparison(Record):
    """The comparison of two runs."""

    a: Side
    b: Side
    paired_by: str
    pairs: int
    counts: PairCounts
    difference: float | None  # rate of a minus rate of b; None without pairs
    low: float
    high: float
    p: float  # McNemar's exact test, two-sided
    over_cases: Range | None = None  # the difference, where cases were repeated
    by_fault: dict[str, PairCounts] = Field(default_factory=dict)
    discordant: list[Discordant] = Field(default_factory=list)

    @property
    def better(self) -> str:
        """Return which run is better, "a" or "b"; empty without evidence."""
        if self.p >= _ALPHA or self.difference is None:
            return ""
        return "a" if self.difference > 0 else "b"

    def markdown(self) -> str:
        """Return the comparison as Markdown."""
        return render(
            "comparison.md.j2",
            comparison=self,
            by_fault=[
                (fault, c.both + c.a_only + c.b_only + c.neither, *c.model_dump().values())
                for fault, c in self.by_fault.items()
            ],
            discordant=[tuple(d.model_dump().values()) for d in self.discordant],
        )


class Pair(NamedTuple):
    """The same case in both runs."""

    a: CaseResult
    b: CaseResult


def compare_stores(a: Store, b: Store) -> Comparison:
    """Compare two stored runs.

    Raises:
        ResultsError: a run cannot be read, or both are the same.
    """
    if a.path.resolve() == b.path.resolve():
        raise ResultsError(f"cannot compare {a.path} with itself")
    return compare(a.load_run(), a.results(), b.load_run(), b.results())


def compare(
    run_a: Run, results_a: Sequence[CaseResult], run_b: Run, results_b: Sequence[CaseResult]
) -> Comparison:
    """Compare two runs. Pure. Cases that one of the clusters cannot run are in no pair."""
    pairs, paired_by = _pairs(run_a, _applicable(results_a), run_b, _applicable(results_b))
    counts = _count(pairs)
    low, high = paired_difference(counts.both, counts.a_only, counts.b_only, counts.neither)
    by_fault: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_fault.setdefault(pair.a.case.fault or "healthy", []).append(pair)
    return Comparison(
        a=_side(run_a, results_a, [p.a for p in pairs], pairs),
        b=_side(run_b, results_b, [p.b for p in pairs], pairs),
        paired_by=paired_by,
        pairs=len(pairs),
        counts=counts,
        difference=(counts.a_only - counts.b_only) / len(pairs) if pairs else None,
        low=low,
        high=high,
        p=mcnemar(counts.a_only, counts.b_only),
        over_cases=_over_cases(pairs, run_a.seed),
        by_fault={name: _count(by_fault[name]) for name in sorted(by_fault)},
        discordant=[_discordant(pair) for pair in pairs if pair.a.passed is not pair.b.passed],
    )


def _applicable(results: Iterable[CaseResult]) -> list[CaseResult]:
    return [r for r in results if r.state is not State.NOT_APPLICABLE]


def _pairs(
    run_a: Run, a: Sequence[CaseResult], run_b: Run, b: Sequence[CaseResult]
) -> tuple[list[Pair], str]:
    """Return the pairs: by id in runs of the same suite and seed, otherwise by content."""
    if (run_a.suite, run_a.seed) == (run_b.suite, run_b.seed):
        by_id = {r.case.id: r for r in b}
        same = [Pair(r, by_id[r.case.id]) for r in a if r.case.id in by_id]
        # The same id with another content belongs to another version of the suite.
        if all(content_key(pair.a.case) == content_key(pair.b.case) for pair in same):
            return same, "case id"
    unpaired: dict[str, list[CaseResult]] = {}
    for result in b:
        unpaired.setdefault(content_key(result.case), []).append(result)
    pairs = [
        Pair(result, others.pop(0))
        for result in a
        if (others := unpaired.get(content_key(result.case)))
    ]
    return pairs, "content of the case"


def _count(pairs: Iterable[Pair]) -> PairCounts:
    counts = PairCounts()
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
        model=run.model
        or next((r.method_report.model for r in results if r.method_report.model), ""),
        commit=run.commit,
        passed=Share.of(sum(r.passed for r in own), len(own)),
        unpaired=len(results) - len(own),
        method_seconds=median([r.timing.method for r in judged]),
        failed_requests=median([r.users.failed_requests for r in judged]),
    )


def _over_cases(pairs: Iterable[Pair], seed: int) -> Range | None:
    """Return the bootstrap interval of the difference, where cases were repeated."""
    groups: dict[str, list[float]] = {}
    for a, b in pairs:
        groups.setdefault(content_key(a.case), []).append(float(a.passed) - float(b.passed))
    if all(len(group) < 2 for group in groups.values()):
        return None
    interval = bootstrap(list(groups.values()), seed=seed)
    return Range(low=interval.low, high=interval.high, cases=len(groups)) if interval else None


def _discordant(pair: Pair) -> Discordant:
    winner, loser = ("a", pair.b) if pair.a.passed else ("b", pair.a)
    cause = formatting.cause(loser)
    return Discordant(case=pair.a.case.id, about=pair.a.case.key, passed=winner, cause=cause)

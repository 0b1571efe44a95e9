"""What two runs say of their methods, as data and in words."""

from typing import Any

from pydantic import Field

from reme_benchmark.reports import formatting
from reme_benchmark.reports.markdown import table
from reme_benchmark.reports.summary_model import Range, Share
from reme_benchmark.scoring.records import Record

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
    method_seconds: float | None  # median of the pairs that were judged in both
    failed_requests: float | None

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.method}" + (f" ({self.model[:24]})" if self.model else "")

    def beside(self, other: "Side") -> str:
        """Return what people call it beside the other, which may be the same with other options."""
        own = {k: v for k, v in self.options.items() if other.options.get(k) != v}
        differs = self.method == other.method and own
        return self.label + (f", {formatting.options(own)}" if differs else "")


class Paired(Record):
    """Counts of pairs, by which of the two passed."""

    both: int = 0
    a_only: int = 0
    b_only: int = 0
    neither: int = 0


class Discordant(Record):
    """A case that one of the two passed and the other did not."""

    case: str
    about: str
    passed: str  # a or b
    cause: str  # why the other did not


class Comparison(Record):
    """What two runs say of their methods."""

    a: Side
    b: Side
    paired_by: str
    pairs: int
    counts: Paired
    difference: float | None  # rate of a minus rate of b; None: no pairs
    low: float
    high: float
    p: float  # McNemar's exact test, two-sided
    over_cases: Range | None = None  # the difference, where cases were repeated
    by_fault: dict[str, Paired] = Field(default_factory=dict)
    discordant: list[Discordant] = Field(default_factory=list)

    def text(self) -> str:
        """Return what people read of it on a terminal; it is Markdown."""
        return self.markdown()

    def markdown(self) -> str:
        """Return it as Markdown."""
        parts = [
            f"# {self.a.beside(self.b)} and {self.b.beside(self.a)}",
            self._said(),
            self._table(),
        ]
        if self.by_fault:
            heads = ["fault", "pairs", "both", "a alone", "b alone", "neither"]
            rows = ((name, *_counts(found)) for name, found in self.by_fault.items())
            parts.append(table(heads, rows))
        if self.discordant:
            heads = ["case", "about", "passed", "why the other did not"]
            shown = ((d.case, d.about, d.passed, d.cause) for d in self.discordant)
            parts += ["## Where they differ", table(heads, shown)]
        return "\n\n".join(parts) + "\n"

    def _said(self) -> str:
        if self.difference is None:
            return "The two runs have no case in common, so nothing can be said."
        differ = self.counts.a_only + self.counts.b_only
        low, high = self.low * 100, self.high * 100
        said = (
            f"{self.pairs} pairs, by {self.paired_by}. a passed "
            f"{formatting.percent(self.a.passed.rate)}, b {formatting.percent(self.b.passed.rate)}: "  # noqa: E501
            f"{self.difference * 100:+.0f} points ({low:+.0f} to {high:+.0f}). "
            f"McNemar's exact test on {differ} pairs that differ: p = {self.p:.3g}. "
            f"{self._verdict()}"
        )
        if self.over_cases is None:
            return said
        low, high = self.over_cases.low * 100, self.over_cases.high * 100
        return (
            f"{said}\n\nCases were repeated, and the test takes each repeat for a case: go by the "
            f"bootstrap over the {self.over_cases.cases} different cases, "
            f"{low:+.0f} to {high:+.0f} points."
        )

    def _verdict(self) -> str:
        if self.p >= _ALPHA or self.difference is None:
            return "That is no evidence that one is better."
        return f"That is evidence that {'a' if self.difference > 0 else 'b'} is better."

    def _table(self) -> str:
        rows = []
        for name, side, other in (("a", self.a, self.b), ("b", self.b, self.a)):
            rows.append(
                (
                    f"{name}: {side.beside(other)}",
                    f"{side.suite}, seed {side.seed}",
                    formatting.of(side.passed),
                    formatting.seconds(side.method_seconds),
                    formatting.number(side.failed_requests),
                    str(side.unpaired),
                )
            )
        heads = ["", "suite", "passed", "method, median", "failed requests, median", "not paired"]
        return table(heads, rows)


def _counts(found: Paired) -> tuple[str, ...]:
    numbers = (found.both, found.a_only, found.b_only, found.neither)
    return tuple(str(n) for n in (sum(numbers), *numbers))

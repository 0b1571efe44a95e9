"""Formats figures for people, in the same way in Markdown, in HTML and on the terminal."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reme_benchmark.reports.failure_causes import MEANING, Cause, cause_of
from reme_benchmark.reports.summary_model import Share, Spread, Summary
from reme_benchmark.scoring.records import CaseResult, State

STATES: dict[State, str] = {
    State.JUDGED: "judged",
    State.PROPOSED: "only proposed",
    State.INJECTION_FAILED: "injection failed",
    State.HARNESS_ERROR: "harness error",
    State.NOT_APPLICABLE: "not applicable",
}
HARNESS_STEPS = ("reset", "inject", "confirm", "report", "method", "judge")
"""The steps of a case in their order; their sum is the total."""


def percent(rate: float | None) -> str:
    """Return a rate in whole per cent."""
    return "-" if rate is None else f"{rate * 100:.0f}%"


def share(counted: Share) -> str:
    """Return a share as its rate with counts and interval."""
    if counted.rate is None:
        return "no cases"
    low, high = percent(counted.low).rstrip("%"), percent(counted.high)
    return f"{percent(counted.rate)} ({counted.passed}/{counted.cases}, {low} to {high})"


def share_counts(counted: Share) -> str:
    """Return the counts and the interval of a share, for where its rate is shown already."""
    if counted.rate is None:
        return "no cases"
    low, high = percent(counted.low).rstrip("%"), percent(counted.high)
    return f"{counted.passed} of {counted.cases} cases; 95%: {low} to {high}"


def seconds(duration: float | None) -> str:
    """Return seconds, with one decimal below 100 s."""
    if duration is None:
        return "-"
    return f"{duration:.1f} s" if duration < 100 else f"{duration:.0f} s"


def number(count: float | None) -> str:
    """Return a count, or a median of counts."""
    return "-" if count is None else f"{count:,.10g}"


def options(method_options: Mapping[str, Any]) -> str:
    """Return the options of a method, as `maxAttempts 2, evidence.minPersistenceSeconds 30`."""
    return ", ".join(f"{name} {value}" for name, value in _flattened(method_options))


def _flattened(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, entry in nested.items():
        if isinstance(entry, Mapping):
            yield from _flattened(entry, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", entry


def value(content: Any) -> str:
    """Return a value of any JSON type in words."""
    if isinstance(content, dict):
        return ", ".join(f"{k} {value(v)}" for k, v in content.items()) or "none"
    if isinstance(content, list | tuple):
        return ", ".join(value(v) for v in content) or "none"
    if isinstance(content, bool):
        return "yes" if content else "no"
    return "not known" if content is None or content == "" else str(content)


def commit(summary: Summary) -> str:
    """Return the commit of a run, with a note about changes that were not committed."""
    return (summary.commit or "not known") + (
        " (with uncommitted changes)" if summary.dirty else ""
    )


def share_rows(shares: Mapping[str, Share]) -> list[tuple[str, str]]:
    """Return the rows of a table of shares."""
    return [(name, share(counted)) for name, counted in shares.items()]


def spread_rows(spreads: Iterable[tuple[str, Spread]]) -> list[tuple[str, ...]]:
    """Return the rows of a table of durations: name, cases, median, p95, total."""
    return [
        (name, str(s.cases), seconds(s.median), seconds(s.p95), seconds(s.total))
        for name, s in spreads
    ]


def verdict(result: CaseResult) -> str:
    """Return how a case ended, in at most two words."""
    if result.state is not State.JUDGED:
        return STATES[result.state]
    return "passed" if result.passed else "failed"


def published(result: CaseResult) -> str:
    """Return the verdict of MicroRemed's own check."""
    if result.published is None:
        return "-"
    return "passed" if result.published.passed else "failed"


def reason(result: CaseResult) -> str:
    """Return the first reason why a case was not passed."""
    if result.state is not State.JUDGED:
        return result.message
    if result.strict is None or result.passed:
        return ""
    return (
        result.strict.reasons or [result.method_report.error or result.method_report.message or "-"]
    )[0]


def cause(result: CaseResult) -> str:
    """Return the recorded cause of a failure, or classify it again."""
    return result.cause or str(cause_of(result))


def cause_meaning(name: str) -> str:
    """Return the explanation of a cause; empty for a cause of a newer version."""
    try:
        return MEANING[Cause(name)]
    except (KeyError, ValueError):
        return ""

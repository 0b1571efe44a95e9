"""How figures are written for people, the same in Markdown, HTML and on the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from reme_benchmark.reports.summary_model import Share, Spread
from reme_benchmark.scoring.records import CaseResult, State

STATES: dict[State, str] = {
    State.JUDGED: "judged",
    State.ASKED: "only asked",
    State.INJECTION_FAILED: "injection failed",
    State.HARNESS_ERROR: "harness error",
    State.NOT_APPLICABLE: "not applicable",
}
HARNESS_STEPS = ("reset", "inject", "confirm", "report", "method", "judge")
"""In the order in which they happen; the total is their sum."""


def percent(share: float | None) -> str:
    """Return a share in whole percent."""
    return "-" if share is None else f"{share * 100:.0f}%"


def of(share: Share) -> str:
    """Return a share with its interval and its counts."""
    if share.rate is None:
        return "no cases"
    low, high = percent(share.low).rstrip("%"), percent(share.high)
    return f"{percent(share.rate)} ({share.passed}/{share.cases}, {low} to {high})"


def counts(share: Share) -> str:
    """Return the counts of a share and its interval, for where its rate stands already."""
    if share.rate is None:
        return "no cases"
    low, high = percent(share.low).rstrip("%"), percent(share.high)
    return f"{share.passed} of {share.cases} cases; 95%: {low} to {high}"


def seconds(value: float | None) -> str:
    """Return seconds, with a decimal where it matters."""
    if value is None:
        return "-"
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def spread(value: Spread) -> str:
    """Return the middle and the high end."""
    return f"{seconds(value.median)} (p95 {seconds(value.p95)})"


def number(value: float | None) -> str:
    """Return a count, or a median of counts."""
    return "-" if value is None else f"{value:,.10g}"


def options(said: Mapping[str, Any]) -> str:
    """Return the options of a method, as `maxAttempts 2, evidence.minPersistenceSeconds 30`."""
    return ", ".join(f"{name} {value}" for name, value in _flat(said))


def _flat(said: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def verdict(result: CaseResult) -> str:
    """Return how a case ended, in two words at most."""
    if result.state is not State.JUDGED:
        return STATES[result.state]
    return "passed" if result.passed else "failed"


def published(result: CaseResult) -> str:
    """Return what MicroRemed's own check says."""
    if result.published is None:
        return "-"
    return "passed" if result.published.passed else "failed"


def why(result: CaseResult) -> str:
    """Return the first reason that a case was not passed."""
    if result.state is not State.JUDGED:
        return result.message
    if result.strict is None or result.passed:
        return ""
    return (result.strict.reasons or [result.said.error or result.said.message or "-"])[0]

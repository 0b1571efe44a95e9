"""Which results are of the same case: what it is about, not what a suite calls it."""

import hashlib
import json
from collections.abc import Iterable

from reme_benchmark.reports.statistics import bootstrap
from reme_benchmark.reports.summary_model import Flakes, Range
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scoring.records import CaseResult


def content_key(case: Case) -> str:
    """Return a digest of everything that makes the case what it is, but for its id."""
    content = case.model_dump(mode="json", exclude={"id"})
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def repeats(results: Iterable[CaseResult]) -> list[list[CaseResult]]:
    """Return the results by case, in the order of their first."""
    found: dict[str, list[CaseResult]] = {}
    for result in results:
        found.setdefault(content_key(result.case), []).append(result)
    return list(found.values())


def flakes(groups: Iterable[list[CaseResult]]) -> Flakes:
    """Return how many of the repeated cases did not always end alike."""
    repeated = [group for group in groups if len(group) > 1]
    flaky = [group[0].case.id for group in repeated if len({r.passed for r in group}) > 1]
    return Flakes(
        repeated=len(repeated),
        flaky=len(flaky),
        rate=len(flaky) / len(repeated) if repeated else None,
        cases=flaky,
    )


def interval(groups: list[list[CaseResult]], seed: int) -> Range | None:
    """Return the interval of the strict rate when cases were repeated, else nothing.

    Wilson's takes every run for an independent case, which repeats are not.
    """
    if all(len(group) < 2 for group in groups):
        return None
    found = bootstrap([[float(r.passed) for r in group] for group in groups], seed=seed)
    return Range(low=found.low, high=found.high, cases=len(groups)) if found else None

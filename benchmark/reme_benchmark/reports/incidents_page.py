"""Writes docs/lab/incidents.md from the summaries in benchmark/results/incidents.

`python -m reme_benchmark.reports.incidents_page --take RESULTS NAME` stores the summary of a run
there first.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel

from reme_benchmark.incidents.model import Incident, load
from reme_benchmark.incidents.play import Played
from reme_benchmark.incidents.run import load_results
from reme_benchmark.incidents.verdict import Verdict
from reme_benchmark.reports import pages
from reme_benchmark.reports.pages import Summaries
from reme_benchmark.reports.statistics import mcnemar, median, wilson
from reme_benchmark.reports.templates import render

PAGE = Path("docs/lab/incidents.md")


class Row(BaseModel):
    """One incident of a run."""

    incident: str
    verdict: Verdict
    end: str
    actions: list[str]
    useless: int
    served: bool | None
    seconds: float
    attempts: int
    rounds: int
    inspections: int
    tokens: int


class IncidentSummary(BaseModel):
    """One run of the suite."""

    method: str
    started: datetime
    rows: list[Row]


SUMMARIES = Summaries(pages.RESULTS / "incidents", IncidentSummary)


def summary(records: Sequence[Played]) -> IncidentSummary:
    """Return the summary of the records of one run."""
    return IncidentSummary(
        method=records[0].method,
        started=min(record.started for record in records),
        rows=[_row(record) for record in records],
    )


def _row(record: Played) -> Row:
    return Row(
        incident=record.incident,
        verdict=record.grade.verdict,
        end=record.grade.reason,
        actions=[action.summary for action in record.grade.actions],
        useless=record.grade.useless,
        served=record.served,
        seconds=round(record.seconds, 1),
        attempts=record.attempts,
        rounds=record.rounds,
        inspections=record.inspections,
        tokens=record.prompt_tokens + record.completion_tokens,
    )


def page(runs: dict[str, IncidentSummary], incidents: Sequence[Incident]) -> str:
    """Return the page for some runs, by name."""
    return render(
        "incidents.md.j2",
        incidents=[(i.id, i.title, i.split, i.source.address, i.source.repair) for i in incidents],
        runs=[(name, *_headline(run)) for name, run in runs.items()],
        names=list(runs),
        by_incident=[(i.id, *(_cell(run, i.id) for run in runs.values())) for i in incidents],
        pairs=list(_pairs(runs)),
    )


def _headline(run: IncidentSummary) -> Iterator[str]:
    rows = [row for row in run.rows if row.verdict is not Verdict.ERROR]
    yield run.method
    yield _share(sum(row.verdict is Verdict.RIGHT for row in rows), len(rows))
    yield _share(sum(row.useless > 0 for row in rows), len(rows))
    yield str(sum(row.verdict is Verdict.HARMFUL for row in rows))
    for values in (
        [row.seconds for row in rows],
        [float(row.rounds) for row in rows],
        [float(row.inspections) for row in rows],
        [float(row.tokens) for row in rows],
    ):
        middle = median(values)
        yield "" if middle is None else f"{middle:.0f}"


def _share(count: int, total: int) -> str:
    low, high = wilson(count, total)
    rate = 100 * count / total if total else 0
    return f"{count} of {total} ({rate:.0f}%; {100 * low:.0f} to {100 * high:.0f})"


def _cell(run: IncidentSummary, incident: str) -> str:
    row = next((row for row in run.rows if row.incident == incident), None)
    if row is None:
        return ""
    actions = "; ".join(row.actions)
    return f"{row.verdict}: {row.end}" + (f" ({actions})" if actions else "")


def _pairs(runs: dict[str, IncidentSummary]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield, for each two successive runs of reme, how many one of them alone had right."""
    named = [(name, run) for name, run in runs.items() if run.method.startswith("reme")]
    for (first_name, first), (second_name, second) in pairwise(named):
        right = [
            {r.incident for r in s.rows if r.verdict is Verdict.RIGHT} for s in (first, second)
        ]
        only = (len(right[0] - right[1]), len(right[1] - right[0]))
        yield (first_name, second_name, str(only[0]), str(only[1]), f"{mcnemar(*only):.3f}")


def main() -> int:
    """Store the summary of a run if one is named, and write the page."""
    parser = pages.options("reme_benchmark.reports.incidents_page", __doc__, take=True)
    chosen = parser.parse_args()
    if chosen.take:
        results, name = chosen.take
        SUMMARIES.store(name, summary(list(load_results(Path(results)).values())))
    return pages.write(PAGE, page(SUMMARIES.by_name(), load()), check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())

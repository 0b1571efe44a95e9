"""Writes docs/lab/fidelity.md from the summaries in benchmark/results/fidelity.

`python -m reme_benchmark.fidelity.page --take RESULTS NAME` first stores the summary of RESULTS, as
the current simulator sees it.
"""

import sys
from pathlib import Path
from typing import NamedTuple

from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.summary import GOAL, Fidelity, replayed, tables
from reme_benchmark.reports import pages
from reme_benchmark.reports.pages import Summaries
from reme_benchmark.reports.templates import render

SUMMARIES = Summaries(pages.RESULTS / "fidelity", Fidelity)
PAGE = Path("docs/lab/fidelity.md")


class BelowGoal(NamedTuple):
    """Faults below the goal, and those of them on which the oracle agrees with the simulator."""

    faults: list[str]
    oracle_agrees: list[str]


def page(measurements: dict[str, Fidelity]) -> str:
    """Return the page for some measurements, by name."""
    return render(
        "fidelity.md.j2",
        measurements=measurements,
        goal=GOAL,
        tables=tables,
        below_goal=_below_goal,
    )


def _below_goal(fidelity: Fidelity) -> BelowGoal:
    low = {fault: a for fault, a in fidelity.by_fault.items() if a.rate < GOAL}
    return BelowGoal(list(low), [fault for fault, a in low.items() if a.agreed_on_cure == a.trials])


def main() -> int:
    """Store the summary of a measurement if one is named, and write the page."""
    chosen = pages.options("reme_benchmark.fidelity.page", __doc__, take=True).parse_args()
    if chosen.take:
        results, name = chosen.take
        SUMMARIES.store(name, replayed(Outcomes(Path(results))).summary)
    return pages.write(PAGE, page(SUMMARIES.by_name()), check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())

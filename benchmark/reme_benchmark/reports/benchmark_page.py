"""Writes docs/lab/benchmark-results.md from the summaries in benchmark/results/bench.

`python -m reme_benchmark.reports.benchmark_page --take RESULTS NAME` stores the summary of a run
there first.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from reme_benchmark.reports import pages
from reme_benchmark.reports.output import load_summary
from reme_benchmark.reports.pages import Summaries
from reme_benchmark.reports.store import Store
from reme_benchmark.reports.summary_model import Share, Summary
from reme_benchmark.reports.templates import render, table
from reme_benchmark.scenarios.faults.catalog import faults

SUMMARIES = Summaries(pages.RESULTS / "bench", Summary)
PAGE = Path("docs/lab/benchmark-results.md")
_CHEAT = "cheat-"

Runs = Mapping[str, Summary]


def page(runs: Runs) -> str:
    """Return the page for some runs, by name."""
    of_reme = {name: s for name, s in runs.items() if s.method == "reme"}
    with_repairs = {name: s for name, s in of_reme.items() if s.repairs.cases}
    no_cheats = {name: s for name, s in runs.items() if not s.method.startswith(_CHEAT)}
    return render(
        "benchmark.md.j2",
        runs=[(name, *_headline(s)) for name, s in runs.items()],
        times=[(name, *_times(s)) for name, s in runs.items()],
        by_quality=_share_table(of_reme, "report", lambda s: s.by_quality),
        by_system=_share_table(of_reme, "system", lambda s: s.by_system),
        by_split=_share_table(with_repairs, "faults", _by_split),
        generation=[(name, *_generation(s)) for name, s in of_reme.items()],
        causes=[(name, *_causes(s)) for name, s in of_reme.items()],
        by_fault=_by_fault(no_cheats),
        environment=[(name, *_environment(s)) for name, s in runs.items()],
    )


def percent(share: Share) -> str:
    """Return a rate with its Wilson interval."""
    if share.rate is None:
        return ""
    interval = f"{100 * share.low:.0f} to {100 * share.high:.0f}"
    return f"{share.passed} of {share.cases} ({100 * share.rate:.0f}%; {interval})"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _headline(s: Summary) -> Iterator[str]:
    yield from (s.method, f"{s.ended} of {s.planned}")
    yield from (percent(s.repairs), percent(s.published), percent(s.controls))
    yield str(s.states.get("not-applicable", 0))
    yield f"{s.flakes.flaky} of {s.flakes.repeated}" if s.flakes.repeated else ""


def _times(s: Summary) -> Iterator[str]:
    yield _seconds(s.time.overhead_seconds)
    for step in ("method", "judge"):
        spread = s.time.harness.get(step)
        yield _seconds(spread.median if spread else None)
    yield _seconds(s.users.served_again_seconds)


def _share_table(runs: Runs, about: str, shares: Callable[[Summary], Mapping[str, Share]]) -> str:
    """Return a table with one row per run and one column per group."""
    groups = sorted({group for s in runs.values() for group in shares(s)})
    rows = [
        (name, *(percent(shares(s)[group]) if group in shares(s) else "" for group in groups))
        for name, s in runs.items()
    ]
    return table((f"run, by {about}", *groups), rows)


def _by_split(summary: Summary) -> dict[str, Share]:
    """Return the shares of the faults that training never sees, and of the others."""
    held_out = {name for name, fault in faults().items() if fault.held_out}
    groups = {}
    for group, in_training in (("held-out", False), ("other", True)):
        shares = [s for fault, s in summary.by_fault.items() if (fault in held_out) != in_training]
        if shares:
            groups[group] = Share.of(sum(s.passed for s in shares), sum(s.cases for s in shares))
    return groups


def _generation(s: Summary) -> Iterator[str]:
    """Yield how many playbooks were rejected, how well it abstained, and the costs."""
    cost, abstention, false = s.cost, s.abstention, s.false_actions
    yield percent(Share.of(cost.rejected, cost.playbooks))
    yield percent(Share.of(abstention.right, abstention.abstained))
    yield percent(Share.of(false.controls - false.acted, false.controls))
    yield "" if cost.tokens_median is None else f"{cost.tokens_median:.0f}"
    generate = s.time.method.get("Generate")
    yield _seconds(generate.median if generate else None)
    yield _seconds(s.time.repaired_seconds)


def _causes(s: Summary) -> tuple[str, str]:
    causes = sorted(s.causes.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{cause} {count}" for cause, count in causes)
    return text, ", ".join(s.false_actions.cases)


def _by_fault(runs: Runs) -> str:
    names = sorted({fault for s in runs.values() for fault in s.by_fault})

    def cell(summary: Summary, fault: str) -> str:
        share = summary.by_fault.get(fault)
        return f"{share.passed}/{share.cases}" if share else ""

    rows = [(fault, *(cell(s, fault) for s in runs.values())) for fault in names]
    return table(("fault", *runs), rows)


def _environment(s: Summary) -> Iterator[str]:
    yield f"{s.commit[:10]}{' with changes' if s.dirty else ''}"
    yield str(s.hardware.get("cores", ""))
    yield str(s.hardware.get("processor", ""))
    yield s.model or ""


def main() -> int:
    """Store the summary of a run if one is named, and write the page."""
    chosen = pages.options("reme_benchmark.reports.benchmark_page", __doc__, take=True).parse_args()
    if chosen.take:
        results, name = chosen.take
        SUMMARIES.store(name, load_summary(Store(Path(results))))
    return pages.write(PAGE, page(SUMMARIES.by_name()), check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())

"""Writes the summary as Markdown, also for the terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence

from reme_benchmark.reports import formatting
from reme_benchmark.reports.failure_sections import cause, meaning
from reme_benchmark.reports.summary_model import Share, Summary
from reme_benchmark.scoring.records import CaseResult, Run, State

_MOST_FAILURES = 60
_LONGEST_REASON = 160


def markdown(run: Run, results: Sequence[CaseResult], summary: Summary) -> str:
    """Return the summary of a run."""
    parts = [
        f"# {_cell(summary.suite)}: {_cell(summary.method)}",
        _intro(run, summary),
        table(["", "passed"], _headline(summary)),
    ]
    for title, found in (
        ("fault", summary.by_fault),
        ("system", summary.by_system),
        ("group", summary.by_group),
        ("report", summary.by_quality),
        ("control", summary.by_control),
    ):
        if found:
            parts.append(table([title, "passed"], _shares(found)))
    parts += ["## Where the time went", _time(summary)]
    parts += ["## What it cost", table(["what", "how much"], _cost(summary))]
    parts += ["## Where it failed, and why", _causes(summary), _failures(results)]
    if apart := _not_judged(results):
        parts += ["## Not judged", apart]
    parts += ["## What it was run on", _provenance(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _intro(run: Run, summary: Summary) -> str:
    states = ", ".join(
        f"{count} {formatting.STATES[State(name)]}"
        for name, count in summary.states.items()
        if count
    )
    lines = [f"Seed {summary.seed}, begun {run.start_time:%Y-%m-%d %H:%M} UTC; {states or 'none'}."]
    if not summary.complete:
        lines.append(f"**Not complete**: {summary.ended} of {summary.planned} cases have ended.")
    return "\n".join(lines)


def _headline(summary: Summary) -> list[tuple[str, str]]:
    false, abstention = summary.false_actions, summary.abstention
    rows = [
        ("strict", formatting.of(summary.strict)),
        ("published", formatting.of(summary.published)),
        ("to be repaired", formatting.of(summary.repairs)),
        ("controls", formatting.of(summary.controls)),
        ("false actions on controls", f"{false.acted} of {false.controls}"),
        (
            "abstentions that were right",
            (
                f"{abstention.right} of {abstention.abstained} "
                f"(precision {formatting.percent(abstention.precision)}, "
                f"recall {formatting.percent(abstention.recall)})"
            ),
        ),
    ]
    if summary.bootstrap is not None:
        flakes, found = summary.flakes, summary.bootstrap
        low, high = formatting.percent(found.low), formatting.percent(found.high)
        rows += [
            ("strict, over different cases", f"{low} to {high} ({found.cases} cases, bootstrap)"),
            ("flaky cases", f"{flakes.flaky} of {flakes.repeated} repeated"),
        ]
    return rows


def _shares(found: Mapping[str, Share]) -> list[tuple[str, str]]:
    return [(name, formatting.of(share)) for name, share in found.items()]


def _time(summary: Summary) -> str:
    time = summary.time
    if not time.harness:
        return "No case was judged."
    order = [n for n in (*formatting.HARNESS_STEPS, "total") if n in time.harness]
    rows = [(name, time.harness[name]) for name in order]
    rows += [(f"method: {name}", found) for name, found in time.method.items()]
    steps = table(
        ["step", "cases", "median", "p95", "all"],
        (
            (
                name,
                str(s.cases),
                formatting.seconds(s.median),
                formatting.seconds(s.p95),
                formatting.seconds(s.total),
            )
            for name, s in rows
        ),
    )
    return (
        f"Overhead of a case beside method and oracle: {formatting.seconds(time.overhead_seconds)} "
        f"(median). From the report until everything held, of repairs that succeeded: "
        f"{formatting.seconds(time.repaired_seconds)} (median).\n\n{steps}"
    )


def _cost(summary: Summary) -> list[tuple[str, str]]:
    users, cost = summary.users, summary.cost
    return [
        ("users served again, median", formatting.seconds(users.served_again_seconds)),
        ("cases in which they never were", str(users.never_served_again)),
        (
            "failed requests",
            f"{users.failed_requests:,} (median {formatting.number(users.failed_requests_median)})",
        ),
        (
            "pods replaced",
            f"{users.pods_replaced} (median {formatting.number(users.pods_replaced_median)})",
        ),
        ("restarts of containers", str(users.restarts)),
        (
            "objects left changed",
            f"{users.objects_left_changed} in {users.cases_left_changed} cases",
        ),
        (
            "tokens",
            (
                f"{cost.tokens.prompt:,} prompt ({cost.tokens.cached:,} cached), "
                f"{cost.tokens.completion:,} completion; median {formatting.number(cost.tokens_median)}"  # noqa: E501
            ),
        ),
        ("attempts", str(cost.attempts)),
        (
            "playbooks rejected",
            f"{cost.rejected} of {cost.playbooks} ({formatting.percent(cost.rejected_share)})",
        ),
    ]


def _causes(summary: Summary) -> str:
    if not summary.causes:
        return "Every case was passed." if summary.strict.cases else "No case has ended."
    rows = ((name, str(count), meaning(name)) for name, count in summary.causes.items())
    return table(["cause", "cases", "what it means"], rows)


def _failures(results: Sequence[CaseResult]) -> str:
    failed = [r for r in results if r.state is State.JUDGED and not r.passed]
    if not failed:
        return ""
    shown = table(
        ["case", "about", "cause", "why"],
        (
            (r.case.id, r.case.key, cause(r), formatting.why(r)[:_LONGEST_REASON])
            for r in failed[:_MOST_FAILURES]
        ),
    )
    left = len(failed) - _MOST_FAILURES
    return shown + (f"\n\nand {left} more, in report.html" if left > 0 else "")


def _not_judged(results: Iterable[CaseResult]) -> str:
    rows = [
        (r.case.id, r.case.key, formatting.STATES[r.state], r.message[:_LONGEST_REASON])
        for r in results
        if r.state is not State.JUDGED
    ]
    return table(["case", "about", "state", "why"], rows) if rows else ""


def _provenance(summary: Summary) -> str:
    commit = summary.commit or "not known"
    rows = [
        ("commit", commit + (" (with changes that are not in it)" if summary.dirty else "")),
        ("model", summary.model or "not known"),
        *((f"image {name}", digest) for name, digest in summary.images.items()),
        *((f"cluster: {k}", str(v)) for k, v in summary.cluster.items()),
        *((f"hardware: {k}", str(v)) for k, v in summary.hardware.items()),
    ]
    return table(["what", "which"], rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; what the cells hold is escaped."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return a text that cannot end its cell, nor be taken for Markdown or HTML."""
    line = " ".join(text.split())
    return re.sub(r"([\\`|<>\[\]*])", r"\\\1", line)

"""The parts of the HTML report that show many cases at once."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

from reme_benchmark.reports import formatting
from reme_benchmark.reports.charts import Part, bars, legend, rates, stacked
from reme_benchmark.reports.failure_sections import cause, meaning, table, verdict
from reme_benchmark.reports.summary_model import Share, Summary
from reme_benchmark.scoring.records import CaseResult, State

_HARNESS_COLOURS = {"reset": 0, "inject": 5, "confirm": 2, "report": 4, "method": 1, "judge": 3}
_COLOURS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)


def shares(results: Iterable[CaseResult], summary: Summary) -> str:
    """Return fix rates by what a case is."""
    whole = [
        ("all cases", summary.strict),
        ("to be repaired", summary.repairs),
        ("controls", summary.controls),
        ("MicroRemed's own checks", summary.published),
    ]
    parts = [rates(whole), *_disagreement(summary), *_repeats(summary)]
    for title, found in (
        ("By fault", summary.by_fault),
        ("By system", summary.by_system),
        ("By group", summary.by_group),
        ("By quality of the report", summary.by_quality),
        ("Controls: nothing should be done", summary.by_control),
    ):
        # A single group says what all cases say.
        if len(found) > 1 or (found and title != "By group"):
            parts.append(f"<h3>{title}</h3>" + rates(_worst_first(found)))
        if title == "By system" and len(found) > 1:
            parts += ["<h3>By fault and system</h3>", _crossed(results, summary)]
    return "".join(parts)


def _crossed(results: Iterable[CaseResult], summary: Summary) -> str:
    """Return passed and counted cases for each fault on each system, without the controls."""
    counted: dict[tuple[str, str], list[bool]] = {}
    for r in results:
        if r.state is not State.NOT_APPLICABLE and r.case.control is None:
            counted.setdefault((_fault(r), r.case.system), []).append(r.passed)
    systems = list(summary.by_system)

    def cell(fault: str, system: str) -> str:
        found = counted.get((fault, system), [])
        return f"{sum(found)}/{len(found)}" if found else "-"

    rows = ((escape(f), *(cell(f, s) for s in systems)) for f in summary.by_fault)
    return table(["fault", *systems], rows, frozenset(range(1, len(systems) + 1)))


def _worst_first(found: Mapping[str, Share]) -> list[tuple[str, Share]]:
    return sorted(found.items(), key=lambda item: (item[1].rate or 0, item[0]))


def _disagreement(summary: Summary) -> list[str]:
    found = summary.agreement
    if not (found.published_only or found.strict_only):
        return []
    return [
        (
            f'<p class="note">MicroRemed\'s check passed {found.published_only} cases that the '
            f"strict oracle did not, and failed {found.strict_only} that it passed.</p>"
        )
    ]


def _repeats(summary: Summary) -> list[str]:
    if summary.bootstrap is None:
        return []
    flakes, found = summary.flakes, summary.bootstrap
    return [
        (
            f'<p class="note">Cases were repeated: over the {found.cases} different ones the rate '
            f"lies between {formatting.percent(found.low)} and {formatting.percent(found.high)} (bootstrap). "  # noqa: E501
            f"{flakes.flaky} of {flakes.repeated} repeated cases did not always end alike.</p>"
        )
    ]


def time_split(results: Sequence[CaseResult], summary: Summary) -> str:
    """Return where the time went: of the harness by system and fault, and inside the method."""
    judged = [r for r in results if r.state is State.JUDGED]
    if not judged:
        return "<p>No case was judged.</p>"
    order = [name for name in formatting.HARNESS_STEPS if name in summary.time.harness]
    rows = [
        ("mean of all cases", _mean(judged, order)),
        *((name, _mean(found, order)) for name, found in _grouped(judged, _system)),
        *((name, _mean(found, order)) for name, found in _grouped(judged, _fault)),
    ]
    repaired = formatting.seconds(summary.time.repaired_seconds)
    parts = [
        (
            f"<p>Mean seconds of a case. A repair that succeeded took a median of {repaired} from "
            f"the report until everything held; the harness adds a median of "
            f"{formatting.seconds(summary.time.overhead_seconds)} beside method and oracle.</p>"
        ),
        stacked(rows, _HARNESS_COLOURS),
        legend(order, _HARNESS_COLOURS),
    ]
    steps = [name for name in summary.time.method if name != "all"]
    if steps:
        colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(steps)}
        inside = [
            ("passed", _steps([r for r in judged if r.passed], steps)),
            ("not passed", _steps([r for r in judged if not r.passed], steps)),
        ]
        parts += [
            "<h3>Inside the method</h3>",
            stacked([row for row in inside if row[1]], colours),
            legend(steps, colours),
            table(
                ["step", "cases", "median", "p95", "all"],
                (
                    (
                        escape(name),
                        str(s.cases),
                        formatting.seconds(s.median),
                        formatting.seconds(s.p95),
                        formatting.seconds(s.total),
                    )
                    for name, s in summary.time.method.items()
                ),
                frozenset({1, 2, 3, 4}),
            ),
        ]
    return "".join(parts)


def _mean(results: Sequence[CaseResult], order: Sequence[str]) -> list[Part]:
    return [Part(n, statistics.fmean(getattr(r.timing, n) for r in results)) for n in order]


def _steps(results: Sequence[CaseResult], steps: Sequence[str]) -> list[Part]:
    timed = [r.said.steps for r in results if any(name in r.said.steps for name in steps)]
    return [Part(n, statistics.fmean(s.get(n, 0) for s in timed)) for n in steps] if timed else []


def disruption(results: Sequence[CaseResult], summary: Summary) -> str:
    """Return what the cases cost others than the target."""
    judged = [r for r in results if r.state is State.JUDGED]
    if not judged:
        return "<p>No case was judged.</p>"
    users = summary.users
    grouped = _grouped(judged, lambda r: r.case.fault or "healthy")
    panels: list[tuple[str, str, Callable[[CaseResult], float | None], str]] = [
        ("Failed requests, median", "c5", lambda r: r.users.failed_requests, ""),
        ("Until served again, median", "c1", lambda r: r.users.served_again_seconds, " s"),
        ("Pods replaced, mean", "c4", lambda r: r.pods_replaced, ""),
    ]
    shown = "".join(
        f"<h3>{title}</h3>"
        + bars(
            [(n, _middle(found, of, title)) for n, found in grouped],
            unit,
            colour=colour,
            none="never",
        )
        for title, colour, of, unit in panels
    )
    return (
        f"<p>{users.failed_requests:,} requests of users failed and {users.pods_replaced} pods "
        f"were replaced in {len(judged)} judged cases. In {users.cases_left_changed} of those in "
        f"which the fault is gone, {users.objects_left_changed} objects were left changed that "
        f"should not be.</p>{shown}"
    )


def _middle(
    results: Iterable[CaseResult], of: Callable[[CaseResult], float | None], title: str
) -> float | None:
    values = [value for r in results if (value := of(r)) is not None]
    if not values:
        return None
    middle = statistics.fmean(values) if title.endswith("mean") else statistics.median(values)
    return round(middle, 1)


def causes(summary: Summary) -> str:
    """Return how often each cause made a case fail."""
    if not summary.causes:
        return "<p>Every case was passed.</p>"
    chart = bars([(name, count) for name, count in summary.causes.items()], colour="c5")
    return chart + table(
        ["cause", "cases", "what it means"],
        ((escape(n), str(c), escape(meaning(n))) for n, c in summary.causes.items()),
        frozenset({1}),
    )


def not_judged(results: Iterable[CaseResult]) -> str:
    """Return the cases that were not judged, and why: apart, and all but the last kind counted."""
    found = [r for r in results if r.state is not State.JUDGED]
    if not found:
        return "<p>Every case was judged.</p>"
    note = (
        '<p class="note">Failed injections and harness errors count as not passed. What this '
        "cluster cannot have counts neither way.</p>"
    )
    rows = (
        (f"<code>{escape(r.case.id)}</code>", escape(r.case.key), verdict(r), escape(r.message))
        for r in sorted(found, key=lambda r: r.state)
    )
    return note + table(["case", "about", "state", "why"], rows)


def cases(results: Sequence[CaseResult]) -> str:
    """Return one line for each case."""
    if not results:
        return "<p>No case has ended.</p>"
    heads = ["case", "about", "report", "strict", "published", "method says", "cause"]
    numbers = ["method", "all", "failed requests", "pods", "tokens"]
    rows = []
    for r in results:
        tokens = r.said.tokens.prompt + r.said.tokens.completion
        link = f"<code>{escape(r.case.id)}</code>"
        if r.state is State.JUDGED and not r.passed:
            link = f'<a href="#{escape(r.case.id, quote=True)}">{link}</a>'
        rows.append(
            (
                link,
                escape(r.case.key),
                escape(r.case.quality),
                verdict(r),
                formatting.published(r),
                escape(r.said.outcome[:40]) or "-",
                escape(cause(r)),
                formatting.seconds(r.timing.method),
                formatting.seconds(r.timing.total),
                f"{r.users.failed_requests:,}",
                str(r.pods_replaced),
                f"{tokens:,}",
            )
        )
    return table([*heads, *numbers], rows, frozenset(range(len(heads), len(heads) + 5)))


def _system(result: CaseResult) -> str:
    return f"system {result.case.system}"


def _fault(result: CaseResult) -> str:
    return result.case.fault or "healthy"


def _grouped(
    results: Iterable[CaseResult], key: Callable[[CaseResult], str]
) -> list[tuple[str, list[CaseResult]]]:
    found: dict[str, list[CaseResult]] = {}
    for result in results:
        found.setdefault(key(result), []).append(result)
    return sorted(found.items())

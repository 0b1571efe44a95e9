"""Writes one self-contained HTML file about a run, without scripts and without requests.

Jinja2 escapes whatever comes from a model, a log or an object, and the page's content security
policy forbids scripts and requests as well.
"""

import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import yaml

from reme_benchmark.reports import charts, formatting
from reme_benchmark.reports.charts import Part
from reme_benchmark.reports.summary_model import Share, Summary
from reme_benchmark.reports.templates import render
from reme_benchmark.scoring.records import CaseResult, Change, Run, State

LONGEST_TEXT = 20_000
"""Characters of a playbook or a diff that are shown; a model may write without end."""
_MOST_CHANGES = 40
_HARNESS_COLOURS = {"reset": 0, "inject": 5, "confirm": 2, "report": 4, "method": 1, "judge": 3}
_METHOD_COLOURS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)
_IMPACTS: tuple[tuple[str, Callable[[CaseResult], float | None], str, int], ...] = (
    ("Failed requests, median", lambda r: r.users.failed_requests, "", 5),
    ("Until served again, median", lambda r: r.users.served_again_seconds, " s", 1),
    ("Pods replaced, mean", lambda r: r.pods_replaced, "", 4),
)


class Failure(NamedTuple):
    """A case that was judged and not passed, as the report shows it."""

    result: CaseResult
    cause: str
    meaning: str
    reason: str
    facts: list[tuple[str, str]]
    changes: list[Change]
    more_changes: int
    playbooks: list[str]
    diff: list[str]


def page(run: Run, results: Sequence[CaseResult], summary: Summary) -> str:
    """Return the report as HTML."""
    judged = [r for r in results if r.state is State.JUDGED]
    steps = [name for name in summary.time.method if name != "all"]
    return render(
        "report.html.j2",
        run=run,
        results=results,
        summary=summary,
        judged=judged,
        rates=charts.rates,
        stacked=charts.stacked,
        bars=charts.bars,
        verdict=formatting.verdict,
        published=formatting.published,
        cause=formatting.cause,
        rate_groups=_rate_groups(summary),
        systems=list(summary.by_system),
        by_fault_and_system=_by_fault_and_system(results, summary),
        harness_times=_harness_times(judged, summary),
        harness_colours=_HARNESS_COLOURS,
        method_times=_method_times(judged, steps),
        method_colours=dict(zip(steps, _METHOD_COLOURS * len(steps), strict=False)),
        impacts=list(_impacts(judged)),
        causes=[(c, n, formatting.cause_meaning(c)) for c, n in summary.causes.items()],
        failures=[_failure(r) for r in judged if not r.passed],
        not_judged=sorted(
            (r for r in results if r.state is not State.JUDGED), key=lambda r: r.state
        ),
        environment=[(name, formatting.value(entry)) for name, entry in _environment(summary)],
    )


def _rate_groups(summary: Summary) -> list[tuple[str, list[tuple[str, Share]]]]:
    """Return the charts of fix rates, each with its lowest rate first."""
    groups = (
        ("By fault", summary.by_fault),
        ("By system", summary.by_system),
        ("By group", summary.by_group),
        ("By quality of the report", summary.by_quality),
        ("Controls: nothing should be done", summary.by_control),
    )
    return [
        (title, sorted(shares.items(), key=lambda item: (item[1].rate or 0, item[0])))
        for title, shares in groups
        # A single group shows the same as the chart of all cases.
        if len(shares) > 1 or (shares and title != "By group")
    ]


def _by_fault_and_system(results: Iterable[CaseResult], summary: Summary) -> list[tuple[str, ...]]:
    """Return passed and counted cases of each fault on each system, without the controls."""
    counted: dict[tuple[str, str], list[bool]] = {}
    for r in results:
        if r.state is not State.NOT_APPLICABLE and r.case.control is None:
            counted.setdefault((_fault(r), r.case.system), []).append(r.passed)

    def cell(fault: str, system: str) -> str:
        passed = counted.get((fault, system), [])
        return f"{sum(passed)}/{len(passed)}" if passed else "-"

    return [(fault, *(cell(fault, s) for s in summary.by_system)) for fault in summary.by_fault]


def _harness_times(judged: Sequence[CaseResult], summary: Summary) -> list[tuple[str, list[Part]]]:
    """Return mean seconds of each step: of all cases, by system, and by fault."""
    order = [name for name in formatting.HARNESS_STEPS if name in summary.time.harness]

    def mean(results: Sequence[CaseResult]) -> list[Part]:
        return [Part(n, statistics.fmean(getattr(r.timing, n) for r in results)) for n in order]

    if not judged:
        return []
    return [
        ("mean of all cases", mean(judged)),
        *((f"system {name}", mean(of)) for name, of in _grouped(judged, lambda r: r.case.system)),
        *((name, mean(of)) for name, of in _grouped(judged, _fault)),
    ]


def _method_times(
    judged: Iterable[CaseResult], steps: Sequence[str]
) -> list[tuple[str, list[Part]]]:
    """Return mean seconds of each step of the method, of passed and of failed cases."""
    rows = []
    for name, passed in (("passed", True), ("not passed", False)):
        timed = [
            r.method_report.steps
            for r in judged
            if r.passed is passed and any(step in r.method_report.steps for step in steps)
        ]
        if timed:
            means = [Part(n, statistics.fmean(t.get(n, 0) for t in timed)) for n in steps]
            rows.append((name, means))
    return rows


def _impacts(
    judged: Sequence[CaseResult],
) -> Iterator[tuple[str, list[tuple[str, float | None]], str, int]]:
    for title, amount, unit, colour in _IMPACTS:
        average = statistics.fmean if title.endswith("mean") else statistics.median
        rows: list[tuple[str, float | None]] = []
        for fault, results in _grouped(judged, _fault):
            amounts = [n for r in results if (n := amount(r)) is not None]
            rows.append((fault, round(average(amounts), 1) if amounts else None))
        yield title, rows, unit, colour


def _failure(result: CaseResult) -> Failure:
    name = formatting.cause(result)
    return Failure(
        result=result,
        cause=name,
        meaning=formatting.cause_meaning(name),
        reason=formatting.reason(result),
        facts=list(_facts(result)),
        changes=result.changes[:_MOST_CHANGES],
        more_changes=max(0, len(result.changes) - _MOST_CHANGES),
        playbooks=[_shortened(_as_yaml(playbook)) for playbook in result.method_report.playbooks],
        diff=_shortened(result.method_report.diff).splitlines(),
    )


def _facts(result: CaseResult) -> Iterator[tuple[str, str]]:
    case, method_report, users = result.case, result.method_report, result.users
    reported = "" if case.reported_service == case.service else f", names {case.reported_service}"
    again = users.served_again_seconds
    served = "never served again" if again is None else f"served again after {again:.1f} s"
    yield "report", f"{case.quality}{reported}"
    yield "parameters", ", ".join(f"{k} {v}" for k, v in case.parameters.items()) or "none"
    yield (
        "outcome of the method",
        f"{method_report.outcome} {method_report.message}".strip() or "none",
    )
    yield "published check", formatting.published(result)
    yield "users", f"{users.failed_requests} failed requests, {served}"
    yield "pods", f"{result.pods_replaced} replaced, {result.restarts} restarts"
    times = (formatting.seconds(result.timing.method), formatting.seconds(result.timing.total))
    yield "time", f"method {times[0]}, all {times[1]}"
    if method_report.error:
        yield "error", method_report.error


def _environment(summary: Summary) -> Iterator[tuple[str, Any]]:
    yield "commit", formatting.commit(summary)
    yield "model", summary.model
    yield "method options", summary.method_options
    yield "seed", summary.seed
    yield "started", summary.start_time.isoformat(timespec="seconds")
    ended = summary.completion_time
    yield "ended", ended and ended.isoformat(timespec="seconds")
    for prefix, entries in (
        ("image ", summary.images),
        ("cluster: ", summary.cluster),
        ("hardware: ", summary.hardware),
    ):
        yield from ((f"{prefix}{name}", entry) for name, entry in entries.items())


def _as_yaml(playbook: str) -> str:
    """Return a playbook as YAML; models write JSON."""
    if not playbook.lstrip().startswith(("[", "{")) or len(playbook) > LONGEST_TEXT:
        return playbook
    try:
        return yaml.safe_dump(json.loads(playbook), sort_keys=False, allow_unicode=True, width=100)
    except (ValueError, RecursionError, yaml.YAMLError):
        return playbook


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:LONGEST_TEXT]}\n… {len(text) - LONGEST_TEXT} characters more"


def _fault(result: CaseResult) -> str:
    return result.case.fault or "healthy"


def _grouped(
    results: Iterable[CaseResult], key: Callable[[CaseResult], str]
) -> list[tuple[str, list[CaseResult]]]:
    groups: dict[str, list[CaseResult]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return sorted(groups.items())

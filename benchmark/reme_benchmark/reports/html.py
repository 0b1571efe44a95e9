"""Writes one self-contained HTML file about a run: no scripts, no fonts, nothing from a network.

Whatever comes from a model, a log or an object is escaped, and the page's own policy forbids
scripts and requests besides.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from reme_benchmark.reports import formatting
from reme_benchmark.reports.failure_sections import failures, table
from reme_benchmark.reports.sections import (
    cases,
    causes,
    disruption,
    not_judged,
    shares,
    time_split,
)
from reme_benchmark.reports.style import STYLE
from reme_benchmark.reports.summary_model import Share, Summary
from reme_benchmark.scoring.records import CaseResult, Run

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(run: Run, results: Sequence[CaseResult], summary: Summary) -> str:
    """Return the whole report."""
    title = f"{summary.suite} · {summary.method}"
    parts = [
        _head(run, summary),
        _tiles(summary),
        "<h2>Repaired</h2>" + shares(results, summary),
        "<h2>Where the time went</h2>" + time_split(results, summary),
        "<h2>What users and neighbours felt</h2>" + disruption(results, summary),
        "<h2>Where it failed, and why</h2>" + causes(summary),
        "<h3>Each failure</h3>" + failures(results),
        "<h2>Not judged</h2>" + not_judged(results),
        "<h2>All cases</h2>" + cases(results),
        "<h2>What it was run on</h2>" + _provenance(summary),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} - reme benchmark</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + f"\n<footer>{escape(_footer(summary))}</footer></body></html>\n"
    )


def _head(run: Run, summary: Summary) -> str:
    begun = f"{run.start_time:%Y-%m-%d %H:%M} UTC"
    options = formatting.options(summary.method_options)
    line = f"method {summary.method}" + (f" ({options})" if options else "")
    facts = [line, f"seed {summary.seed}", f"{summary.ended} cases", begun]
    if summary.model:
        facts.insert(1, f"model {summary.model}")
    warning = ""
    if not summary.complete:
        warning = (
            f'<div class="alert">This run is not complete: {summary.ended} of {summary.planned} '
            "planned cases have ended. Its figures are of those alone.</div>"
        )
    return (
        f"<header><h1>reme benchmark: {escape(summary.suite)}</h1>"
        f'<p class="soft">{escape(" · ".join(facts))}</p></header>{warning}'
    )


def _tiles(summary: Summary) -> str:
    false, abstention = summary.false_actions, summary.abstention
    tiles: list[tuple[str, str, str, str | Share]] = [
        (
            "main",
            formatting.percent(summary.strict.rate),
            "fix rate, strict oracle",
            summary.strict,
        ),
        (
            "",
            formatting.percent(summary.published.rate),
            "by MicroRemed's checks",
            summary.published,
        ),
        (
            "",
            f"{false.acted} of {false.controls}",
            "false actions",
            "controls in which something was done",
        ),
        (
            "",
            formatting.percent(abstention.precision),
            "abstentions that were right",
            (
                f"{abstention.right} of {abstention.abstained}; "
                f"recall {formatting.percent(abstention.recall)}"
            ),
        ),
        (
            "",
            formatting.seconds(summary.users.served_again_seconds),
            "until users were served again",
            f"median; in {summary.users.never_served_again} cases never",
        ),
        (
            "",
            formatting.seconds(summary.time.overhead_seconds),
            "overhead of a case",
            "median, beside method and oracle",
        ),
    ]
    shown = "".join(
        f'<div class="tile {kind}"><span>{escape(name)}</span><b>{escape(value)}</b><span>'
        f"{escape(more if isinstance(more, str) else formatting.counts(more))}</span></div>"
        for kind, value, name, more in tiles
    )
    return f'<section class="tiles">{shown}</section>'


def _provenance(summary: Summary) -> str:
    rows: list[tuple[str, Any]] = [
        ("commit", summary.commit + (" (with changes that are not in it)" * summary.dirty)),
        ("model", summary.model),
        ("method options", summary.method_options),
        ("seed", summary.seed),
        ("begun", summary.start_time.isoformat(timespec="seconds")),
        (
            "ended",
            summary.completion_time and summary.completion_time.isoformat(timespec="seconds"),
        ),
        *((f"image {name}", digest) for name, digest in summary.images.items()),
        *((f"cluster: {name}", value) for name, value in summary.cluster.items()),
        *((f"hardware: {name}", value) for name, value in summary.hardware.items()),
    ]
    shown = ((escape(name), escape(_text(value))) for name, value in rows)
    return table(["what", "which"], shown)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not known" if value is None or value == "" else str(value)


def _footer(summary: Summary) -> str:
    return (
        f"Result format {summary.version}. Intervals are Wilson's, at 95%. The denominator is "
        "every case that this cluster can have: failed injections and harness errors are in it."
    )

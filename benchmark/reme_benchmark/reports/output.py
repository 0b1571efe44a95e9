"""Writes the generated files of a run from its stored results."""

from pathlib import Path

from reme_benchmark.reports.html import page
from reme_benchmark.reports.markdown import markdown
from reme_benchmark.reports.store import Store
from reme_benchmark.reports.summary import summarize
from reme_benchmark.reports.summary_model import Summary
from reme_benchmark.scenarios.faults import catalog


def load_summary(store: Store) -> Summary:
    """Return the figures of a run."""
    return summarize(store.load_run(), store.results(), catalog.faults())


def summary_text(store: Store) -> str:
    """Return the summary of a run as Markdown."""
    run, results = store.load_run(), store.results()
    return markdown(run, results, summarize(run, results, catalog.faults()))


def write_report_files(store: Store) -> list[Path]:
    """Write summary.json, summary.md and report.html; return their paths."""
    run, results = store.load_run(), store.results()
    summary = summarize(run, results, catalog.faults())
    return [
        store.write("summary.json", summary.model_dump_json(indent=1) + "\n"),
        store.write("summary.md", markdown(run, results, summary)),
        store.write("report.html", page(run, results, summary)),
    ]

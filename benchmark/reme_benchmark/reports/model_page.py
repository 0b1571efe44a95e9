"""Writes the measured part of docs/lab/model.md from benchmark/results/model.

`asked-*.json` hold the answers of one training stage after another to the incidents of the
benchmark, as `reme_lab.training.evaluate` scores them; `speed-*.json` hold the measurements of
`reme_lab.serving_speed`.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reme_benchmark.reports import pages
from reme_benchmark.reports.statistics import mcnemar
from reme_benchmark.reports.templates import render, table
from reme_lab import docs_section

FOLDER = pages.RESULTS / "model"
PAGE = Path("docs/lab/model.md")
BEGIN, END = "<!-- asked: generated, do not edit -->", "<!-- asked: end -->"
STAGES = {
    "zero-shot": "base, zero-shot",
    "few-shot": "base, with examples",
    "before": "SFT, as released before",
    "rft": "SFT before, then Sim-RFT",
    "sft": "SFT, as released",
}
"""Names of the training stages, in their order."""
COMPARED = (
    ("zero-shot", "few-shot"),
    ("few-shot", "before"),
    ("before", "rft"),
    ("before", "sft"),
    ("rft", "sft"),
)
"""(baseline, stage): each stage and the one it was trained from, and the two last ones."""
MODES = {"constrained": "grammar", "free": "free"}

Result = Mapping[str, Any]


class PairedTest(NamedTuple):
    """McNemar's exact test between two stages."""

    stage: str
    baseline: str
    incidents: int
    better: int
    worse: int
    p: float


def section(folder: Path) -> str:
    """Return the generated part of the page."""
    results = {
        stage: json.loads((folder / f"asked-{stage}.json").read_bytes())
        for stage in STAGES
        if (folder / f"asked-{stage}.json").exists()
    }
    speeds = [json.loads(path.read_bytes()) for path in sorted(folder.glob("speed-*.json"))]
    return render(
        "model.md.j2",
        answers=list(_answers(results)),
        by_group=_by_group(results),
        never_right=", ".join(_never_right(results)),
        pairs=list(_pairs(results)),
        speeds=[row for speed in speeds for row in _speed(speed)],
    )


def _share(counted: Result) -> str:
    """Return a share with its interval."""
    if not counted["cases"]:
        return ""
    low, high = 100 * counted["low"], 100 * counted["high"]
    return f"{counted['passed']} of {counted['cases']} ({low:.0f} to {high:.0f}%)"


def _answers(results: Mapping[str, Result]) -> Iterator[tuple[str, ...]]:
    for stage, result in results.items():
        for mode, figures in result["modes"].items():
            repairs = [c for kind, c in figures["by_kind"].items() if kind != "control"]
            passed, cases = (sum(c[key] for c in repairs) for key in ("passed", "cases"))
            yield (
                STAGES[stage],
                MODES[mode],
                _share(figures["acceptable"]),
                f"{passed} of {cases}",
                _share(figures["false_action"]),
                _share(figures["invalid"]),
                _share(figures["abstention_precision"]),
            )


def _constrained(results: Mapping[str, Result]) -> dict[str, Result]:
    """Return the figures of the stages that were measured under the grammar."""
    return {
        stage: result["modes"]["constrained"]
        for stage, result in results.items()
        if "constrained" in result["modes"]
    }


def _by_group(results: Mapping[str, Result]) -> str:
    stages = _constrained(results)
    rows = []
    for group in ("by_kind", "by_quality"):
        for name in sorted({name for figures in stages.values() for name in figures[group]}):
            counts = [figures[group].get(name) for figures in stages.values()]
            cells = [f"{c['passed']} of {c['cases']}" if c else "" for c in counts]
            rows.append((f"{group.removeprefix('by_')} {name}", *cells))
    return table(("right, under the grammar", *(STAGES[stage] for stage in stages)), rows)


def _never_right(results: Mapping[str, Result]) -> Iterator[str]:
    stages = _constrained(results)
    last = stages[list(stages)[-1]]["by_fault"] if stages else {}
    for fault, counted in last.items():
        if not counted["passed"]:
            yield f"{fault} ({counted['passed']} of {counted['cases']})"


def _pairs(results: Mapping[str, Result]) -> Iterator[PairedTest]:
    for baseline, stage in COMPARED:
        if not {baseline, stage} <= results.keys():
            continue
        common = set(results[baseline]["ids"]) & set(results[stage]["ids"])
        before, after = _wrong(results[baseline]), _wrong(results[stage])
        better, worse = len((before - after) & common), len((after - before) & common)
        p = mcnemar(better, worse)
        yield PairedTest(STAGES[stage], STAGES[baseline], len(common), better, worse, p)


def _wrong(result: Result) -> set[str]:
    return {failure["id"] for failure in result["failures"].get("constrained", [])}


def _speed(server: Result) -> Iterator[Sequence[str]]:
    for mode in MODES.values():
        alone, together = server["alone"][mode], server["together"][mode]
        yield (
            server["name"],
            mode,
            f"{alone['median_seconds']:.2f}",
            f"{alone['p90_seconds']:.2f}",
            f"{alone['median_tokens']:.0f}",
            f"{alone['tokens_per_second']:.1f}",
            f"{server['bound']['tokens_per_second']:.0f}",
            f"{together['seconds']:.1f}",
            f"{together['tokens_per_second']:.1f}",
        )


def replace_section(page: str, text: str) -> str:
    """Return the page with a new generated part."""
    return docs_section.replace_section(page, BEGIN, END, text)


def main() -> int:
    """Write the page, or compare it."""
    chosen = pages.options("reme_benchmark.reports.model_page", __doc__).parse_args()
    text = replace_section(PAGE.read_text(), section(FOLDER))
    return pages.write(PAGE, text, check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())

"""Writes the measured part of docs/model.md from benchmark/results/model.

`asked-*.json` are what `reme_lab.training.evaluate` found when the incidents of the benchmark, as
`reme bench incidents` kept them, were put to one model after another; `speed-*.json` are what
`reme_lab.serving_speed` measured.

`python -m reme_benchmark.reports.model_page --check` fails when the page is not as kept.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reme_benchmark.reports import pages
from reme_benchmark.reports.markdown import table
from reme_benchmark.reports.statistics import mcnemar
from reme_lab import docs_section

KEPT = Path("benchmark/results/model")
PAGE = Path("docs/model.md")
BEGIN, END = "<!-- asked: generated, do not edit -->", "<!-- asked: end -->"
STAGES = {
    "zero-shot": "base, zero-shot",
    "few-shot": "base, with examples",
    "before": "SFT, as released before",
    "rft": "SFT before, then Sim-RFT",
    "sft": "SFT, as released",
}
"""Who was asked, in the order in which the model came about."""
PAIRS = (
    ("zero-shot", "few-shot"),
    ("few-shot", "before"),
    ("before", "rft"),
    ("before", "sft"),
    ("rft", "sft"),
)
"""Who is compared with whom: with what it came from, and the two that came from one."""
MODES = {"constrained": "grammar", "free": "free"}

Result = Mapping[str, Any]


def share(found: Result) -> str:
    """Return a share with its interval."""
    if not found["cases"]:
        return ""
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{found['passed']} of {found['cases']} ({low:.0f} to {high:.0f}%)"


def asked_section(results: Mapping[str, Result]) -> list[str]:
    """Return the tables of what the models answered to the benchmark's incidents."""
    told = [(key, mode) for key in STAGES if key in results for mode in results[key]["modes"]]
    if not told:
        return []
    heads = (
        "model",
        "decoding",
        "right",
        "of repairs",
        "false actions",
        "invalid",
        "abstained rightly",
    )
    rows = []
    for key, mode in told:
        found = results[key]["modes"][mode]
        kinds = [one for name, one in found["by_kind"].items() if name != "control"]
        rows.append(
            (
                STAGES[key],
                MODES[mode],
                share(found["acceptable"]),
                f"{sum(k['passed'] for k in kinds)} of {sum(k['cases'] for k in kinds)}",
                share(found["false_action"]),
                share(found["invalid"]),
                share(found["abstention_precision"]),
            )
        )
    return [table(heads, rows), "", *_by_group(results, told), "", *_paired(results)]


def _by_group(results: Mapping[str, Result], told: Sequence[tuple[str, str]]) -> list[str]:
    some = [(key, mode) for key, mode in told if mode == "constrained"]
    rows = []
    for group in ("by_kind", "by_quality"):
        names = sorted({n for key, mode in some for n in results[key]["modes"][mode][group]})
        for name in names:
            cells = [results[key]["modes"][mode][group].get(name) for key, mode in some]
            shown = [f"{c['passed']} of {c['cases']}" if c else "" for c in cells]
            rows.append((f"{group.removeprefix('by_')} {name}", *shown))
    heads = ("right, under the grammar", *(STAGES[key] for key, _ in some))
    last = results[some[-1][0]]["modes"]["constrained"]["by_fault"] if some else {}
    never = [
        f"{name} ({c['passed']} of {c['cases']})" for name, c in last.items() if not c["passed"]
    ]
    return [
        table(heads, rows),
        "",
        f"Never right by the last of them: {', '.join(never) or 'none'}.",
    ]


def _paired(results: Mapping[str, Result]) -> list[str]:
    """Return McNemar's exact test between stages."""
    lines = []
    for one, other in PAIRS:
        if not {one, other} <= results.keys():
            continue
        a, b = results[one], results[other]
        both = set(a["ids"]) & set(b["ids"])
        before, after = _wrong(a), _wrong(b)
        gained, worse = len((before - after) & both), len((after - before) & both)
        p = mcnemar(gained, worse)
        lines.append(
            f"- {STAGES[other]} against {STAGES[one]}, paired over {len(both)} incidents: "
            f"{gained} better, {worse} worse, p = {p:.2g}."
        )
    return lines


def _wrong(result: Result) -> set[str]:
    return {one["id"] for one in result["failures"].get("constrained", [])}


def speed_section(found: Sequence[Result]) -> list[str]:
    """Return the table of how fast replies came."""
    if not found:
        return []
    heads = (
        "server",
        "decoding",
        "median s",
        "90% s",
        "tokens",
        "tokens/s",
        "bound tokens/s",
        "16 at once: s",
        "tokens/s",
    )
    rows = []
    for one in found:
        for way, name in (("grammar", "grammar"), ("free", "free")):
            alone, company = one["alone"][way], one["together"][way]
            rows.append(
                (
                    one["name"],
                    name,
                    f"{alone['median_seconds']:.2f}",
                    f"{alone['p90_seconds']:.2f}",
                    f"{alone['median_tokens']:.0f}",
                    f"{alone['tokens_per_second']:.1f}",
                    f"{one['bound']['tokens_per_second']:.0f}",
                    f"{company['seconds']:.1f}",
                    f"{company['tokens_per_second']:.1f}",
                )
            )
    return [table(heads, rows)]


def section(kept: Path) -> str:
    """Return all that the result files say."""
    results = {
        key: json.loads((kept / f"asked-{key}.json").read_bytes())
        for key in STAGES
        if (kept / f"asked-{key}.json").exists()
    }
    speeds = [json.loads(path.read_bytes()) for path in sorted(kept.glob("speed-*.json"))]
    lines = []
    if results:
        lines += ["### The benchmark's incidents", "", *asked_section(results), ""]
    if speeds:
        lines += ["### Speed", "", *speed_section(speeds), ""]
    return "\n".join(lines)


def replaced(page: str, text: str) -> str:
    """Return the page with new text between its marks."""
    return docs_section.replace_section(page, BEGIN, END, text)


def main() -> int:
    """Write the page, or compare it with what is kept."""
    chosen = pages.options("reme_benchmark.reports.model_page", __doc__).parse_args()
    return pages.write(PAGE, replaced(PAGE.read_text(), section(KEPT)), check=chosen.check)


if __name__ == "__main__":
    sys.exit(main())

"""Writes what training came to: result files, curves, the model card, and its part of the docs.

    python -m reme_lab.training.report --training DIR --traces DIR

Reads the folders of the runs and what `evaluate` wrote there. No figure is typed by hand.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reme_lab import docs_section
from reme_lab.training import curves, metrics_log, reply_metrics
from reme_model.serving import adapter

RESULTS = Path("benchmark/results/training")
PAGE = Path("docs/lab/model.md")
ADAPTER = Path("model_server/adapter")
STAGES = {
    "base": "the base",
    "before": "SFT, as released before",
    "sft": "SFT",
    "rft": "SFT and Sim-RFT",
}
EARLIER = "sft-[0-9]*"
"""Folders of SFT runs that the last one went on from (`--start`), in their order."""
LAST = "sft-end-test.json"
"""What the last SFT run wrote at its end, where another adapter was exported (`--share`)."""
BEGIN, END = "<!-- training: generated, do not edit -->", "<!-- training: end -->"


def collect(
    training: Path,
    traces: Path,
    results: Path,
    share: float = 1.0,
    since: str = "",
    stage: str = "",
) -> None:
    """Copy logs, evaluations and the manifest of the traces to where results are kept."""
    results.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(traces / "MANIFEST.json", results / "traces.json")
    last = stage or ("rft" if (training / "rft" / metrics_log.FILE).exists() else "sft")
    exported = {"stage": last, "share": share} | ({"since": since} if since else {})
    (results / "export.json").write_text(json.dumps(exported) + "\n")
    earlier = [folder for folder in training.glob(EARLIER) if folder.is_dir()]
    for folder in earlier:
        shutil.copyfile(folder / metrics_log.FILE, results / f"{folder.name}.jsonl")
    for name in (LAST, *(f"{folder.name}-test.json" for folder in earlier)):
        if (training / name).exists():
            shutil.copyfile(training / name, results / name)
    for one, name in STAGES.items():
        log, found = training / one / metrics_log.FILE, training / f"{one}-test.json"
        if log.exists():
            shutil.copyfile(log, results / f"{one}.jsonl")
            picture = curves.svg(name, curves.panels(metrics_log.read(training / one)))
            (results / f"{one}.svg").write_text(picture)
        if found.exists():
            shutil.copyfile(found, results / f"{one}-test.json")


def _place(earlier: Path) -> int:
    """Return which of the runs in a chain it was: the tenth comes after the ninth."""
    return int(earlier.stem.removeprefix("sft-"))


def section(results: Path) -> str:
    """Return what the result files say, as Markdown."""
    traces = json.loads((results / "traces.json").read_bytes())["splits"]
    lines = ["| traces | train | dev | test |", "|---|---|---|---|"]
    counts = [str(traces[split]["traces"]) for split in ("train", "dev", "test")]
    lines.append("| in all | " + " | ".join(counts) + " |")
    kinds = sorted({kind for split in traces.values() for kind in split["kinds"]})
    for kind in kinds:
        some = [str(traces[split]["kinds"].get(kind, 0)) for split in ("train", "dev", "test")]
        lines.append(f"| {kind} | " + " | ".join(some) + " |")
    lines += ["", *_runs(results), ""]
    lines += _part_of_the_way(results)
    for stage, name in STAGES.items():
        path = results / f"{stage}-test.json"
        if path.exists():
            found = json.loads(path.read_bytes())
            same = found["data_digest"] == traces["test"]["digest"]
            which = "of the test split" if same else "of another draw like the test split"
            head = f"**{name}** on {found['traces']} incidents {which}, none of them trained on:"
            lines += [head, "", _short(reply_metrics.table(found)), "", *_never(found)]
    return "\n".join(lines).rstrip() + "\n"


def _part_of_the_way(results: Path) -> list[str]:
    """Say where the adapter lies when the last run was not exported as it ended."""
    found = _exported(results)
    share = float(found.get("share", 1))
    if share == 1:
        return []
    if since := found.get("since"):
        text = f"The adapter lies {share:.0%} of the way from {_name(since)} to the last run"
    else:
        text = f"Of the way that the last run went, {share:.0%} was gone"
    return [f"{text} (`export --share`).", ""]


def _exported(results: Path) -> Mapping[str, Any]:
    """Return what the adapter was exported from."""
    kept = results / "export.json"
    found: Mapping[str, Any] = json.loads(kept.read_bytes()) if kept.exists() else {}
    return found


def _where(results: Path) -> str:
    if _part_of_the_way(results):
        return "lies between two of"
    return f"is the end of {_name(_exported(results).get('stage', 'sft'))} among"


def _name(stage: str) -> str:
    return STAGES.get(stage, f"SFT, begun ({stage.removeprefix('sft-')})")


def _runs(results: Path) -> list[str]:
    heads = (
        "begun from | steps | incidents read | minutes | tokens/s (median) | seed | traces "
        "| acceptable"
    )
    lines = [f"| stage | {heads} |", "|---|---|---|---|---|---|---|---|---|"]
    earlier = sorted(results.glob(f"{EARLIER}.jsonl"), key=_place)
    stages: dict[str, str] = {}  # by the traces that each had
    for stage in (*(path.stem for path in earlier), "sft", "rft"):
        path = results / f"{stage}.jsonl"
        if not path.exists():
            continue
        log = [json.loads(line) for line in path.read_text().splitlines()]
        run = next(line for line in log if line["event"] == "run")
        plan, data = run["plan"], _short_digest(run["data"]["train.jsonl"])
        begun = _begun(run.get("start"), stages)
        stages[data] = stage
        steps = [line for line in log if line["event"] == "step"]
        speed = sorted(line["tokens_per_second"] for line in steps)[len(steps) // 2]
        read = len(steps) * plan["examples_per_step"]
        minutes = steps[-1]["seconds"] / 60
        lines.append(
            f"| {_name(stage)} | {begun} | {len(steps)} | {read} | {minutes:.0f} | {speed:.0f} "
            f"| {plan['seed']} | `{data}` | {_acceptable(results, stage)} |"
        )
    return lines


def _begun(start: Mapping[str, Any] | None, stages: Mapping[str, str]) -> str:
    """Return what a run went on from: the base, an adapter, or another run, known by its traces."""
    if not start:
        return "the base"
    if "adapter" in start:
        return f"adapter `{_short_digest(start['adapter'])}`"
    data = _short_digest(start["data"]["train.jsonl"])
    return _name(stages[data]) if data in stages else f"traces `{data}`"


def _short_digest(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _acceptable(results: Path, stage: str) -> str:
    """Return how many replies to the test split were acceptable after a run, if measured."""
    last = results / LAST
    path = last if stage == "sft" and last.exists() else results / f"{stage}-test.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_bytes())["modes"].get("constrained", {}).get("acceptable", {})
    return f"{found['passed']} of {found['cases']}" if found else ""


def _never(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence on the faults for which not one reply was acceptable."""
    mode, figures = next(iter(found["modes"].items()))
    shares = figures["by_fault"].items()
    none = [f"{name} (0 of {one['cases']})" for name, one in shares if not one["passed"]]
    return [f"Never right ({mode}): {', '.join(none)}.", ""] if none else []


def _short(table: str) -> str:
    """Return a table without its rows for single faults, which the result file has."""
    return "\n".join(line for line in table.splitlines() if not line.startswith("| fault "))


def card(results: Path, directory: Path) -> str:
    """Return the model card of an adapter."""
    config: Mapping[str, Any] = json.loads((directory / adapter.CONFIG).read_bytes())
    size = (directory / adapter.MATRICES).stat().st_size / 1e6
    log = [json.loads(line) for line in (results / "sft.jsonl").read_text().splitlines()]
    run = next(line for line in log if line["event"] == "run")
    data = json.loads((results / "traces.json").read_bytes())
    plan = run["plan"]
    return f"""---
license: apache-2.0
base_model: {config["base_model_name_or_path"]}
library_name: peft
---
<!-- generated by `python -m reme_lab.training.report`, do not edit -->
# The adapter that makes {config["base_model_name_or_path"]} write repairs

A LoRA adapter of rank {config["r"]} (alpha {config["lora_alpha"]:g}) on every linear layer,
{size:.1f} MB, `{adapter.digest(directory)}`.
It is added to the weights when the model image is built. `make train` makes one like it, from
traces and the base alone; this one {_where(results)} the runs below, and the table says
from where each went on.

**Base.** {config["base_model_name_or_path"]}, Apache-2.0, `{run["base_digest"]}`. The adapter has
the same licence.

**Data.** Synthetic incidents with the repairs of written expert knowledge (`make traces`); names
and shapes of systems are disjoint from the benchmark's. Tested on the split of seed {data["seed"]};
each run has traces of its own, by the digests below. Of the last:
{", ".join(f"{name} `{one}`" for name, one in sorted(run["data"].items()))}.

**Recipe.** Supervised fine-tuning: cross entropy of the reply alone, AdamW at
{plan["learning_rate"]:g} with {plan["warmup_steps"]} steps of climb and a linear fall,
{plan["examples_per_step"]} incidents a step, gradients clipped at {plan["clip"]:g}; then
Sim-RFT, if it stands below: the expected reward of replies sampled under the grammar, judged by the
simulator.

## Figures

With Wilson intervals at 95%. These are simulated incidents; what the model does on a cluster is
measured by the benchmark.

{section(results)}
## Limits

- It knows the faults of its traces and the form of description that reme writes; elsewhere it is
  not to be trusted. It speaks English, and only in JSON.
- It chooses among numbers that it is offered; it does not compute them.
- Evidence can mislead it. It runs nothing itself: what it writes passes the gate, and a repair that
  does not help is undone.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write everything; run from the root of the project."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.report", description=__doc__)
    parser.add_argument("--training", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--traces", type=Path, required=True, help="folder of the traces")
    parser.add_argument("--share", type=float, default=1.0, help="what `export --share` was given")
    parser.add_argument("--since", default="", help="stage that `export --since` was given")
    parser.add_argument("--stage", default="", choices=("", "sft", "rft"), help="what was exported")
    given = parser.parse_args(arguments)
    try:
        collect(given.training, given.traces, RESULTS, given.share, given.since, given.stage)
        (ADAPTER / "README.md").write_text(card(RESULTS, ADAPTER))
        PAGE.write_text(replaced(PAGE.read_text(), section(RESULTS)))
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def replaced(page: str, text: str) -> str:
    """Return the page with new text between its marks."""
    return docs_section.replace_section(page, BEGIN, END, f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())

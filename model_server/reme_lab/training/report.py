"""Writes the results of training: result files, curves, model card, and a section of the docs.

    python -m reme_lab.training.report --training DIR --incidents DIR

Reads the folders of the runs and the results of `evaluate`.
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
"""Folders of earlier SFT runs, each of which the next one continued from (`--start`)."""
LAST = "sft-end-test.json"
"""Result of the last SFT run at its end, if another adapter was exported (`--share`)."""
BEGIN, END = "<!-- training: generated, do not edit -->", "<!-- training: end -->"


def collect(
    training: Path,
    incidents: Path,
    results: Path,
    share: float = 1.0,
    since: str = "",
    stage: str = "",
) -> None:
    """Copy logs, evaluations and the manifest of the incidents to the results folder."""
    results.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(incidents / "MANIFEST.json", results / "incidents.json")
    last = stage or ("rft" if (training / "rft" / metrics_log.FILE).exists() else "sft")
    exported = {"stage": last, "share": share} | ({"since": since} if since else {})
    (results / "export.json").write_text(json.dumps(exported) + "\n")
    earlier = [folder for folder in training.glob(EARLIER) if folder.is_dir()]
    for folder in earlier:
        shutil.copyfile(folder / metrics_log.FILE, results / f"{folder.name}.jsonl")
    for name in (LAST, *(f"{folder.name}-test.json" for folder in earlier)):
        if (training / name).exists():
            shutil.copyfile(training / name, results / name)
    for stage_name, name in STAGES.items():
        log, result = training / stage_name / metrics_log.FILE, training / f"{stage_name}-test.json"
        if log.exists():
            shutil.copyfile(log, results / f"{stage_name}.jsonl")
            picture = curves.svg(name, curves.panels(metrics_log.read(training / stage_name)))
            (results / f"{stage_name}.svg").write_text(picture)
        if result.exists():
            shutil.copyfile(result, results / f"{stage_name}-test.json")


def _position(earlier: Path) -> int:
    """Return the position of a run in the chain of SFT runs."""
    return int(earlier.stem.removeprefix("sft-"))


def section(results: Path) -> str:
    """Return the results as Markdown."""
    splits = json.loads((results / "incidents.json").read_bytes())["splits"]
    lines = ["| incidents | train | dev | test |", "|---|---|---|---|"]
    counts = [str(splits[split]["traces"]) for split in ("train", "dev", "test")]
    lines.append("| total | " + " | ".join(counts) + " |")
    kinds = sorted({kind for split in splits.values() for kind in split["kinds"]})
    for kind in kinds:
        counts_of_kind = [
            str(splits[split]["kinds"].get(kind, 0)) for split in ("train", "dev", "test")
        ]
        lines.append(f"| {kind} | " + " | ".join(counts_of_kind) + " |")
    lines += ["", *_runs(results), ""]
    lines += _interpolation(results)
    for stage, name in STAGES.items():
        path = results / f"{stage}-test.json"
        if path.exists():
            result = json.loads(path.read_bytes())
            same = result["data_digest"] == splits["test"]["digest"]
            description = "of the test split" if same else "of another draw like the test split"
            count = result["traces"]
            head = f"**{name}** on {count} incidents {description}, none of them trained on:"
            lines += [head, "", _short(reply_metrics.table(result)), "", *_never_acceptable(result)]
    return "\n".join(lines).rstrip() + "\n"


def _interpolation(results: Path) -> list[str]:
    """Return a sentence about interpolation, if the adapter is not the end of the last run."""
    exported = _exported(results)
    share = float(exported.get("share", 1))
    if share == 1:
        return []
    if since := exported.get("since"):
        text = f"The adapter lies {share:.0%} of the way from {_name(since)} to the last run"
    else:
        text = f"The adapter lies {share:.0%} of the way from the start of the last run to its end"
    return [f"{text} (`export --share`).", ""]


def _exported(results: Path) -> Mapping[str, Any]:
    """Return what the adapter was exported from."""
    path = results / "export.json"
    content: Mapping[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return content


def _where(results: Path) -> str:
    if _interpolation(results):
        return "lies between two of"
    return f"is the end of {_name(_exported(results).get('stage', 'sft'))} among"


def _name(stage: str) -> str:
    return STAGES.get(stage, f"SFT, earlier run {stage.removeprefix('sft-')}")


def _runs(results: Path) -> list[str]:
    heads = (
        "started from | steps | incidents read | minutes | tokens/s (median) | seed | incidents "
        "| acceptable"
    )
    lines = [f"| stage | {heads} |", "|---|---|---|---|---|---|---|---|---|"]
    earlier = sorted(results.glob(f"{EARLIER}.jsonl"), key=_position)
    stages: dict[str, str] = {}  # by the incidents that each was trained on
    for stage in (*(path.stem for path in earlier), "sft", "rft"):
        path = results / f"{stage}.jsonl"
        if not path.exists():
            continue
        log = [json.loads(line) for line in path.read_text().splitlines()]
        run = next(line for line in log if line["event"] == "run")
        plan, data = run["plan"], _short_digest(run["data"]["train.jsonl"])
        origin = _origin(run.get("start"), stages)
        stages[data] = stage
        steps = [line for line in log if line["event"] == "step"]
        speed = sorted(line["tokens_per_second"] for line in steps)[len(steps) // 2]
        read = len(steps) * plan["examples_per_step"]
        minutes = steps[-1]["seconds"] / 60
        lines.append(
            f"| {_name(stage)} | {origin} | {len(steps)} | {read} | {minutes:.0f} | {speed:.0f} "
            f"| {plan['seed']} | `{data}` | {_acceptable(results, stage)} |"
        )
    return lines


def _origin(start: Mapping[str, Any] | None, stages: Mapping[str, str]) -> str:
    """Return what a run started from: the base, an adapter, or a run (known by its data)."""
    if not start:
        return "the base"
    if "adapter" in start:
        return f"adapter `{_short_digest(start['adapter'])}`"
    data = _short_digest(start["data"]["train.jsonl"])
    return _name(stages[data]) if data in stages else f"incidents `{data}`"


def _short_digest(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _acceptable(results: Path, stage: str) -> str:
    """Return how many replies to the test split were acceptable after a run, if measured."""
    last = results / LAST
    path = last if stage == "sft" and last.exists() else results / f"{stage}-test.json"
    if not path.exists():
        return ""
    acceptable = json.loads(path.read_bytes())["modes"].get("constrained", {}).get("acceptable", {})
    return f"{acceptable['passed']} of {acceptable['cases']}" if acceptable else ""


def _never_acceptable(result: Mapping[str, Any]) -> list[str]:
    """Return a sentence on the faults without any acceptable reply."""
    mode, figures = next(iter(result["modes"].items()))
    shares = figures["by_fault"].items()
    none = [f"{name} (0 of {share['cases']})" for name, share in shares if not share["passed"]]
    return [f"Never right ({mode}): {', '.join(none)}.", ""] if none else []


def _short(table: str) -> str:
    """Return a table without its rows for single faults."""
    return "\n".join(line for line in table.splitlines() if not line.startswith("| fault "))


def card(results: Path, directory: Path) -> str:
    """Return the model card of an adapter."""
    config: Mapping[str, Any] = json.loads((directory / adapter.CONFIG).read_bytes())
    size = (directory / adapter.MATRICES).stat().st_size / 1e6
    log = [json.loads(line) for line in (results / "sft.jsonl").read_text().splitlines()]
    run = next(line for line in log if line["event"] == "run")
    data = json.loads((results / "incidents.json").read_bytes())
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
It is merged into the weights when the model image is built. `make train` trains a similar one from
the incidents and the base alone; this one {_where(results)} the runs below, and the table shows
what each started from.

**Base.** {config["base_model_name_or_path"]}, Apache-2.0, `{run["base_digest"]}`. The adapter has
the same licence.

**Data.** Synthetic incidents with the repairs of written expert knowledge (`make incidents`);
names and shapes of systems are disjoint from the benchmark's. Tested on the split of seed
{data["seed"]}; each run has its own incidents, identified by the digests below. Those of the last:
{", ".join(f"{name} `{digest}`" for name, digest in sorted(run["data"].items()))}.

**Recipe.** Supervised fine-tuning: cross entropy of the reply alone, AdamW at
{plan["learning_rate"]:g} with {plan["warmup_steps"]} steps of warmup and a linear decay,
{plan["examples_per_step"]} incidents a step, gradients clipped at {plan["clip"]:g}; then
Sim-RFT, if it is listed below: the expected reward of replies sampled under the grammar, graded by
the simulator.

## Figures

With Wilson intervals at 95%. These are simulated incidents; what the model does on a cluster is
measured by the benchmark.

{section(results)}
## Limits

- It knows the faults of its incidents and the format of reme's descriptions; do not rely on it
  elsewhere. It replies only in JSON, with English names.
- It chooses among the values that it is offered; it does not compute values.
- Evidence can mislead it. It runs nothing itself: what it writes is validated, and a repair that
  does not help is rolled back.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line at the root of the project; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.report", description=__doc__)
    parser.add_argument("--training", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--incidents", type=Path, required=True, help="folder of the incidents")
    parser.add_argument("--share", type=float, default=1.0, help="value of `export --share`")
    parser.add_argument("--since", default="", help="stage of `export --since`")
    parser.add_argument("--stage", default="", choices=("", "sft", "rft"), help="exported stage")
    options = parser.parse_args(arguments)
    try:
        collect(
            options.training,
            options.incidents,
            RESULTS,
            options.share,
            options.since,
            options.stage,
        )
        (ADAPTER / "README.md").write_text(card(RESULTS, ADAPTER))
        PAGE.write_text(replaced(PAGE.read_text(), section(RESULTS)))
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def replaced(page: str, text: str) -> str:
    """Return the page with the generated section replaced."""
    return docs_section.replace_section(page, BEGIN, END, f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())

"""Writes a run's adapter in the form that PEFT and the image's build read.

    python -m reme_lab.training.export --run DIR --out DIR [--since ADAPTER --share 0.5]

A short run on incidents of one kind moves a model too far: it forgets what it did well elsewhere.
With `--share` only so much of the way from the adapter that it began with is gone (weights between
the two, as in Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from reme_lab.training import checkpoint
from reme_lab.training.errors import TrainingError
from reme_model.serving.adapter import CONFIG, MATRICES, PREFIX, digest

MOST_BYTES = 15_000_000


def export(matrices: Mapping[str, Any], shape: Mapping[str, Any], base_name: str, out: Path) -> str:
    """Write the adapter and return its digest; `shape` is the recipe's part on the adapter."""
    out.mkdir(parents=True, exist_ok=True)
    dtype = getattr(torch, shape["stored"])
    stored = {f"{PREFIX}{name}": one.to(dtype).contiguous() for name, one in matrices.items()}
    layers = sorted({name.split(".lora_")[0].rpartition(".")[2] for name in matrices})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": shape["rank"],
        "lora_alpha": shape["alpha"],
        "lora_dropout": 0.0,
        "bias": "none",
        "use_dora": False,
        "use_rslora": False,
        "target_modules": layers,
        "layers_to_transform": _blocks(matrices),
        "layers_pattern": "layers",
        "inference_mode": True,
    }
    save_file(stored, out / MATRICES, metadata={"format": "pt"})
    (out / MATRICES).chmod(0o644)  # safetensors writes 0600, and who builds may be another user
    (out / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    return digest(out)


def interpolate(
    since: Mapping[str, Any], matrices: Mapping[str, Any], share: float
) -> dict[str, Any]:
    """Return the matrices at that share of the way from the first to the second."""
    return {name: torch.lerp(since[name], matrices[name], share) for name in matrices}


def _blocks(matrices: Mapping[str, Any]) -> list[int]:
    return sorted({int(part) for name in matrices for part in name.split(".") if part.isdigit()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Export as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--out", type=Path, required=True, help="directory of the adapter")
    parser.add_argument("--since", type=Path, help="adapter or run that it began with")
    parser.add_argument("--share", type=float, default=1.0, help="of the way from there")
    given = parser.parse_args(arguments)
    if given.share != 1 and not given.since:
        parser.error("--share needs --since: the adapter that the way began at")
    try:
        found = checkpoint.read(given.run)
        matrices = found.adapters
        if given.since:
            matrices = interpolate(
                checkpoint.read_adapter(given.since).matrices, matrices, given.share
            )
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    written = export(matrices, found.run["adapter"], found.run["base"], given.out)
    size = (given.out / MATRICES).stat().st_size
    print(f"{given.out}: {size / 1e6:.1f} MB, {written}")
    if size > MOST_BYTES:
        print(f"error: more than {MOST_BYTES / 1e6:.0f} MB: lower rank or type", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

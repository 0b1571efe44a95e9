"""Exports a run's adapter in the format of PEFT and of the image build.

    python -m reme_lab.training.export --run DIR --out DIR [--since ADAPTER --share 0.5]

A short run on incidents of one kind changes a model too much: it unlearns others. `--share`
interpolates between the adapter that the run started from and its end (as in Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models").
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

MAX_BYTES = 15_000_000


def export(matrices: Mapping[str, Any], shape: Mapping[str, Any], base_name: str, out: Path) -> str:
    """Write the adapter and return its digest; `shape` is the adapter section of the recipe."""
    out.mkdir(parents=True, exist_ok=True)
    dtype = getattr(torch, shape["stored"])
    stored = {f"{PREFIX}{name}": matrix.to(dtype).contiguous() for name, matrix in matrices.items()}
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
    (out / MATRICES).chmod(
        0o644
    )  # safetensors writes mode 0600, and another user may build the image
    (out / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    return digest(out)


def interpolate(
    since: Mapping[str, Any], matrices: Mapping[str, Any], share: float
) -> dict[str, Any]:
    """Return the matrices at this share of the way from the first ones to the second ones."""
    return {name: torch.lerp(since[name], matrices[name], share) for name in matrices}


def _blocks(matrices: Mapping[str, Any]) -> list[int]:
    return sorted({int(part) for name in matrices for part in name.split(".") if part.isdigit()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of a training run")
    parser.add_argument("--out", type=Path, required=True, help="directory of the adapter")
    parser.add_argument("--since", type=Path, help="adapter or run that the run started from")
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the way from --since to the run's end"
    )
    options = parser.parse_args(arguments)
    if options.share != 1 and not options.since:
        parser.error("--share needs --since: the adapter that the run started from")
    try:
        run = checkpoint.read(options.run)
        matrices = run.adapters
        if options.since:
            matrices = interpolate(
                checkpoint.read_adapter(options.since).matrices, matrices, options.share
            )
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    digest_text = export(matrices, run.run["adapter"], run.run["base"], options.out)
    size = (options.out / MATRICES).stat().st_size
    print(f"{options.out}: {size / 1e6:.1f} MB, {digest_text}")
    if size > MAX_BYTES:
        print(
            f"error: more than {MAX_BYTES / 1e6:.0f} MB: lower the rank or use a smaller type",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

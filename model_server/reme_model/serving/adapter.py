"""Adds a LoRA adapter to the weights: a merged model is served at full speed.

Served beside its base, an adapter costs more than half of the speed on a CPU.
"""

import json
import math
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from reme_model.serving.manifest import digest_of, digests

CONFIG, MATRICES = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What PEFT puts before the name of each layer."""
_PLAIN = {"peft_type": ("LORA",), "use_dora": (False, None), "bias": ("none", None)}


class UnsupportedAdapterError(Exception):
    """The adapter is of a kind that cannot be added to the weights; the message says why."""


def digest(directory: Path) -> str:
    """Return the digest of an adapter: of its two files, whatever else lies beside them."""
    files = digests(directory)
    return digest_of({name: files[name] for name in (CONFIG, MATRICES)})


def scale(config: Mapping[str, Any], rank: int) -> float:
    """Return the factor of the product of an adapter's two matrices."""
    root = math.sqrt(rank) if config.get("use_rslora") else rank
    return float(config["lora_alpha"]) / root


def merge(weights: MutableMapping[str, Any], directory: Path) -> int:
    """Add the adapter to the float32 weights in place and return how many matrices changed.

    Raises:
        UnsupportedAdapterError: it is not a plain LoRA adapter of this model.
    """
    from safetensors.torch import load_file

    config = json.loads((directory / CONFIG).read_bytes())
    for key, allowed in _PLAIN.items():
        if config.get(key) not in allowed:
            raise UnsupportedAdapterError(f"{key} is {config.get(key)!r}")
    if config.get("alpha_pattern") or config.get("rank_pattern"):
        raise UnsupportedAdapterError("ranks that differ from layer to layer")
    parts = load_file(directory / MATRICES)
    changed = 0
    for name in sorted(n for n in parts if n.endswith(".lora_A.weight")):
        down, up = parts.pop(name), parts.pop(name.replace(".lora_A.", ".lora_B."))
        weight = name.removeprefix(PREFIX).replace(".lora_A.weight", ".weight")
        if weight not in weights:
            raise UnsupportedAdapterError(f"{weight} is not in the model")
        weights[weight] += scale(config, down.shape[0]) * (up.float() @ down.float())
        changed += 1
    if parts or not changed:
        raise UnsupportedAdapterError(f"{len(parts)} tensors are not LoRA matrices")
    return changed

"""Merges a LoRA adapter into the weights of its base model.

On a CPU, serving an unmerged adapter more than halves the speed.
"""

import json
import math
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from reme_model.serving.manifest import digest_of, digests

CONFIG, MATRICES = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""Prefix that PEFT puts before each layer's name."""
_PLAIN = {"peft_type": ("LORA",), "use_dora": (False, None), "bias": ("none", None)}


class UnsupportedAdapterError(Exception):
    """The adapter cannot be merged into the weights; the message says why."""


def digest(directory: Path) -> str:
    """Return the digest of an adapter's two files; other files in the directory are ignored."""
    files = digests(directory)
    return digest_of({name: files[name] for name in (CONFIG, MATRICES)})


def scale(config: Mapping[str, Any], rank: int) -> float:
    """Return the scale of the product of the adapter's two matrices."""
    root = math.sqrt(rank) if config.get("use_rslora") else rank
    return float(config["lora_alpha"]) / root


def merge(weights: MutableMapping[str, Any], directory: Path) -> int:
    """Merge the adapter into the float32 weights in place; return the number of changed matrices.

    Raises:
        UnsupportedAdapterError: it is not a plain LoRA adapter of this model.
    """
    from safetensors.torch import load_file

    config = json.loads((directory / CONFIG).read_bytes())
    for key, allowed in _PLAIN.items():
        if config.get(key) not in allowed:
            raise UnsupportedAdapterError(f"{key} is {config.get(key)!r}")
    if config.get("alpha_pattern") or config.get("rank_pattern"):
        raise UnsupportedAdapterError("its rank differs between layers")
    tensors = load_file(directory / MATRICES)
    changed = 0
    for name in sorted(n for n in tensors if n.endswith(".lora_A.weight")):
        down, up = tensors.pop(name), tensors.pop(name.replace(".lora_A.", ".lora_B."))
        weight = name.removeprefix(PREFIX).replace(".lora_A.weight", ".weight")
        if weight not in weights:
            raise UnsupportedAdapterError(f"the model has no weight {weight}")
        weights[weight] += scale(config, down.shape[0]) * (up.float() @ down.float())
        changed += 1
    if tensors or not changed:
        raise UnsupportedAdapterError(f"{len(tensors)} of its tensors are not LoRA matrices")
    return changed

"""Loads the base model, converting it if necessary, and attaches new adapters."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from reme_lab.training import attention
from reme_lab.training.errors import NoBaseError
from reme_lab.training.lora import Adapters
from reme_lab.training.recipe import Recipe
from reme_lab.training.tokenization import Encoder
from reme_model.serving import convert, machine
from reme_model.serving.manifest import Manifest, digest_of, digests


@dataclass(frozen=True)
class Learner:
    """A base model with adapters, ready for training."""

    model: Any
    adapters: Adapters
    encoder: Encoder
    base_digest: str


def directory(recipe: Recipe, cache: Path) -> Path:
    """Return the directory of the base model in float32; converted from its package the first time.

    Raises:
        NoBaseError: neither the package nor the directory exists.
    """
    base = recipe.base
    if base.directory is not None:
        if not (base.directory / "config.json").is_file():
            raise NoBaseError(f"{base.directory} has no base model: put {base.name} there")
        return base.directory
    out = cache / f"base-{base.package}"
    if Manifest.read(out) is None:
        try:
            convert.convert(convert.packaged_gguf(base.package), out, dtype="float32")
        except OSError as error:
            raise NoBaseError(f"no base model: {error}; run `make train-env`") from error
    return out


def load_learner(recipe: Recipe, cache: Path) -> Learner:
    """Return the base model with new adapters that change nothing; seeded by the recipe."""
    logging.disable_progress_bar()
    folder = directory(recipe, cache)
    torch.set_num_threads(machine.cpus())
    torch.manual_seed(recipe.sft.seed)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention.register()
    )
    manifest = Manifest.read(folder)
    return Learner(
        model=model,
        adapters=attach(model, recipe),
        encoder=Encoder(AutoTokenizer.from_pretrained(folder)),
        base_digest=manifest.base_digest if manifest else digest_of(digests(folder)),
    )


def attach(model: Any, recipe: Recipe) -> Adapters:
    """Attach adapters as the recipe says, and set the data type of the computation."""
    dtype = compute_type(recipe)
    shape = recipe.adapter
    adapters = Adapters(
        model, rank=shape.rank, alpha=shape.alpha, first_layer=shape.first_layer, dtype=dtype
    )
    for part in model.parameters():
        if not part.requires_grad:
            part.data = part.data.to(dtype)
    return adapters


def compute_type(recipe: Recipe) -> Any:
    """Return the data type of the computation: bfloat16 if the processor has it, else float32."""
    if recipe.dtype != "auto":
        return getattr(torch, recipe.dtype)
    return torch.bfloat16 if machine.native_bfloat16() else torch.float32

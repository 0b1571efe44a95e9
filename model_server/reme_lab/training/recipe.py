"""Recipes: all parameters of the training of a base model, read from YAML."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reme_lab.training.errors import BadRecipeError

FOLDER = Path(__file__).with_name("recipes")
DEFAULT = "smollm2-135m"

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Base(_Part):
    """The base model: a Python package with a GGUF file, or a directory."""

    name: str = Field(description="Name of the base model, for the model card.")
    licence: str = Field(description="SPDX identifier of the base's licence.")
    package: str = Field(default="", description="Installed package that contains one GGUF file.")
    directory: Path | None = Field(default=None, description="Directory with safetensors.")

    @model_validator(mode="after")
    def _one(self) -> "Base":
        if bool(self.package) == bool(self.directory):
            raise ValueError("set either package or directory")
        return self


class Adapter(_Part):
    """Shape of the adapter, which covers every linear layer from a block on."""

    rank: Positive = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    first_layer: Annotated[int, Field(ge=0)] = Field(
        default=0, description="First adapted block; the backward pass ends there."
    )
    stored: Literal["float16", "bfloat16", "float32"] = Field(
        default="float16", description="Type of the stored matrices."
    )


class Steps(_Part):
    """Optimizer, budget and evaluation schedule of a stage."""

    examples_per_step: Positive = 8
    learning_rate: Annotated[float, Field(gt=0)] = 8e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    final_rate: Share = Field(
        default=0.02, description="Learning rate at the end, as a share of the highest one."
    )
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = Field(default=1.0, description="Maximum gradient norm.")
    minutes: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Time budget in minutes, over all resumptions."
    )
    steps: Positive | None = Field(default=None, description="Step budget.")
    evaluate_minutes: Annotated[float, Field(gt=0)] = 8
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 3
    dev_examples: Positive = 64
    seed: int = 1

    @model_validator(mode="after")
    def _ends(self) -> "Steps":
        if self.minutes is None and self.steps is None:
            raise ValueError("set minutes or steps: the run would never end")
        return self


class Reinforcement(Steps):
    """Additional parameters of reinforcement."""

    samples: Positive = Field(default=16, description="Replies sampled per incident.")
    most_distinct: Positive = Field(
        default=4, description="Maximum distinct replies per incident in the loss."
    )
    draws: Positive = Field(
        default=4, description="Incidents sampled per step, as a multiple of examples_per_step."
    )
    temperature: Annotated[float, Field(gt=0)] = 1.0
    sft_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.1, description="Weight of the loss on the expected reply."
    )


class Recipe(_Part):
    """How a base model is trained."""

    base: Base
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Data type of the computation; auto selects by processor."
    )
    adapter: Adapter = Adapter()
    sft: Steps
    rft: Reinforcement


def load(name: str) -> Recipe:
    """Return a shipped recipe by name, or the recipe in a file.

    Raises:
        BadRecipeError: there is no such recipe, or it is invalid.
    """
    shipped = FOLDER / f"{name}.yaml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        available = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise BadRecipeError(f"recipe {name} not found; available: {available}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise BadRecipeError(f"{path} is not a valid recipe: {error}") from error

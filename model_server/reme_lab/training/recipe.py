"""The recipe of a base model: everything that a training run can be told, read from YAML."""

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
    """Where the base model is: a Python package with a GGUF file, or a directory."""

    name: str = Field(description="Name of the base as its makers call it; for the model card.")
    licence: str = Field(description="SPDX identifier of the base's licence.")
    package: str = Field(default="", description="Installed package that holds one GGUF file.")
    directory: Path | None = Field(default=None, description="Directory with safetensors.")

    @model_validator(mode="after")
    def _one(self) -> "Base":
        if bool(self.package) == bool(self.directory):
            raise ValueError("name either a package or a directory")
        return self


class Adapter(_Part):
    """Shape of the adapter: every linear layer from a block on."""

    rank: Positive = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    first_layer: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Blocks below stay as they are; the backward pass ends there."
    )
    stored: Literal["float16", "bfloat16", "float32"] = Field(
        default="float16", description="Type of the stored matrices."
    )


class Steps(_Part):
    """How a stage steps: its optimizer, its budget, and how often it looks up."""

    examples_per_step: Positive = 8
    learning_rate: Annotated[float, Field(gt=0)] = 8e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    final_rate: Share = Field(default=0.02, description="Share of the rate left at the end.")
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = Field(default=1.0, description="Largest gradient norm.")
    minutes: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Ends after so many minutes of work, over all resumptions."
    )
    steps: Positive | None = Field(default=None, description="Ends after so many steps.")
    evaluate_minutes: Annotated[float, Field(gt=0)] = 8
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 3
    dev_examples: Positive = 64
    seed: int = 1

    @model_validator(mode="after")
    def _ends(self) -> "Steps":
        if self.minutes is None and self.steps is None:
            raise ValueError("give it minutes or steps, or it never ends")
        return self


class Reinforcement(Steps):
    """What Sim-RFT has on top: how much it tries out, and what holds it back."""

    samples: Positive = Field(default=16, description="Replies sampled for each incident.")
    most_distinct: Positive = Field(default=4, description="Distinct replies learned from.")
    draws: Positive = Field(
        default=4, description="So many times a step's incidents are asked, for some that teach."
    )
    temperature: Annotated[float, Field(gt=0)] = 1.0
    sft_weight: Annotated[float, Field(ge=0)] = Field(
        default=0.1, description="Weight of the loss on the expert's reply: keeps the form."
    )


class Recipe(_Part):
    """How one base model is trained."""

    base: Base
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Type computed in; auto is what the processor does natively."
    )
    adapter: Adapter = Adapter()
    sft: Steps
    rft: Reinforcement


def load(name: str) -> Recipe:
    """Return the recipe of that name among the shipped ones, or in the file of that name.

    Raises:
        BadRecipeError: there is none, or it is none.
    """
    shipped = FOLDER / f"{name}.yaml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise BadRecipeError(f"no recipe {name}; shipped are: {known}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise BadRecipeError(f"{path} is no recipe: {error}") from error

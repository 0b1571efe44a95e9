"""Shared parts of the command lines of the two training stages."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reme_lab.training import checkpoint, dataset
from reme_lab.training import recipe as recipes
from reme_lab.training.base_model import Learner
from reme_lab.training.errors import TrainingError
from reme_lab.training.loop import Run, Stage
from reme_lab.training.recipe import Recipe, Steps

INTERRUPTED = 130
_MAY_CHANGE = {"minutes", "steps", "evaluate_minutes", "checkpoint_minutes"}


def cache_folder() -> Path:
    """Return the directory of converted base models."""
    named = os.environ.get("REME_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "reme"


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of both stages."""
    parser.add_argument("--incidents", type=Path, required=True, help="directory of the incidents")
    parser.add_argument("--out", type=Path, required=True, help="folder of this run")
    parser.add_argument("--recipe", default=recipes.DEFAULT, help="name or file of a recipe")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument(
        "--cached", action="store_true", help="like --resume, but restart if the inputs changed"
    )
    parser.add_argument("--minutes", type=float, help="time budget, instead of the recipe's")
    parser.add_argument("--steps", type=int, help="step budget, instead of the recipe's")
    parser.add_argument(
        "--cache", type=Path, default=cache_folder(), help="directory of converted base models"
    )


def load_plan(options: argparse.Namespace, stage: str) -> tuple[Recipe, Any]:
    """Return the recipe and the plan of a stage, with the changes of the command line."""
    recipe = recipes.load(options.recipe)
    plan: Steps = getattr(recipe, stage)
    if options.minutes or options.steps:
        budget = {"minutes": options.minutes, "steps": options.steps}
        plan = plan.model_validate({**plan.model_dump(), **budget})
    return recipe, plan


def run_identity(
    recipe: Recipe, plan: Steps, learner: Learner, files: list[Path]
) -> dict[str, Any]:
    """Return what identifies a run; the budget may change when it is resumed."""
    return {
        "base": recipe.base.name,
        "base_digest": learner.base_digest,
        "adapter": recipe.adapter.model_dump(),
        "plan": plan.model_dump(exclude=_MAY_CHANGE),
        "data": {file.name: dataset.digest(file) for file in files},
    }


def load_initial_adapter(learner: Learner, folder: Path) -> dict[str, Any]:
    """Load an adapter into the learner; return the record of its origin.

    Raises:
        NothingToResumeError: there is no adapter.
        OtherRunError: the adapter belongs to another base or has another rank.
    """
    adapter = checkpoint.read_adapter(folder)
    learner.adapters.load(adapter.matrices)
    return {"start": adapter.origin}


Prepared = tuple[Stage, Learner, Recipe, Steps, dict[str, Any]]


def run_stage(prepare: Callable[[], Prepared], options: argparse.Namespace) -> int:
    """Run a stage to its end and print the result; return the exit code."""
    try:
        stage, learner, _, plan, run_id = prepare()
        run = Run(stage, learner.adapters, plan, options.out, run_id)
        run.begin(resume=options.resume or options.cached, restart=options.cached)
        print(f"{options.out}: begins at step {run.step}", flush=True)
        finished = run.train()
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the first step: nothing is lost
        print("stopped before the first step", file=sys.stderr)
        return INTERRUPTED
    if not finished:
        print(f"stopped after step {run.step}; continue with --resume", file=sys.stderr)
        return INTERRUPTED
    print(f"{options.out}: done, {run.step} steps in {run.seconds / 60:.1f} minutes")
    return 0

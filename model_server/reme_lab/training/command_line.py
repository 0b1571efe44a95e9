"""What the command lines of the two stages have in common."""

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
    """Return where converted bases are kept."""
    named = os.environ.get("REME_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "reme"


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that both stages have."""
    parser.add_argument("--traces", type=Path, required=True, help="directory of the traces")
    parser.add_argument("--out", type=Path, required=True, help="folder of this run")
    parser.add_argument("--recipe", default=recipes.DEFAULT, help="name or file of a recipe")
    parser.add_argument("--resume", action="store_true", help="go on where the run in --out is")
    parser.add_argument(
        "--cached", action="store_true", help="like --resume, but start over if the inputs changed"
    )
    parser.add_argument("--minutes", type=float, help="budget of work instead of the recipe's")
    parser.add_argument("--steps", type=int, help="budget of steps instead of the recipe's")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where bases are kept")


def load_plan(given: argparse.Namespace, stage: str) -> tuple[Recipe, Any]:
    """Return the recipe and the plan of a stage, with what the command line changes."""
    recipe = recipes.load(given.recipe)
    plan: Steps = getattr(recipe, stage)
    if given.minutes or given.steps:
        budget = {"minutes": given.minutes, "steps": given.steps}
        plan = plan.model_validate({**plan.model_dump(), **budget})
    return recipe, plan


def run_identity(
    recipe: Recipe, plan: Steps, learner: Learner, files: list[Path]
) -> dict[str, Any]:
    """Return what makes this run this run; the budget may change when it is resumed."""
    return {
        "base": recipe.base.name,
        "base_digest": learner.base_digest,
        "adapter": recipe.adapter.model_dump(),
        "plan": plan.model_dump(exclude=_MAY_CHANGE),
        "data": {file.name: dataset.digest(file) for file in files},
    }


def load_initial_adapter(learner: Learner, folder: Path) -> dict[str, Any]:
    """Take the adapter that a run ended with or that was exported; return what to remember of it.

    Raises:
        NothingToResumeError: there is none.
        OtherRunError: it is for another base, or of another rank.
    """
    found = checkpoint.read_adapter(folder)
    learner.adapters.load(found.matrices)
    return {"start": found.origin}


Prepared = tuple[Stage, Learner, Recipe, Steps, dict[str, Any]]


def run_stage(prepare: Callable[[], Prepared], given: argparse.Namespace) -> int:
    """Run a stage to its end, and say on one line how it went; returns the exit code."""
    try:
        stage, learner, _, plan, what = prepare()
        one = Run(stage, learner.adapters, plan, given.out, what)
        one.begin(resume=given.resume or given.cached, restart=given.cached)
        print(f"{given.out}: begins at step {one.step}", flush=True)
        whole = one.train()
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the first step: nothing is lost
        print("stopped before it began", file=sys.stderr)
        return INTERRUPTED
    if not whole:
        print(f"stopped after step {one.step}, all kept; go on with --resume", file=sys.stderr)
        return INTERRUPTED
    print(f"{given.out}: done, {one.step} steps in {one.seconds / 60:.1f} minutes")
    return 0

"""Supervised fine-tuning: the adapter learns the expected replies.

    python -m reme_lab.training.sft --incidents DIR --out DIR [--resume] [--minutes N]

Reads DIR/train.jsonl and DIR/dev.jsonl. The run may be interrupted at any time, and continues with
--resume.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reme_lab.training import base_model, dataset, forced_replies
from reme_lab.training.command_line import (
    add_common,
    load_initial_adapter,
    load_plan,
    run_identity,
    run_stage,
)
from reme_lab.training.dataset import Incident
from reme_lab.training.forward import reply_loss
from reme_lab.training.recipe import Recipe, Steps
from reme_lab.training.schedule import BatchSampler
from reme_lab.training.tokenization import common_prefix


class SupervisedStage:
    """Minimizes the cross entropy of the expected replies."""

    def __init__(
        self,
        learner: base_model.Learner,
        train: Sequence[Incident],
        dev: Sequence[Incident],
        plan: Steps,
    ) -> None:
        self._learner = learner
        self._examples = [learner.encoder.example(incident) for incident in train]
        self._shared = common_prefix([example.prompt for example in self._examples])
        lengths = [example.length for example in self._examples]
        self._order = BatchSampler(lengths, plan.examples_per_step, plan.seed)
        self._dev = dev[: plan.dev_examples]

    def learn(self, step: int) -> dict[str, float]:
        """Accumulate the gradients of one step."""
        batch = [self._examples[i] for i in self._order.batch(step)]
        loss = reply_loss(self._learner.model, self._shared, batch)
        loss.backward()
        return {"loss": loss.item(), "tokens": sum(example.length for example in batch)}

    def evaluate(self) -> dict[str, float]:
        """Return the loss and exactness on the dev incidents."""
        model, encoder = self._learner.model, self._learner.encoder
        return forced_replies.summary(forced_replies.force_replies(model, encoder, self._dev))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.sft", description=__doc__)
    add_common(parser)
    parser.add_argument("--start", type=Path, help="folder of a run, or an adapter, to start from")
    options = parser.parse_args(arguments)
    return run_stage(lambda: _prepared(options), options)


def _prepared(
    options: Any,
) -> tuple[SupervisedStage, base_model.Learner, Recipe, Steps, dict[str, Any]]:
    recipe, plan = load_plan(options, "sft")
    files = [options.incidents / name for name in ("train.jsonl", "dev.jsonl")]
    train, dev = (dataset.read(file) for file in files)
    learner = base_model.load_learner(recipe, options.cache)
    run_id = run_identity(recipe, plan, learner, files)
    if options.start:
        run_id |= load_initial_adapter(learner, options.start)
    return SupervisedStage(learner, train, dev, plan), learner, recipe, plan, run_id


if __name__ == "__main__":
    sys.exit(main())

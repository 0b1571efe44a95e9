"""Supervised fine-tuning: the adapter learns to write what the expert wrote.

    python -m reme_lab.training.sft --traces DIR --out DIR [--resume] [--minutes N]

The traces are DIR/train.jsonl and DIR/dev.jsonl. The run can be stopped at any moment, with Ctrl-C
or without warning, and goes on with --resume.
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
    """The stage: cross entropy of the experts' replies."""

    def __init__(
        self,
        learner: base_model.Learner,
        train: Sequence[Incident],
        dev: Sequence[Incident],
        plan: Steps,
    ) -> None:
        self._learner = learner
        self._examples = [learner.encoder.example(trace) for trace in train]
        self._shared = common_prefix([one.prompt for one in self._examples])
        lengths = [one.length for one in self._examples]
        self._order = BatchSampler(lengths, plan.examples_per_step, plan.seed)
        self._dev = dev[: plan.dev_examples]

    def learn(self, step: int) -> dict[str, float]:
        """Leave the gradients of one step at the adapters."""
        some = [self._examples[i] for i in self._order.batch(step)]
        loss = reply_loss(self._learner.model, self._shared, some)
        loss.backward()
        return {"loss": loss.item(), "tokens": sum(one.length for one in some)}

    def evaluate(self) -> dict[str, float]:
        """Return loss and exactness on the first dev traces."""
        model, encoder = self._learner.model, self._learner.encoder
        return forced_replies.summary(forced_replies.force_replies(model, encoder, self._dev))


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.sft", description=__doc__)
    add_common(parser)
    parser.add_argument("--start", type=Path, help="folder of a run, or an adapter, to begin with")
    given = parser.parse_args(arguments)
    return run_stage(lambda: _prepared(given), given)


def _prepared(
    given: Any,
) -> tuple[SupervisedStage, base_model.Learner, Recipe, Steps, dict[str, Any]]:
    recipe, plan = load_plan(given, "sft")
    files = [given.traces / name for name in ("train.jsonl", "dev.jsonl")]
    train, dev = (dataset.read(file) for file in files)
    learner = base_model.load_learner(recipe, given.cache)
    what = run_identity(recipe, plan, learner, files)
    if given.start:
        what |= load_initial_adapter(learner, given.start)
    return SupervisedStage(learner, train, dev, plan), learner, recipe, plan, what


if __name__ == "__main__":
    sys.exit(main())

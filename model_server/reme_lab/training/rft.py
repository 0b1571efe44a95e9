"""Reinforcement by simulated experience (Sim-RFT), from where supervised fine-tuning ended.

    python -m reme_lab.training.rft --traces DIR --start SFT_RUN --out DIR [--resume]

For each incident replies are sampled under the grammar; the traces hold what the simulator gave for
each. Replies that decide alike are one, weighted by its chance, so that the gradient is that of
the expected reward over what was tried, with a group's own mean as its baseline as in GRPO, and
without the noise of counting. The expert's reply is always among those tried: a model that is
sure of something wrong would never find out. The loss on it keeps the form of free replies.

After SFT most incidents are answered alike sixteen times of sixteen, and rightly: such a group has
no gradient. More incidents are therefore asked than are learnt from (`draws`), as in the dynamic
sampling of DAPO.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import pstdev
from typing import Any

import torch
from torch.nn import functional

from reme_lab.training import (
    base_model,
    dataset,
    decode,
    evaluate,
    forced_replies,
    reply_metrics,
    tokenization,
)
from reme_lab.training.command_line import (
    add_common,
    load_initial_adapter,
    load_plan,
    run_identity,
    run_stage,
)
from reme_lab.training.dataset import Incident
from reme_lab.training.errors import NoIncidentsError
from reme_lab.training.forward import group_states, logits
from reme_lab.training.recipe import Recipe, Reinforcement
from reme_lab.training.schedule import BatchSampler
from reme_lab.training.tokenization import Example, common_prefix

_ALIKE = 1e-6
_AT_ONCE = 4
"""Groups in one pass: eight with several replies each take more memory than a step of SFT."""


@dataclass(frozen=True)
class Completion:
    """One reply to one incident: its tokens, its tree, and its reward."""

    example: Example
    tree: tokenization.Node
    reward: float


class ReinforcementStage:
    """The stage: the expected reward of what the grammar lets the model write."""

    def __init__(
        self,
        learner: base_model.Learner,
        train: Sequence[Incident],
        dev: Sequence[Incident],
        plan: Reinforcement,
    ) -> None:
        self._learner, self._train, self._plan = learner, train, plan
        encoder = learner.encoder
        self._prompts = [encoder.prompt([m.model_dump() for m in one.messages]) for one in train]
        self._shared = common_prefix(self._prompts)
        lengths = [len(prompt) for prompt in self._prompts]
        self._order = BatchSampler(lengths, plan.examples_per_step, plan.seed)
        self._dev = dev[: plan.dev_examples]

    def learn(self, step: int) -> dict[str, float]:
        """Leave the gradients of one step at the adapters."""
        telling, alike = self._drawn(step)
        groups = sorted(telling or alike[:1], key=_length)  # of like length: little is padded
        tokens = sum(len(group[0].example.reply) for group in groups)
        total, gained, supervised = 0.0, 0.0, 0.0
        for start in range(0, len(groups), _AT_ONCE):
            some = groups[start : start + _AT_ONCE]
            reward, raised, nats = self._scored(some)
            loss = self._plan.sft_weight * nats / tokens - raised / len(groups)
            loss.backward()
            total, gained = total + loss.item(), gained + reward
            supervised += nats.item()
        asked = len(telling) + len(alike)
        sure = sum(group[0].reward for group in alike)
        return {
            "loss": total,
            "reward": (sure + (gained if telling else 0)) / asked,
            "telling": len(telling) / asked,
            "sft_loss": supervised / tokens,
            "tried": sum(map(len, groups)) / len(groups),
            "tokens": sum(_length(group) for group in groups),
        }

    def _scored(self, groups: Sequence[Sequence[Completion]]) -> tuple[float, Any, Any]:
        """Return the expected rewards of some groups, what to raise, and the experts' loss."""
        model = self._learner.model
        examples = [[one.example for one in group] for group in groups]
        gained, objective, supervised = 0.0, torch.zeros(()), torch.zeros(())
        for group, of in zip(groups, group_states(model, self._shared, examples), strict=True):
            scores = [logits(model, state) for state in of]
            part, reward = expected_reward(scores, group)
            expert = torch.tensor(group[0].example.reply)
            supervised = supervised + functional.cross_entropy(scores[0], expert, reduction="sum")
            objective, gained = objective + part, gained + reward
        return gained, objective, supervised

    def evaluate(self) -> dict[str, float]:
        """Return the reward of greedy replies to the first dev traces, and what SFT looks at."""
        outcomes = evaluate.replies(self._learner, self._dev, "constrained")
        found = reply_metrics.summary(outcomes)
        self._learner.model.train()
        probed = forced_replies.force_replies(self._learner.model, self._learner.encoder, self._dev)
        return {
            "reward": found["mean_reward"],
            "acceptable": found["acceptable"]["rate"],
            **forced_replies.summary(probed),
        }

    def _drawn(self, step: int) -> tuple[list[list[Completion]], list[list[Completion]]]:
        """Return the groups of a step: those whose rewards differ, and those that teach nothing."""
        plan = self._plan
        telling: list[list[Completion]] = []
        alike: list[list[Completion]] = []
        for draw in range(plan.draws):
            for group in self._tried(self._order.batch(step * plan.draws + draw)):
                (alike if _spread(group) < _ALIKE else telling).append(group)
            if len(telling) >= plan.examples_per_step:
                break
        return telling[: plan.examples_per_step], alike

    def _tried(self, chosen: Sequence[int]) -> list[list[Completion]]:
        """Return for each incident the expert's reply first, then the others that came most."""
        encoder, plan = self._learner.encoder, self._plan
        some = [self._train[i] for i in chosen]
        possible = [one.possible for one in some]
        sequences = [encoder.replies(texts) for texts in possible]
        trees = [tokenization.build_tree(tokens) for tokens in sequences]
        prompts = [self._prompts[i] for i in chosen]
        self._learner.model.eval()
        drawn = decode.constrained(
            self._learner.model,
            prompts,
            trees,
            samples=plan.samples,
            temperature=plan.temperature,
        )
        self._learner.model.train()
        groups = []
        for number, trace in enumerate(some):
            texts = possible[number]
            expert = texts.index(trace.answer)
            others = [n for n, _ in drawn[number].most_common() if n != expert]
            kept = [expert, *others[: plan.most_distinct - 1]]
            groups.append(
                [
                    Completion(
                        Example(prompts[number], sequences[number][n]),
                        trees[number],
                        trace.reward(texts[n]),
                    )
                    for n in kept
                ]
            )
        return groups


def _spread(group: Sequence[Completion]) -> float:
    return pstdev(one.reward for one in group)


def _length(group: Sequence[Completion]) -> int:
    """Return the tokens of a group: its prompt is read once."""
    return len(group[0].example.prompt) + sum(len(one.example.reply) for one in group)


def expected_reward(scores: Sequence[Any], group: Sequence[Completion]) -> tuple[Any, float]:
    """Return what to raise for a group of replies, and the reward expected of the group now.

    `scores` are the logits at each token of each reply. The gradient of the first is that of the
    expected reward in units of the group's own spread; it is zero where all rewards are alike.
    """
    chances = torch.stack([_log_chance(s, one) for s, one in zip(scores, group, strict=True)])
    rewards = torch.tensor([one.reward for one in group])
    weights = torch.softmax(chances.detach(), 0)
    mean = (weights * rewards).sum()
    if (spread := _spread(group)) < _ALIKE:
        return chances.sum() * 0.0, float(mean)
    advantages = (rewards - mean) / spread
    return (weights * advantages * chances).sum(), float(mean)


def _log_chance(scores: Any, tried: Completion) -> Any:
    """Return the log-probability of a reply under its tree."""
    total = scores.sum() * 0.0
    reply = tried.example.reply
    for place, possible in tokenization.decisions(tried.tree, reply):
        some = functional.log_softmax(scores[place, list(possible)], -1)
        total = total + some[possible.index(reply[place])]
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.rft", description=__doc__)
    add_common(parser)
    parser.add_argument(
        "--start", type=Path, required=True, help="folder of the SFT run, or an adapter"
    )
    given = parser.parse_args(arguments)
    return run_stage(lambda: _prepared(given), given)


def _prepared(
    given: Any,
) -> tuple[ReinforcementStage, base_model.Learner, Recipe, Reinforcement, dict[str, Any]]:
    recipe, plan = load_plan(given, "rft")
    files = [given.traces / name for name in ("train.jsonl", "dev.jsonl")]
    train, dev = ([one for one in dataset.read(file) if one.candidates] for file in files)
    if not train or not dev:
        raise NoIncidentsError(
            f"the traces in {given.traces} tell no rewards: they have no candidates"
        )
    learner = base_model.load_learner(recipe, given.cache)
    what = run_identity(recipe, plan, learner, files) | load_initial_adapter(learner, given.start)
    return ReinforcementStage(learner, train, dev, plan), learner, recipe, plan, what


if __name__ == "__main__":
    sys.exit(main())

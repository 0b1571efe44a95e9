"""Reinforcement with simulated rewards (Sim-RFT), after supervised fine-tuning.

    python -m reme_lab.training.rft --incidents DIR --start SFT_RUN --out DIR [--resume]

Replies to each incident are sampled with the grammar; the incidents contain the simulator's reward
of each reply. Equal replies are one, weighted by its probability, so that the gradient is the one
of the expected reward over the sampled replies, with the group's mean as baseline as in GRPO,
without the noise of counting. The expected reply is always in the group: a model that is confident
of a wrong one would never sample it. The loss on it preserves the form of free replies.

After SFT, most incidents get sixteen equal and correct replies; such a group has no gradient. So
more incidents are sampled than are used for the loss (`draws`), as in DAPO's dynamic sampling.
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

_MIN_SPREAD = 1e-6
_GROUPS_PER_PASS = 4
"""Groups per forward pass; more would need more memory than a step of SFT."""


@dataclass(frozen=True)
class Completion:
    """One reply to one incident: tokens, tree of possible replies, reward."""

    example: Example
    tree: tokenization.Node
    reward: float


class ReinforcementStage:
    """Maximizes the expected reward of replies under the grammar."""

    def __init__(
        self,
        learner: base_model.Learner,
        train: Sequence[Incident],
        dev: Sequence[Incident],
        plan: Reinforcement,
    ) -> None:
        self._learner, self._train, self._plan = learner, train, plan
        encoder = learner.encoder
        self._prompts = [
            encoder.prompt([m.model_dump() for m in incident.messages]) for incident in train
        ]
        self._shared = common_prefix(self._prompts)
        lengths = [len(prompt) for prompt in self._prompts]
        self._order = BatchSampler(lengths, plan.examples_per_step, plan.seed)
        self._dev = dev[: plan.dev_examples]

    def learn(self, step: int) -> dict[str, float]:
        """Accumulate the gradients of one step."""
        informative, degenerate = self._sample_groups(step)
        groups = sorted(
            informative or degenerate[:1], key=_length
        )  # similar lengths need little padding
        tokens = sum(len(group[0].example.reply) for group in groups)
        total, reward_sum, loss_sum = 0.0, 0.0, 0.0
        for start in range(0, len(groups), _GROUPS_PER_PASS):
            batch = groups[start : start + _GROUPS_PER_PASS]
            reward, objective, expected_loss = self._score(batch)
            loss = self._plan.sft_weight * expected_loss / tokens - objective / len(groups)
            loss.backward()
            total, reward_sum = total + loss.item(), reward_sum + reward
            loss_sum += expected_loss.item()
        sampled = len(informative) + len(degenerate)
        certain = sum(group[0].reward for group in degenerate)
        return {
            "loss": total,
            "reward": (certain + (reward_sum if informative else 0)) / sampled,
            "informative": len(informative) / sampled,
            "sft_loss": loss_sum / tokens,
            "completions": sum(map(len, groups)) / len(groups),
            "tokens": sum(_length(group) for group in groups),
        }

    def _score(self, groups: Sequence[Sequence[Completion]]) -> tuple[float, Any, Any]:
        """Return the expected rewards of some groups, the objective, and the loss of the expected
        replies.
        """
        model = self._learner.model
        examples = [[completion.example for completion in group] for group in groups]
        reward_sum, objective, supervised = 0.0, torch.zeros(()), torch.zeros(())
        for group, states in zip(groups, group_states(model, self._shared, examples), strict=True):
            scores = [logits(model, state) for state in states]
            part, reward = expected_reward(scores, group)
            expert = torch.tensor(group[0].example.reply)
            supervised = supervised + functional.cross_entropy(scores[0], expert, reduction="sum")
            objective, reward_sum = objective + part, reward_sum + reward
        return reward_sum, objective, supervised

    def evaluate(self) -> dict[str, float]:
        """Return the reward of greedy replies to the dev incidents, and the metrics of SFT."""
        outcomes = evaluate.replies(self._learner, self._dev, "constrained")
        metrics = reply_metrics.summary(outcomes)
        self._learner.model.train()
        predictions = forced_replies.force_replies(
            self._learner.model, self._learner.encoder, self._dev
        )
        return {
            "reward": metrics["mean_reward"],
            "acceptable": metrics["acceptable"]["rate"],
            **forced_replies.summary(predictions),
        }

    def _sample_groups(self, step: int) -> tuple[list[list[Completion]], list[list[Completion]]]:
        """Return the groups of a step: those with a gradient, and those without."""
        plan = self._plan
        informative: list[list[Completion]] = []
        degenerate: list[list[Completion]] = []
        for draw in range(plan.draws):
            for group in self._complete(self._order.batch(step * plan.draws + draw)):
                (degenerate if _spread(group) < _MIN_SPREAD else informative).append(group)
            if len(informative) >= plan.examples_per_step:
                break
        return informative[: plan.examples_per_step], degenerate

    def _complete(self, chosen: Sequence[int]) -> list[list[Completion]]:
        """Return a group per incident: the expected reply first, then the most frequent others."""
        encoder, plan = self._learner.encoder, self._plan
        incidents = [self._train[i] for i in chosen]
        possible = [incident.possible for incident in incidents]
        sequences = [encoder.replies(texts) for texts in possible]
        trees = [tokenization.build_tree(tokens) for tokens in sequences]
        prompts = [self._prompts[i] for i in chosen]
        self._learner.model.eval()
        counts = decode.constrained(
            self._learner.model,
            prompts,
            trees,
            samples=plan.samples,
            temperature=plan.temperature,
        )
        self._learner.model.train()
        groups = []
        for number, incident in enumerate(incidents):
            texts = possible[number]
            expert = texts.index(incident.answer)
            others = [n for n, _ in counts[number].most_common() if n != expert]
            selected = [expert, *others[: plan.most_distinct - 1]]
            groups.append(
                [
                    Completion(
                        Example(prompts[number], sequences[number][n]),
                        trees[number],
                        incident.reward(texts[n]),
                    )
                    for n in selected
                ]
            )
        return groups


def _spread(group: Sequence[Completion]) -> float:
    return pstdev(completion.reward for completion in group)


def _length(group: Sequence[Completion]) -> int:
    """Return the number of tokens of a group; its prompt counts once."""
    return len(group[0].example.prompt) + sum(len(completion.example.reply) for completion in group)


def expected_reward(scores: Sequence[Any], group: Sequence[Completion]) -> tuple[Any, float]:
    """Return the objective of a group of replies, and the expected reward of the group now.

    `scores` are the logits at each token of each reply. The gradient of the objective is the one of
    the expected reward in units of the group's standard deviation; zero if all rewards are equal.
    """
    log_probabilities = torch.stack(
        [_log_probability(s, completion) for s, completion in zip(scores, group, strict=True)]
    )
    rewards = torch.tensor([completion.reward for completion in group])
    weights = torch.softmax(log_probabilities.detach(), 0)
    mean = (weights * rewards).sum()
    if (spread := _spread(group)) < _MIN_SPREAD:
        return log_probabilities.sum() * 0.0, float(mean)
    advantages = (rewards - mean) / spread
    return (weights * advantages * log_probabilities).sum(), float(mean)


def _log_probability(scores: Any, completion: Completion) -> Any:
    """Return the log-probability of a reply under its tree."""
    total = scores.sum() * 0.0
    reply = completion.example.reply
    for place, possible in tokenization.decisions(completion.tree, reply):
        log_probabilities = functional.log_softmax(scores[place, list(possible)], -1)
        total = total + log_probabilities[possible.index(reply[place])]
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reme_lab.training.rft", description=__doc__)
    add_common(parser)
    parser.add_argument(
        "--start", type=Path, required=True, help="folder of the SFT run, or an adapter"
    )
    options = parser.parse_args(arguments)
    return run_stage(lambda: _prepared(options), options)


def _prepared(
    options: Any,
) -> tuple[ReinforcementStage, base_model.Learner, Recipe, Reinforcement, dict[str, Any]]:
    recipe, plan = load_plan(options, "rft")
    files = [options.incidents / name for name in ("train.jsonl", "dev.jsonl")]
    train, dev = (
        [incident for incident in dataset.read(file) if incident.candidates] for file in files
    )
    if not train or not dev:
        raise NoIncidentsError(
            f"the incidents in {options.incidents} have no rewards: create them with --candidates"
        )
    learner = base_model.load_learner(recipe, options.cache)
    run_id = run_identity(recipe, plan, learner, files) | load_initial_adapter(
        learner, options.start
    )
    return ReinforcementStage(learner, train, dev, plan), learner, recipe, plan, run_id


if __name__ == "__main__":
    sys.exit(main())

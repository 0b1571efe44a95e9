"""Schedule of a run: budget, learning rate, and the examples of each step."""

import random
from collections.abc import Sequence
from functools import lru_cache

from reme_lab.training.recipe import Steps


def progress(plan: Steps, step: int, seconds: float) -> float:
    """Return the used share of the budget, from 0 to 1; of two budgets the scarcer one counts.

    `seconds` is working time, without interruptions.
    """
    used = [0.0]
    if plan.steps is not None:
        used.append(step / plan.steps)
    if plan.minutes is not None:
        used.append(seconds / (60 * plan.minutes))
    return min(1.0, max(used))


def rate(plan: Steps, step: int, done: float) -> float:
    """Return the learning rate of a step: linear warmup, then linear decay."""
    warmup = min(1.0, (step + 1) / (plan.warmup_steps + 1))
    decay = 1 - (1 - plan.final_rate) * done
    return plan.learning_rate * warmup * decay


_WINDOW = 16
"""Number of steps whose examples are sorted by length together."""


class BatchSampler:
    """Batches of examples, reshuffled for each epoch. A function of seed and step, so that runs
    resume.

    Examples in a batch have similar lengths, which reduces padding; the order of lengths is random.
    """

    def __init__(self, lengths: Sequence[int], per_step: int, seed: int) -> None:
        self._lengths = tuple(lengths)
        self._per_step = min(per_step, len(self._lengths))
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch; a remainder of the examples is left out."""
        return len(self._lengths) // self._per_step

    def batch(self, step: int) -> tuple[int, ...]:
        """Return the examples of a step, counted from zero."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[place]

    def _shuffled(self, epoch: int) -> list[tuple[int, ...]]:
        random_source = random.Random(f"{self._seed}/{epoch}")  # noqa: S311 - not a secret
        indexes = list(range(len(self._lengths)))
        random_source.shuffle(indexes)
        size = self._per_step * _WINDOW
        steps: list[tuple[int, ...]] = []
        for start in range(0, len(indexes), size):
            window = sorted(indexes[start : start + size], key=lambda i: (self._lengths[i], i))
            full = range(0, len(window) - self._per_step + 1, self._per_step)
            steps += [tuple(window[at : at + self._per_step]) for at in full]
        random_source.shuffle(steps)
        return steps[: self.steps_per_epoch]

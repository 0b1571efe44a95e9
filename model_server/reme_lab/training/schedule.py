"""How far a run is, and the learning rate that goes with that."""

import random
from collections.abc import Sequence
from functools import lru_cache

from reme_lab.training.recipe import Steps


def progress(plan: Steps, step: int, seconds: float) -> float:
    """Return how much of the budget is used up, from 0 to 1; the scarcer budget counts.

    `seconds` are those of work: a run that was interrupted goes on where it was.
    """
    used = [0.0]
    if plan.steps is not None:
        used.append(step / plan.steps)
    if plan.minutes is not None:
        used.append(seconds / (60 * plan.minutes))
    return min(1.0, max(used))


def rate(plan: Steps, step: int, done: float) -> float:
    """Return the learning rate of a step: a linear climb, then a linear fall."""
    climb = min(1.0, (step + 1) / (plan.warmup_steps + 1))
    fall = 1 - (1 - plan.final_rate) * done
    return plan.learning_rate * climb * fall


_WINDOW = 16
"""Steps among whose examples those of like length are put together."""


class BatchSampler:
    """The order of the examples, epoch after epoch, each in another order."""

    def __init__(self, lengths: Sequence[int], per_step: int, seed: int) -> None:
        self._lengths = tuple(lengths)
        self._per_step = min(per_step, len(self._lengths))
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    @property
    def steps_per_epoch(self) -> int:
        """Steps until every example has had its turn, but for what is left over."""
        return len(self._lengths) // self._per_step

    def batch(self, step: int) -> tuple[int, ...]:
        """Return the examples of a step; steps count from zero."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return self._epoch(epoch)[place]

    def _shuffled(self, epoch: int) -> list[tuple[int, ...]]:
        chance = random.Random(f"{self._seed}/{epoch}")  # noqa: S311 - no secret
        every = list(range(len(self._lengths)))
        chance.shuffle(every)
        size = self._per_step * _WINDOW
        steps: list[tuple[int, ...]] = []
        for start in range(0, len(every), size):
            window = sorted(every[start : start + size], key=lambda i: (self._lengths[i], i))
            full = range(0, len(window) - self._per_step + 1, self._per_step)
            steps += [tuple(window[at : at + self._per_step]) for at in full]
        chance.shuffle(steps)
        return steps[: self.steps_per_epoch]

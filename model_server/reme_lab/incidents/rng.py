"""Seeded random choices of one incident. Test incidents get other values than training ones."""

import random
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

_T = TypeVar("_T")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_VALUE = re.compile(r"\{(\w+)\}")


class Split(StrEnum):
    """The data set that an incident belongs to."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Rng:
    """A random stream; the split restricts the values of `parameter`."""

    def __init__(self, seed: str, split: Split) -> None:
        """Start the stream; the same seed gives the same choices."""
        self._random = random.Random(seed)  # noqa: S311 (not used for secrets)
        self.split = split

    def chance(self, percent: float) -> bool:
        """Return true with this probability in percent."""
        return self._random.random() * 100 < percent

    def integer(self, low: int, high: int) -> int:
        """Return an integer between low and high, inclusive."""
        return self._random.randint(low, high)

    def choice(self, elements: Sequence[_T]) -> _T:
        """Return one element."""
        return self._random.choice(elements)

    def sample(self, elements: Sequence[_T], count: int) -> list[_T]:
        """Return distinct elements; all of them if there are fewer."""
        return self._random.sample(list(elements), min(count, len(elements)))

    def weighted_choice(self, weights: Mapping[_T, float]) -> _T:
        """Return one key, with probabilities proportional to the weights."""
        return self._random.choices(list(weights), list(weights.values()))[0]

    def parameter(self, values: Sequence[_T]) -> _T:
        """Return a fault's parameter; the last quarter of the values is for the test split."""
        held_out = max(1, len(values) // 4)
        if len(values) == 1:
            return values[0]
        return self.choice(values[-held_out:] if self.split is Split.TEST else values[:-held_out])

    def expand(self, pattern: str, **values: object) -> str:
        """Return one expansion of a pattern: one alternative of each `[a
        b]`, innermost first, and `{name}` replaced by its value.
        """
        while alternatives := _CHOICE.search(pattern):
            chosen = self.choice(alternatives[1].split("|"))
            pattern = pattern[: alternatives.start()] + chosen + pattern[alternatives.end() :]
        filled = _VALUE.sub(lambda m: str(values[m[1]]), pattern)
        return " ".join(filled.split()).replace(" ,", ",").replace(" .", ".")

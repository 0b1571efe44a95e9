"""Random choices of one trace: all from one seed, and other values for training than for tests."""

import random
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

_T = TypeVar("_T")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_VALUE = re.compile(r"\{(\w+)\}")


class Split(StrEnum):
    """What a trace is for."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Rng:
    """Draws from one stream of random numbers; the split decides which values there are."""

    def __init__(self, seed: str, split: Split) -> None:
        """Begin the stream; the same seed gives the same draws."""
        self._random = random.Random(seed)  # noqa: S311 (nothing here is a secret)
        self.split = split

    def chance(self, percent: float) -> bool:
        """Return true so often."""
        return self._random.random() * 100 < percent

    def integer(self, low: int, high: int) -> int:
        """Return a whole number between the two, both possible."""
        return self._random.randint(low, high)

    def choice(self, some: Sequence[_T]) -> _T:
        """Return one of them."""
        return self._random.choice(some)

    def sample(self, of: Sequence[_T], count: int) -> list[_T]:
        """Return so many different ones, or all where there are fewer."""
        return self._random.sample(list(of), min(count, len(of)))

    def weighted_choice(self, weights: Mapping[_T, float]) -> _T:
        """Return one of the keys, the heavier the more often."""
        return self._random.choices(list(weights), list(weights.values()))[0]

    def parameter(self, values: Sequence[_T]) -> _T:
        """Return a parameter of a fault: the last quarter of the values is kept for the test."""
        held_out = max(1, len(values) // 4)
        if len(values) == 1:
            return values[0]
        return self.choice(values[-held_out:] if self.split is Split.TEST else values[:-held_out])

    def expand(self, pattern: str, **values: object) -> str:
        """Return one reading of a pattern: of `[a|b]` one, innermost first; `{name}` is a value."""
        while found := _CHOICE.search(pattern):
            chosen = self.choice(found[1].split("|"))
            pattern = pattern[: found.start()] + chosen + pattern[found.end() :]
        filled = _VALUE.sub(lambda m: str(values[m[1]]), pattern)
        return " ".join(filled.split()).replace(" ,", ",").replace(" .", ".")

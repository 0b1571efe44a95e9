"""Lines of a description, and which of them go when there are too many."""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

LONGEST = 240


class Weight(IntEnum):
    """How much a line is worth; the lightest go first."""

    NICE = 0
    USEFUL = 1
    TELLING = 2
    NEEDED = 3


class Line(NamedTuple):
    """One line, and its worth."""

    weight: Weight
    text: str


def fitted(lines: Iterable[Line], most: int, characters: int) -> str:
    """Return the lines that fit, in their order; of equal ones the first win."""
    told = [Line(line.weight, _cut(line.text)) for line in lines]
    kept: list[int] = []
    left = characters
    for place in sorted(range(len(told)), key=lambda i: (-told[i].weight, i)):
        cost = len(told[place].text) + 1
        if len(kept) < most and cost <= left:
            kept.append(place)
            left -= cost
    return "\n".join(told[place].text for place in sorted(kept))


def quoted(text: str) -> str:
    """Return foreign text as data: in quotation marks that it cannot close."""
    return '"' + text.replace("\\", "/").replace('"', "'") + '"'


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

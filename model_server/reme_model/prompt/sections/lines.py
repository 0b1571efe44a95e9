"""Lines of a description: what is so, what is as it should be, and what is wrong.

What is wrong comes last, each on a line of its own, and what is normal takes one short line for
all: a small model goes by what it read last, and every token of a prompt costs time.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import NamedTuple

from reme_model.prompt.redact import visible

LONGEST = 240


class Tone(StrEnum):
    """How what a line says is to be taken."""

    FACT = "fact"
    NORMAL = "normal"
    WRONG = "wrong"


class Weight(IntEnum):
    """How much a line is worth; the lightest go first when there are too many."""

    NICE = 0
    USEFUL = 1
    TELLING = 2
    NEEDED = 3


class Line(NamedTuple):
    """One thing to say."""

    tone: Tone
    weight: Weight
    text: str


def fact(text: str, weight: Weight = Weight.TELLING) -> Line:
    """Return what is so, without a verdict."""
    return Line(Tone.FACT, weight, text)


def normal(text: str) -> Line:
    """Return the short name of something that is as it should be."""
    return Line(Tone.NORMAL, Weight.NEEDED, text)


def wrong(text: str, weight: Weight = Weight.TELLING) -> Line:
    """Return what is not as it should be."""
    return Line(Tone.WRONG, weight, text)


def render_lines(lines: Iterable[Line], most: int, characters: int) -> str:
    """Return the lines that fit, in their order; of equal ones the first win."""
    said = list(lines)
    fine = ", ".join(line.text for line in said if line.tone is Tone.NORMAL)
    bad = [Line(Tone.WRONG, w, f"wrong: {text}") for tone, w, text in said if tone is Tone.WRONG]
    whole = [
        *(line for line in said if line.tone is Tone.FACT),
        *([normal(f"normal: {fine}")] if fine else []),
        *(bad or [wrong("wrong: nothing", Weight.NEEDED)]),
    ]
    # Once more for all: no text that somebody forgot to clean begins a line or a message.
    shown = [line._replace(text=_cut(visible(line.text))) for line in whole]
    return _fitted(shown, most, characters)


def _fitted(lines: list[Line], most: int, characters: int) -> str:
    kept: list[int] = []
    left = characters
    for place in sorted(range(len(lines)), key=lambda i: (-lines[i].weight, i)):
        cost = len(lines[place].text) + 1
        if len(kept) < most and cost <= left:
            kept.append(place)
            left -= cost
    return "\n".join(lines[place].text for place in sorted(kept))


def quoted(text: str) -> str:
    """Return foreign text as data: in quotation marks that it cannot close."""
    return '"' + text.replace("\\", "/").replace('"', "'") + '"'


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

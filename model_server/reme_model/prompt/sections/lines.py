"""Lines of the description: facts, normal values, and findings that are wrong.

Findings come last, each on its own line; normal values share one short line. A small model weighs
what it read last most, and every token costs time.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import NamedTuple

from reme_model.prompt.redact import visible

LONGEST = 400


class Tone(StrEnum):
    """Whether a line states a fact, a normal value or a finding."""

    FACT = "fact"
    NORMAL = "normal"
    WRONG = "wrong"


class Weight(IntEnum):
    """Priority of a line; the lowest are dropped first if there are too many."""

    NICE = 0
    USEFUL = 1
    TELLING = 2
    NEEDED = 3


class Line(NamedTuple):
    """One line of the description."""

    tone: Tone
    weight: Weight
    text: str


def fact(text: str, weight: Weight = Weight.TELLING) -> Line:
    """Return a line that states a fact."""
    return Line(Tone.FACT, weight, text)


def normal(text: str) -> Line:
    """Return the name of a value that is normal."""
    return Line(Tone.NORMAL, Weight.NEEDED, text)


def wrong(text: str, weight: Weight = Weight.TELLING) -> Line:
    """Return a line about something abnormal."""
    return Line(Tone.WRONG, weight, text)


def render_lines(lines: Iterable[Line], max_lines: int, max_characters: int) -> str:
    """Return the lines that fit, in their order; of equal priorities findings come first."""
    all_lines = list(lines)
    normal_names = ", ".join(line.text for line in all_lines if line.tone is Tone.NORMAL)
    findings = [
        Line(Tone.WRONG, w, f"wrong: {text}") for tone, w, text in all_lines if tone is Tone.WRONG
    ]
    ordered = [
        *(line for line in all_lines if line.tone is Tone.FACT),
        *([normal(f"normal: {normal_names}")] if normal_names else []),
        *(findings or [wrong("wrong: nothing", Weight.NEEDED)]),
    ]
    # Sanitize once more, in case a caller forgot it.
    sanitized = [line._replace(text=_cut(visible(line.text))) for line in ordered]
    return _select(sanitized, max_lines, max_characters)


def _select(lines: list[Line], max_lines: int, max_characters: int) -> str:
    selected: list[int] = []
    remaining = max_characters
    # Of equal priority, what is wrong in the cluster is selected before facts and evidence.
    order = [(-line.weight, line.tone is not Tone.WRONG, i) for i, line in enumerate(lines)]
    for _, _, index in sorted(order):
        cost = len(lines[index].text) + 1
        if len(selected) < max_lines and cost <= remaining:
            selected.append(index)
            remaining -= cost
    return "\n".join(lines[index].text for index in sorted(selected))


def quoted(text: str) -> str:
    """Return untrusted text in quotation marks that it cannot close."""
    return '"' + text.replace("\\", "/").replace('"', "'") + '"'


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

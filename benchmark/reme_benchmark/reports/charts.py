"""Draws the charts of the report as SVG, with matplotlib.

Colours are replaced by the variables of the report's style sheet, so that charts follow the dark
mode of the browser.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reme_benchmark.reports.summary_model import Share

_WIDTH_INCHES, _ROW_INCHES, _AXIS_INCHES = 9.0, 0.3, 0.35
_AXES_LEFT, _AXES_RIGHT = 0.29, 0.86
_LONGEST_LABEL = 34
_INK, _SOFT, _LINE, _PAPER = "#1b2430", "#5b6675", "#dde2e8", "#fefefe"
_SERIES = (
    *("#8b95a1", "#2563a8", "#d98324", "#2a9d8f", "#8e5ea2"),
    *("#c0504d", "#7aa6d1", "#a9b665", "#6b7280", "#e0b252"),
)
_VARIABLES = {
    _INK: "--ink",
    _SOFT: "--soft",
    _LINE: "--line",
    _PAPER: "--paper",
    **{colour: f"--c{number}" for number, colour in enumerate(_SERIES)},
}
_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "reme",
    "text.color": _INK,
    "text.parse_math": False,  # names may contain dollar signs
}


class Part(NamedTuple):
    """One part of a stacked bar."""

    name: str
    amount: float


def rates(rows: Sequence[tuple[str, Share]]) -> Markup:
    """Draw shares as points, with their Wilson intervals as whiskers."""
    figure, axes = _axes([name for name, _ in rows])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda rate, _: f"{rate * 100:.0f}%")
    for row, (_, share) in enumerate(rows):
        if share.rate is None:
            _note(axes, row, "no cases")
            continue
        whiskers = [[share.rate - share.low], [share.high - share.rate]]
        axes.errorbar(
            share.rate, row, xerr=whiskers, fmt="o", color=_SERIES[1], capsize=3, clip_on=False
        )
        _note(axes, row, f"{share.rate * 100:.0f}%   {share.passed}/{share.cases}")
    return _svg(figure, "share of cases that passed, with 95% intervals")


def stacked(rows: Sequence[tuple[str, Sequence[Part]]], colours: Mapping[str, int]) -> Markup:
    """Draw seconds as stacked bars with a legend; `colours` maps parts to colour numbers."""
    figure, axes = _axes([name for name, _ in rows], legend=True)
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g} s")
    starts = [0.0] * len(rows)
    for name, colour in colours.items():
        amounts = [sum(p.amount for p in parts if p.name == name) for _, parts in rows]
        axes.barh(
            range(len(rows)), amounts, left=starts, height=0.66, color=_SERIES[colour], label=name
        )
        starts = [start + amount for start, amount in zip(starts, amounts, strict=True)]
    for row, total in enumerate(starts):
        _note(axes, row, f"{total:.1f} s")
    axes.set_xlim(0, max(starts, default=0) or 1)
    figure.legend(loc="lower left", ncols=6, frameon=False, labelcolor=_SOFT)
    return _svg(figure, "seconds by step")


def bars(
    rows: Sequence[tuple[str, float | None]], unit: str = "", colour: int = 1, missing: str = "-"
) -> Markup:
    """Draw one bar for each row, and the word `missing` where there is no amount."""
    figure, axes = _axes([name for name, _ in rows])
    axes.barh(range(len(rows)), [n or 0 for _, n in rows], height=0.66, color=_SERIES[colour])
    for row, (_, amount) in enumerate(rows):
        _note(axes, row, missing if amount is None else f"{amount:g}{unit}")
    return _svg(figure, "amounts")


def _axes(names: Sequence[str], *, legend: bool = False) -> tuple[Figure, Axes]:
    """Return a figure with one labelled row per name, the first one on top."""
    bottom = _AXIS_INCHES * (2 if legend else 1)
    height = max(1, len(names)) * _ROW_INCHES + bottom
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(_WIDTH_INCHES, height))
        axes = figure.add_axes(
            (_AXES_LEFT, bottom / height, _AXES_RIGHT - _AXES_LEFT, 1 - bottom / height)
        )
        axes.set_yticks(range(len(names)), [_shortened(name) for name in names])
        axes.set_ylim(max(1, len(names)) - 0.5, -0.5)
        axes.tick_params(axis="x", length=0, labelcolor=_SOFT)
        axes.tick_params(axis="y", length=0, labelcolor=_INK)
        axes.grid(axis="x", color=_LINE)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
    return figure, axes


def _note(axes: Axes, row: int, text: str) -> None:
    """Write a figure to the right of a row."""
    with mpl.rc_context(_SETTINGS):
        axes.text(1.03, row, text, transform=axes.get_yaxis_transform(), color=_SOFT, va="center")


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _svg(figure: Figure, title: str) -> Markup:
    """Return the figure as an SVG element that can stand in a page with others."""
    buffer = io.StringIO()
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the browser may have the glyphs that this font lacks
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    # Identifiers must be unique in the page, and most of them are referred to by nothing.
    unique = hashlib.sha256(text.encode()).hexdigest()[:8]
    used = set(re.findall(r"[\"(]#([\w-]+)[\")]", text))
    text = re.sub(
        r' id="([^"]*)"', lambda m: f' id="{unique}-{m[1]}"' if m[1] in used else "", text
    )
    text = re.sub(r"([\"(])#([\w-]+)([\")])", rf"\1#{unique}-\2\3", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    label = f'<svg role="img" aria-label="{title}"'
    return Markup(text.replace("<svg", label, 1))  # noqa: S704 - matplotlib escapes text

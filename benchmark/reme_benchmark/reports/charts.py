"""Draws charts as SVG, by hand: a report must open anywhere, without a network and without scripts.

Colours are classes of the page's style sheet, so that the charts follow dark mode and print.
Every label is escaped: names and messages may come from a model.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from reme_benchmark.reports.summary_model import Share

WIDTH = 760
_ROW = 26
_AXIS = 24
_LABEL = 210
_VALUE = 96
_CHARACTER = 6.7
"""About the width of a character at 12 pixels."""


class Part(NamedTuple):
    """One part of a stacked bar."""

    name: str
    amount: float


def rates(rows: Sequence[tuple[str, Share]]) -> str:
    """Draw shares as points with the whiskers of their Wilson intervals."""
    height = len(rows) * _ROW + _AXIS
    left, right = _LABEL, WIDTH - _VALUE
    x = _scale(left, right, 1.0)
    drawn = [_grid(left, right, height, [(x(p / 100), f"{p}%") for p in range(0, 101, 25)])]
    for place, (name, share) in enumerate(rows):
        middle = place * _ROW + _ROW / 2
        drawn.append(_label(name, middle))
        count = f"{share.passed}/{share.cases}"
        if share.rate is not None:
            low, high, at = x(share.low), x(share.high), x(share.rate)
            tip = f"{name}: {count}, {_percent(share.low)} to {_percent(share.high)}"
            drawn.append(
                f"<g><title>{escape(tip)}</title>"
                f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}"'
                f' y1="{middle:.1f}" y2="{middle:.1f}"/>'
                + "".join(
                    f'<line class="whisker" x1="{end:.1f}" x2="{end:.1f}"'
                    f' y1="{middle - 4:.1f}" y2="{middle + 4:.1f}"/>'
                    for end in (low, high)
                )
                + f'<circle class="point" cx="{at:.1f}" cy="{middle:.1f}" r="5"/></g>'
            )
        if share.rate is None:
            drawn.append(_value("no cases", right + 10, middle))
            continue
        drawn.append(_value(_percent(share.rate), right + 44, middle, "end"))
        drawn.append(_value(count, WIDTH, middle, "end"))
    return _svg(height, drawn, "share of cases that passed, with 95% intervals")


def stacked(rows: Sequence[tuple[str, Sequence[Part]]], colours: Mapping[str, int]) -> str:
    """Draw amounts of seconds on top of each other; a colour is a class `cN` by its part's name."""
    most = max((sum(p.amount for p in parts) for _, parts in rows), default=0)
    height = len(rows) * _ROW + _AXIS
    left, right = _LABEL, WIDTH - _VALUE
    x = _scale(left, right, most)
    step = nice_step(most)
    ticks = [n * step for n in range(int(most / step) + 1)] if most else [0.0]
    drawn = [_grid(left, right, height, [(x(t), f"{t:g} s") for t in ticks])]
    for place, (name, parts) in enumerate(rows):
        top, done = place * _ROW + 4, 0.0
        drawn.append(_label(name, place * _ROW + _ROW / 2))
        for part in parts:
            begin, end = x(done), x(done + part.amount)
            done += part.amount
            tip = f"{name}, {part.name}: {part.amount:.1f} s"
            drawn.append(
                f'<rect class="c{colours.get(part.name, 0)}" x="{begin:.1f}" y="{top}"'
                f' width="{max(0.0, end - begin):.1f}" height="{_ROW - 8}">'
                f"<title>{escape(tip)}</title></rect>"
            )
        drawn.append(_value(f"{done:.1f} s", right + 10, place * _ROW + _ROW / 2))
    return _svg(height, drawn, "seconds by step")


def bars(
    rows: Sequence[tuple[str, float | None]], unit: str = "", *, colour: str = "c1", none: str = "-"
) -> str:
    """Draw one amount for each row, and the word `none` where there is none."""
    most = max((amount for _, amount in rows if amount is not None), default=0)
    height = len(rows) * _ROW + 4
    left, right = _LABEL, WIDTH - _VALUE
    x = _scale(left, right, most)
    drawn = []
    for place, (name, amount) in enumerate(rows):
        middle = place * _ROW + _ROW / 2
        drawn.append(_label(name, middle))
        if amount is None:
            drawn.append(_value(none, left + 8, middle))
            continue
        drawn.append(
            f'<rect class="{colour}" x="{left}" y="{place * _ROW + 4}"'
            f' width="{max(1.5, x(amount) - left):.1f}" height="{_ROW - 8}"/>'
        )
        drawn.append(_value(f"{amount:g}{unit}", x(amount) + 8, middle))
    return _svg(height, drawn, "amounts")


def legend(names: Sequence[str], colours: Mapping[str, int]) -> str:
    """Return what the colours of stacked bars mean."""
    shown = "".join(f'<li><i class="b{colours[name]}"></i>{escape(name)}</li>' for name in names)
    return f'<ul class="legend">{shown}</ul>'


def nice_step(most: float, ticks: int = 6) -> float:
    """Return a round distance between ticks, so that there are about so many."""
    step = 1e-3
    while True:
        for factor in (1, 2, 5):
            if most <= step * factor * ticks:
                return step * factor
        step *= 10


class _Scale(NamedTuple):
    left: float
    right: float
    most: float

    def __call__(self, value: float) -> float:
        share = value / self.most if self.most else 0
        return self.left + (self.right - self.left) * share


def _scale(left: float, right: float, most: float) -> _Scale:
    return _Scale(left, right, most)


def _svg(height: float, drawn: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawn)}</svg>"
    )


def _grid(left: float, right: float, height: float, ticks: Sequence[tuple[float, str]]) -> str:
    bottom = height - _AXIS + 4
    lines = "".join(
        f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{bottom:.1f}"/>'
        f'<text class="tick" x="{at:.1f}" y="{height - 6:.1f}" text-anchor="middle">'
        f"{escape(text)}</text>"
        for at, text in ticks
    )
    base = f'<line class="grid" x1="{left}" x2="{right}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>'
    return lines + base


def _label(name: str, middle: float) -> str:
    most = int((_LABEL - 14) / _CHARACTER)
    shown = name if len(name) <= most else name[: most - 1] + "…"
    return (
        f'<text class="name" x="{_LABEL - 10}" y="{middle + 4:.1f}" text-anchor="end">'
        f"<title>{escape(name)}</title>{escape(shown)}</text>"
    )


def _value(text: str, x: float, middle: float, anchor: str = "start") -> str:
    return (
        f'<text class="value" x="{x:.1f}" y="{middle + 4:.1f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _percent(share: float) -> str:
    return f"{share * 100:.0f}%"

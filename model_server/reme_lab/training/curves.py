"""Draws the log of a run as an SVG: loss and exactness over time."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

_WIDE, _HIGH, _MARGIN, _BOTTOM, _TOP, _GAP = 720, 190, 52, 30, 26, 26
_COLOURS = ("#8fb4d9", "#1f5f99", "#b8441f", "#3d7a3d", "#7a4a8f")
Point = tuple[float, float]


class Line(NamedTuple):
    """One curve of a panel."""

    name: str
    points: Sequence[Point]


class Panel(NamedTuple):
    """Curves that share an axis, which starts at zero."""

    title: str
    lines: Sequence[Line]


def panels(log: Sequence[dict[str, Any]]) -> list[Panel]:
    """Return the panels of a log."""
    steps = [line for line in log if line["event"] == "step"]
    dev = [line for line in log if line["event"] == "dev"]
    loss = "sft_loss" if any("sft_loss" in line for line in steps) else "loss"

    def of(lines: Sequence[dict[str, Any]], key: str) -> list[Point]:
        return [(line["seconds"] / 60, line[key]) for line in lines if key in line]

    all_panels = [
        Panel(
            "loss per token of the reply",
            [Line("steps", smooth(of(steps, loss))), Line("dev", of(dev, "dev_loss"))],
        ),
        Panel(
            "share of dev incidents",
            [
                Line("free, exact", of(dev, "free_exact")),
                Line("under the grammar, exact", of(dev, "constrained_exact")),
                Line("under the grammar, acceptable", of(dev, "acceptable")),
            ],
        ),
        Panel(
            "reward in the simulator",
            [Line("steps", smooth(of(steps, "reward"))), Line("dev", of(dev, "reward"))],
        ),
        Panel("tokens per second", [Line("steps", smooth(of(steps, "tokens_per_second")))]),
    ]
    with_points = [Panel(p.title, [line for line in p.lines if line.points]) for p in all_panels]
    return [panel for panel in with_points if panel.lines]


def smooth(points: Sequence[Point], width: int = 8) -> list[Point]:
    """Return the moving average of the points."""
    averages = []
    for number, (x, _) in enumerate(points):
        window = [y for _, y in points[max(0, number - width + 1) : number + 1]]
        averages.append((x, sum(window) / len(window)))
    return averages


def svg(title: str, shown: Sequence[Panel]) -> str:
    """Return an SVG document with the panels below each other."""
    high = 24 + len(shown) * (_HIGH + _GAP)
    box = f'viewBox="0 0 {_WIDE} {high}" width="{_WIDE}" height="{high}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDE}" height="{high}" fill="#ffffff"/>',
        f'<text x="{_MARGIN}" y="17" font-size="14">{escape(title)}</text>',
    ]
    last = max((x for p in shown for curve in p.lines for x, _ in curve.points), default=1.0)
    for number, panel in enumerate(shown):
        lines += _panel(panel, 24 + number * (_HIGH + _GAP), last or 1.0)
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel, top: int, last: float) -> list[str]:
    low = min([0.0, *(y for curve in panel.lines for _, y in curve.points)])
    high = max([y for curve in panel.lines for _, y in curve.points] + [low + 1e-9])
    floor, ceiling = top + _HIGH - _BOTTOM, top + _TOP
    width = _WIDE - _MARGIN - 30

    def at(x: float, y: float) -> str:
        place = floor - (y - low) / (high - low) * (floor - ceiling)
        return f"{_MARGIN + x / last * width:.1f},{place:.1f}"

    lines = [f'<text x="{_MARGIN}" y="{top + 14}" font-weight="bold">{escape(panel.title)}</text>']
    for share in (0, 0.5, 1):
        value = low + share * (high - low)
        y = floor - share * (floor - ceiling)
        lines.append(
            f'<path d="M{_MARGIN},{y:.1f}h{width}" stroke="#dddddd"/>'
            f'<text x="{_MARGIN - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        )
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _MARGIN + share * width
        when = f"{share * last:.0f}{' min' if share == 1 else ''}"
        lines.append(
            f'<text x="{x:.0f}" y="{floor + 15}" text-anchor="middle">{escape(when)}</text>'
        )
    key = _MARGIN + 210
    for colour, curve in zip(_COLOURS[1:], panel.lines, strict=False):
        d = "M" + "L".join(at(x, y) for x, y in curve.points)
        lines.append(f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if len(curve.points) < 60:
            for x, y in curve.points:
                cx, _, cy = at(x, y).partition(",")
                lines.append(f'<circle cx="{cx}" cy="{cy}" r="2.5" fill="{colour}"/>')
        lines.append(f'<text x="{key}" y="{top + 14}" fill="{colour}">{escape(curve.name)}</text>')
        key += 30 + 6 * len(curve.name)
    return lines

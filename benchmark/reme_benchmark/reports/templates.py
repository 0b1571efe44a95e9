"""Renders reports and documentation pages from the Jinja2 templates of this package."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reme_benchmark.reports import formatting


def render(template: str, **context: object) -> str:
    """Return a rendered template. Values are escaped in HTML; in Markdown, only in tables."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reme_benchmark.reports"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cell": escape_cell,
        "count": formatting.number,
        "options": formatting.options,
        "percent": formatting.percent,
        "seconds": formatting.seconds,
        "share": formatting.share,
        "share_counts": formatting.share_counts,
        "share_rows": formatting.share_rows,
        "spread_rows": formatting.spread_rows,
        "value": formatting.value,
    }
    environment.globals |= {"table": table}
    return environment


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    rule: str = "",
    *,
    markup: bool = False,
) -> str:
    """Return a Markdown table; `rule` is its second line.

    Cells are escaped, except with `markup`, which is for cells that the repository wrote itself.
    """
    escape = str if markup else escape_cell
    lines = [f"| {' | '.join(heads)} |", rule or f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(escape(str(cell)) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def escape_cell(text: str) -> str:
    """Return one line of text that Markdown takes neither for markup nor for the end of a cell."""
    return re.sub(r"([\\`|<>\[\]*])", r"\\\1", " ".join(text.split()))

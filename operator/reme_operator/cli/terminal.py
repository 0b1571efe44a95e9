"""Output for a terminal or a pipe: escaped foreign text, colours, tables."""

import os
from collections.abc import Iterable
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

ColorMode = Literal["auto", "always", "never"]

_UNLIMITED_WIDTH = 10_000


def escape(text: str, longest: int = 1024) -> str:
    """Return the text on one line, at most so long, with every unprintable character written out.

    Control characters, line ends and the marks that reverse the direction of text become escapes:
    the content of an object must not be able to move the cursor or to look like something else.
    """
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= longest else f"{safe[: longest - 1]}…"


class Output(Console):
    """Standard output: never wraps or cuts a line, so that what is piped is complete."""

    def __init__(self, mode: ColorMode = "auto") -> None:
        plain = mode == "never" or (mode == "auto" and bool(os.environ.get("NO_COLOR")))
        super().__init__(
            force_terminal=True if mode == "always" else None,
            color_system=None if plain else "standard" if mode == "always" else "auto",
            no_color=False if mode == "always" else None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            width=_UNLIMITED_WIDTH,
        )

    def lines(self, lines: Iterable[Text | str]) -> None:
        """Print each on a line of its own."""
        for line in lines:
            self.print(line)

    def on_broken_pipe(self) -> None:
        """Leave it to the caller; the library would exit with 1."""
        raise BrokenPipeError


def new_table(*columns: str) -> Table:
    """Return a table with these headings and no borders."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def labelled_line(name: str, text: str) -> Text:
    """Return an indented line with a name and a text, which is escaped."""
    return Text(f"  {name:<11}{escape(text)}")

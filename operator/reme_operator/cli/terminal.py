"""Foreign text made safe for a terminal, and the few colours."""

from dataclasses import dataclass

_CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


def escaped(text: str, longest: int = 1024) -> str:
    """Return the text on one line, with everything that could move a cursor written out.

    Control characters, line ends, and the marks that turn the direction of a line around are shown
    as escapes: what a record says must not be able to look like something else.
    """
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= longest else f"{safe[: longest - 1]}…"


@dataclass(frozen=True)
class Paint:
    """Colours, if the terminal has any."""

    on: bool = False

    def __call__(self, text: str, colour: str) -> str:
        """Return the text in that colour."""
        return f"\033[{_CODES[colour]}m{text}\033[0m" if self.on else text

"""Tables of what was seen: printed whatever pytest hides, and kept beside the other results."""

from collections.abc import Sequence
from pathlib import Path

import pytest

ARTIFACTS = Path(__file__).parents[3] / "artifacts"
Row = Sequence[object]


def table(head: Row, rows: Sequence[Row]) -> str:
    """Return a table of Markdown; seconds with two digits, nothing as a dash."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def show(capsys: pytest.CaptureFixture[str], name: str, title: str, text: str) -> None:
    """Print a table, and write it to a file of the artifacts."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / f"{name}.md").write_text(f"{title}\n\n{text}\n")
    with capsys.disabled():
        print(f"\n\n{title}\n\n{text}\n")

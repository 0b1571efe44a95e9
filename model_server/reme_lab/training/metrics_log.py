"""Log of a run: one JSON object per line; the first line identifies the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "log.jsonl"


class MetricsLog:
    """Appends to the log in a run's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def write(self, event: str, **figures: Any) -> None:
        """Append a line."""
        line = json.dumps({"event": event, **_rounded(figures)}) + "\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)

    def clear(self) -> None:
        """Delete the log."""
        self._path.unlink(missing_ok=True)

    def rewind(self, step: int) -> None:
        """Remove the lines after a step, before the run continues from there."""
        lines = [line for line in read(self._path.parent) if line.get("step", 0) <= step]
        temporary = self._path.with_suffix(".new")
        temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
        temporary.replace(self._path)


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the log; a line truncated by a crash is skipped."""
    path = folder / FILE
    if not path.exists():
        return []
    lines: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in figures.items()}

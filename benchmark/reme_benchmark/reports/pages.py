"""Writes documentation pages from stored results, so that no figure is typed by hand."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

RESULTS = Path("benchmark/results")
S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Summaries(Generic[S]):
    """The summaries in a folder, one JSON file each."""

    folder: Path
    kind: type[S]

    def store(self, name: str, summary: S) -> None:
        """Write a summary; an earlier one of the same name is replaced."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.json").write_text(summary.model_dump_json(indent=1) + "\n")

    def by_name(self) -> dict[str, S]:
        """Return all summaries by name."""
        files = sorted(self.folder.glob("*.json"))
        return {file.stem: self.kind.model_validate_json(file.read_text()) for file in files}


def options(module: str, about: str | None, *, take: bool = False) -> argparse.ArgumentParser:
    """Return the options of the command that writes a page."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    if take:
        parser.add_argument(
            "--take", nargs=2, metavar=("RESULTS", "NAME"), help="store the summary of a run first"
        )
    parser.add_argument("--check", action="store_true", help="fail when the page is out of date")
    return parser


def write(page: Path, text: str, *, check: bool) -> int:
    """Write a page and return 0; with `check`, only compare it, and return 1 if it differs."""
    if not check:
        page.write_text(text)
    elif not page.exists() or page.read_text() != text:
        print(f"{page} is out of date: run the command without --check", file=sys.stderr)
        return 1
    return 0

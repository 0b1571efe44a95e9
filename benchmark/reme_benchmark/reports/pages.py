"""Pages that are written from kept results: no figure on them is typed by hand."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Summaries(Generic[S]):
    """The summaries in a folder, each under the name that it was kept by."""

    folder: Path
    kind: type[S]

    def keep(self, name: str, summary: S) -> None:
        """Write one, in place of what had the name before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.json").write_text(summary.model_dump_json(indent=1) + "\n")

    def by_name(self) -> dict[str, S]:
        """Return all of them."""
        kept = sorted(self.folder.glob("*.json"))
        return {path.stem: self.kind.model_validate_json(path.read_text()) for path in kept}


def options(module: str, about: str | None, *, take: bool = False) -> argparse.ArgumentParser:
    """Return the options of the command that writes a page; `take` are results to keep first."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    if take:
        parser.add_argument("--take", nargs=2, metavar=("RESULTS", "NAME"))
    parser.add_argument("--check", action="store_true", help="fail when the page is not as kept")
    return parser


def write(page: Path, text: str, *, check: bool) -> int:
    """Write a page; with `check` only return 1 and say so when it reads otherwise."""
    if not check:
        page.write_text(text)
    elif not page.exists() or page.read_text() != text:
        print(f"{page} is not what the kept results say", file=sys.stderr)
        return 1
    return 0

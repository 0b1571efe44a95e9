"""Writes generated files, or says how the files that are there differ."""

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path


def sync(files: Mapping[Path, str], *, check: bool) -> int:
    """Write the files, or with `check` print what differs; return the exit status.

    A generated file beside them that is no longer made is removed, and counts as a difference.
    """
    drift = 0
    for path, text in {**_leftovers(files), **files}.items():
        before = path.read_text() if path.is_file() else ""
        if before == text:
            continue
        drift += 1
        if check:
            sys.stdout.writelines(
                difflib.unified_diff(
                    before.splitlines(keepends=True),
                    text.splitlines(keepends=True),
                    f"{path.name} (as it is)",
                    f"{path.name} (as generated)",
                )
            )
        elif text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.name}")
        else:
            path.unlink()
            print(f"removed {path.name}")
    return 1 if check and drift else 0


def _leftovers(files: Mapping[Path, str]) -> dict[Path, str]:
    """Return files with the same first line that nobody generates any more, as empty texts."""
    headers = {text.partition("\n")[0] for text in files.values()}
    stale = {path for folder in {p.parent for p in files} for path in folder.glob("*.yaml")}
    return {
        path: ""
        for path in sorted(stale - files.keys())
        if path.read_text().partition("\n")[0] in headers
    }

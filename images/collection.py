"""Extracts one collection from a bundle's wheel: `python collection.py FOLDER NAME INTO`."""

import sys
import zipfile
from pathlib import Path

# Only for the authors of the collection.
LEFT_OUT = ("tests/", "docs/", "changelogs/", ".github/", ".vscode/")


def main(folder: Path, name: str, into: Path) -> None:
    """Extract the collection from the only wheel in the folder."""
    (wheel,) = folder.glob("*.whl")
    inside = f"ansible_collections/{name.replace('.', '/')}/"
    with zipfile.ZipFile(wheel) as bundle:
        for entry in bundle.namelist():
            rest = entry.removeprefix(inside)
            if entry.startswith(inside) and not rest.startswith(LEFT_OUT):
                bundle.extract(entry, into)
    if not (into / inside / "MANIFEST.json").is_file():
        sys.exit(f"{wheel.name} does not contain {name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))

"""One digest for everything that decides what an image holds: the same key, the same image."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from reme_images.dockerfile import Stage

_LEFT_OUT = "__pycache__"


class Copied(NamedTuple):
    """A file as COPY takes it."""

    path: str
    executable: bool
    digest: str


Files = Callable[[str], Iterable[Copied]]


def image_key(stages: Iterable[Stage], base_ids: Iterable[str], files: Files) -> str:
    """Return the key of an image.

    Args:
        stages: the stages that the image is made from.
        base_ids: what they begin with.
        files: returns what COPY takes for one of its patterns, in a fixed order.
    """
    total = hashlib.sha256()
    for part in base_ids:
        total.update(f"base {part}\n".encode())
    for stage in stages:
        total.update(f"stage {stage.name} {stage.base}\n".encode())
        for line in stage.instructions:
            total.update(f"{line}\n".encode())
        for pattern in stage.sources:
            for file in files(pattern):
                total.update(f"file {file.path} {file.executable} {file.digest}\n".encode())
    return total.hexdigest()


def files_below(root: Path) -> Files:
    """Return how to find what COPY takes out of a folder."""

    def files(pattern: str) -> Iterator[Copied]:
        for found in sorted(root.glob(pattern)):
            for path in sorted(found.rglob("*")) if found.is_dir() else [found]:
                if path.is_file() and _LEFT_OUT not in path.parts:
                    executable = bool(path.stat().st_mode & 0o100)
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    yield Copied(str(path.relative_to(root)), executable, digest)

    return files

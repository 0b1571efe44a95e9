"""One digest for everything that decides what an image holds: the same key, the same image."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from reme_images.dockerfile import Stage

_LEFT_OUT = "__pycache__"


def image_key(root: Path, stages: Iterable[Stage], base_ids: Iterable[str]) -> str:
    """Return the key of an image.

    Args:
        root: the repository.
        stages: the stages that the image is made from.
        base_ids: what they begin with.
    """
    total = hashlib.sha256()
    for part in base_ids:
        total.update(f"base {part}\n".encode())
    for stage in stages:
        total.update(f"stage {stage.name} {stage.base}\n".encode())
        for line in stage.instructions:
            total.update(f"{line}\n".encode())
        for path in _files(root, stage.sources):
            executable = bool(path.stat().st_mode & 0o100)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"file {path.relative_to(root)} {executable} {digest}\n".encode())
    return total.hexdigest()


def _files(root: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """Yield the files that COPY would take, in a fixed order."""
    for pattern in patterns:
        for found in sorted(root.glob(pattern)):
            inside = sorted(found.rglob("*")) if found.is_dir() else [found]
            for path in inside:
                if path.is_file() and _LEFT_OUT not in path.relative_to(root).parts:
                    yield path

"""The cache key of an image: a digest of everything that decides its content."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from reme_images.dockerfile import Stage

_IGNORED_DIRECTORY = "__pycache__"


class CopiedFile(NamedTuple):
    """A file that a COPY copies."""

    path: str
    executable: bool
    digest: str


FindFiles = Callable[[str], Iterable[CopiedFile]]


def image_key(stages: Iterable[Stage], base_ids: Iterable[str], find_files: FindFiles) -> str:
    """Return the key of an image.

    Args:
        stages: the stages of the image.
        base_ids: the ids of their base images.
        find_files: returns the files that COPY copies for a pattern, in a fixed order.
    """
    digest = hashlib.sha256()
    for base_id in base_ids:
        digest.update(f"base {base_id}\n".encode())
    for stage in stages:
        digest.update(f"stage {stage.name} {stage.base}\n".encode())
        for line in stage.instructions:
            digest.update(f"{line}\n".encode())
        for pattern in stage.sources:
            for file in find_files(pattern):
                digest.update(f"file {file.path} {file.executable} {file.digest}\n".encode())
    return digest.hexdigest()


def files_below(root: Path) -> FindFiles:
    """Return a function that finds the files of a folder that a pattern of COPY matches."""

    def find_files(pattern: str) -> Iterator[CopiedFile]:
        for match in sorted(root.glob(pattern)):
            for path in sorted(match.rglob("*")) if match.is_dir() else [match]:
                if path.is_file() and _IGNORED_DIRECTORY not in path.parts:
                    executable = bool(path.stat().st_mode & 0o100)
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    yield CopiedFile(str(path.relative_to(root)), executable, digest)

    return find_files

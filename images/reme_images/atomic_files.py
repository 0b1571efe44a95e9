"""Files that are either whole or not there, and one builder at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reme_images import commands


def write(path: Path, text: str) -> None:
    """Write a small file in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Wait until no other builder uses the cache, and keep others out."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            commands.say("  … another build is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        scratch = cache / "scratch"
        # What an interrupted builder left there.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        yield

"""A lock file that lets one command at a time work on something."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reme_cluster import progress
from reme_cluster.errors import BusyError


@contextmanager
def exclusive(path: Path, what: str, *, wait_seconds: float = 0) -> Iterator[None]:
    """Hold a lock file while the block runs.

    The kernel releases the lock when its holder ends, however it ends. The holder may delete
    the file (`down` removes its directory): a lock on a deleted file does not count.

    Args:
        path: the lock file.
        what: what it protects, for messages.
        wait_seconds: how long to wait for another holder.

    Raises:
        BusyError: another process holds the lock for longer than that.
    """
    deadline = time.monotonic() + wait_seconds
    descriptor = _acquire(path)
    if descriptor is None and wait_seconds > 5:
        progress.say(f"  … {what}: waiting for another command{_holder(path)}")
    while descriptor is None:
        if time.monotonic() >= deadline:
            raise BusyError(f"{what}: another command holds it{_holder(path)}; try again later")
        time.sleep(0.2)
        descriptor = _acquire(path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(path: Path) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _holder(path: Path) -> str:
    try:
        pid = path.read_text().strip()
    except OSError:
        return ""
    return f" (process {pid})" if pid else ""

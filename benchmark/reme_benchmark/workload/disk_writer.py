"""Writes that reach the disk before they return, into a bounded set of files."""

import mmap
import os
import threading

_FILES = 16
_PAGE = 4096
_MEBIBYTE = 1024 * 1024


class Scratch:
    """A ring of files in one directory."""

    def __init__(self, directory: str, kibibytes: int) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._next = 0
        # Direct writes need memory that begins at a page and lengths that are whole pages.
        self._content = _filled(max(_PAGE, -(-kibibytes * 1024 // _PAGE) * _PAGE))

    def write(self) -> None:
        """Write the next file of the ring.

        Raises:
            OSError: the directory cannot be written, for instance because it is full.
        """
        with self._lock:
            number = self._next = (self._next + 1) % _FILES
        path = f"{self._directory}/ring-{number}"
        try:
            _write(path, self._content)
        except FileNotFoundError as error:
            raise OSError(error.errno, f"no directory {self._directory}") from error

    def fill(self, mebibytes: int) -> None:
        """Write that much and keep it.

        Raises:
            OSError: there is no room for it; what was written stays.
        """
        content = _filled(_MEBIBYTE)
        handle = os.open(f"{self._directory}/fill", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            for _ in range(mebibytes):
                os.write(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)


def _filled(length: int) -> mmap.mmap:
    content = mmap.mmap(-1, length)
    content.write(os.urandom(_PAGE) * (length // _PAGE))
    return content


def _write(path: str, content: mmap.mmap) -> None:
    flags = os.O_CREAT | os.O_WRONLY | os.O_DSYNC
    try:
        # Past the page cache, where a limit on the container's disk is felt on every kernel.
        handle = os.open(path, flags | os.O_DIRECT, 0o600)
    except OSError:
        # A file system in memory may not have direct writes.
        handle = os.open(path, flags, 0o600)
    try:
        if os.write(handle, content) < len(content):
            raise OSError(28, os.strerror(28))
    finally:
        os.close(handle)

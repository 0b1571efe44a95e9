"""Shows each step with the time it took, on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print a line for people; standard output stays clean for programs."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show that a step is running, then its time, or that it failed."""
    terminal = sys.stderr.isatty()
    if terminal:
        print(f"  … {title}", end="", file=sys.stderr, flush=True)
    began = time.monotonic()
    mark = "✗"
    try:
        yield
        mark = "✓"
    finally:
        lead = "\r\033[K" if terminal else ""
        say(f"{lead}  {mark} {title} ({duration(time.monotonic() - began)})")


def duration(seconds: float) -> str:
    """Write a time as people say it: `0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"

"""Shows the steps of a command and their durations on standard error."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print a line for people; standard output is for programs."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show that a step is running, then its duration, or that it failed.

    Yields a function that shows a detail of the running step on a terminal.
    """
    is_terminal = sys.stderr.isatty()

    def show_detail(detail: str) -> None:
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1
            line = f"  … {title}: {detail}" if detail else f"  … {title}"
            print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)

    show_detail("")
    start = time.monotonic()
    mark = "✗"
    try:
        yield show_detail
        mark = "✓"
    finally:
        clear_line = "\r\033[K" if is_terminal else ""
        say(f"{clear_line}  {mark} {title} ({duration(time.monotonic() - start)})")


def duration(seconds: float) -> str:
    """Format a duration, such as `0.4 s`, `12 s` or `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"

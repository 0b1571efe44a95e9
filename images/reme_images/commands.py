"""Runs other programs: quietly, with their output kept for the moment that it is needed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reme_images.errors import CommandError

_SHORT_SECONDS = 60
_TERMINAL = sys.stderr.isatty()


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = _SHORT_SECONDS,
) -> str:
    """Return what a program prints.

    Raises:
        CommandError: it failed, is not there, or took longer than the timeout.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(words, str(error)) from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(words, f"no end within {timeout_seconds:.0f} s") from error
    if done.returncode:
        raise CommandError(words, done.stdout + done.stderr)
    return done.stdout


def follow(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    each_line: Callable[[str], None] | None = None,
) -> None:
    """Run a program that takes long, hand on its lines, and keep them in a log.

    When interrupted, it and everything that it started are stopped before this returns.

    Raises:
        CommandError: it failed; the end of the log is the message.
    """
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as kept:
        process = subprocess.Popen(
            words,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.write(line)
                kept.flush()
                if each_line:
                    each_line(line.rstrip())
            code = process.wait()
        except BaseException:
            _stop(process)
            raise
    if code:
        raise CommandError(words, f"{log.read_text(errors='replace')}\n(all of it: {log})")


def _stop(process: subprocess.Popen[str]) -> None:
    """End a program's whole session, kindly at first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        return


def say(text: str) -> None:
    """Print a line for people; standard output stays clean for programs."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show that something is being done, what it is at now, and how long it took."""

    def now_at(detail: str) -> None:
        if _TERMINAL:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K  … {title}: {detail}"[:width], end="", file=sys.stderr, flush=True)

    now_at("")
    began, mark = time.monotonic(), "✗"
    try:
        yield now_at
        mark = "✓"
    finally:
        seconds = time.monotonic() - began
        took = (
            f"{seconds:.1f} s"
            if seconds < 60
            else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
        )
        if _TERMINAL:
            print("\r\033[K", end="", file=sys.stderr)
        say(f"  {mark} {title} ({took})")

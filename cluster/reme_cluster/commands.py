"""Runs other programs: lists of arguments, never a shell string."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from reme_cluster.errors import CommandError


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float = 300,
) -> str:
    """Run a program to its end and return its standard output.

    Raises:
        CommandError: the program is missing, took too long or failed; the message holds the
            end of what it wrote.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input="" if stdin is None else stdin,
            env=None if env is None else {**os.environ, **env},
            cwd=cwd,
            timeout=timeout_seconds,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(words, 127, f"{words[0]}: no such program") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(words, 124, f"not done after {timeout_seconds:.0f} s") from error
    if done.returncode != 0:
        raise CommandError(words, done.returncode, done.stderr + done.stdout)
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, timeout_seconds: float = 30) -> bool:
    """Tell whether a program exists and ends well."""
    try:
        run(argv, timeout_seconds=timeout_seconds)
    except CommandError:
        return False
    return True

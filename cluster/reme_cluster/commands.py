"""Runs other programs from lists of arguments, without a shell."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reme_cluster.errors import CommandError


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float = 300,
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        argv: the program and its arguments.
        stdin: text for its standard input.
        env: variables to add to this process's environment.
        cwd: its working directory.
        timeout_seconds: seconds after which it is killed.

    Raises:
        CommandError: the program is missing, took too long or failed; the message holds the
            end of its output.
    """
    words = [str(word) for word in argv]
    try:
        process = subprocess.run(
            words,
            input=stdin,
            env={**os.environ, **(env or {})},
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
        raise CommandError(words, 124, f"stopped after {timeout_seconds:.0f} s") from error
    if process.returncode != 0:
        raise CommandError(words, process.returncode, process.stderr + process.stdout)
    return process.stdout


def succeeds(argv: Sequence[str | Path], *, timeout_seconds: float = 30) -> bool:
    """Return whether a program exists and ends with exit code 0."""
    try:
        run(argv, timeout_seconds=timeout_seconds)
    except CommandError:
        return False
    return True


def run_with_log(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run a program of any duration, write its output to a log, and pass on each line.

    When this process is interrupted, the program and all that it started end first.

    Raises:
        CommandError: the program failed; the message holds the end of the log.
    """
    words = [str(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as log_stream:
        process = subprocess.Popen(
            words,
            env={**os.environ, **(env or {})},
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
                log_stream.write(line)
                log_stream.flush()
                if on_line:
                    on_line(line.rstrip())
            code = process.wait()
        except BaseException:
            _end_session(process)
            raise
    if code:
        raise CommandError(words, code, f"{log.read_text(errors='replace')}\n(whole log: {log})")


def _end_session(process: subprocess.Popen[str]) -> None:
    """End all processes of the program's session, with SIGKILL after 10 s."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        return

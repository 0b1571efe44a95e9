"""Starts and ends processes on the node."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reme_benchmark.injection.agent.containers import PROC
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.fault_tag import Mark

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = str(Path(__file__).resolve().parents[3])
_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C", "PYTHONPATH": _PACKAGES, "PYTHONSAFEPATH": "1"}
_MODULES = "reme_benchmark.injection.agent"
_READY_SECONDS = 8.0


@dataclass(slots=True)
class Launcher:
    """Starts helpers that outlive the agent, and collects those that have ended."""

    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, command: Sequence[str]) -> None:
        """Start a helper, and return when it has said `ready`.

        Raises:
            AgentError: it did not come up; what is left of it carries its mark.

        """
        self.reap()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        self._children.append(child)
        said = _said(child, _READY_SECONDS)
        if said != "ready":
            raise AgentError(f"it did not start: {said or 'no answer within its time'}")

    def reap(self) -> None:
        """Collect what has ended."""
        self._children = [child for child in self._children if child.poll() is None]


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of the agent's own programs."""
    return [sys.executable, "-S", "-m", f"{_MODULES}.{module}", *arguments]


def run(
    command: Sequence[str], *, stdin: str = "", timeout_seconds: float = 10.0
) -> subprocess.CompletedProcess[str]:
    """Run a tool of the node to its end; the caller looks at its exit code.

    Raises:
        AgentError: it is not installed, or took too long.

    """
    try:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=_ENVIRONMENT,
            check=False,
        )
    except FileNotFoundError as error:
        raise AgentError(f"{command[0]} is not in the agent's image") from error
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"{command[0]} took longer than {timeout_seconds:g} s") from error


def marked() -> list[tuple[int, str, Mark]]:
    """Return (pid, program, mark) of every process on the node that belongs to a fault."""
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if mark := mark_in(words):
            found.append((int(entry.name), Path(words[0]).name, mark))
    return found


def mark_in(words: Sequence[str]) -> Mark | None:
    """Return the mark of a helper of ours; a person who searches for a mark is not one."""
    if not any(word.startswith(f"{_MODULES}.") for word in words):
        return None
    found = ((word, Mark.find(word)) for word in words)
    return next((mark for word, mark in found if mark and str(mark) == word), None)


def end(wanted: Callable[[Mark], bool], *, patience_seconds: float = 1.0) -> None:
    """End every process of some faults, gently first: a delayer sends what it holds."""
    until = time.monotonic() + patience_seconds
    signalled: set[int] = set()
    while left := [(pid, program) for pid, program, mark in marked() if wanted(mark)]:
        last = time.monotonic() > until
        for pid, program in left:
            # nsenter only waits for its child: it ends by itself, after it.
            if not last and (program == "nsenter" or pid in signalled):
                continue
            _signal(pid, signal.SIGKILL if last else signal.SIGTERM)
            signalled.add(pid)
        time.sleep(0.005)
        if time.monotonic() > until + patience_seconds:
            raise AgentError(f"processes {', '.join(str(pid) for pid, _ in left)} do not end")


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _said(child: subprocess.Popen[bytes], seconds: float) -> str:
    """Return the last line of a helper that ends, or `ready` as soon as one says it."""
    assert child.stdout
    until, text = time.monotonic() + seconds, b""
    with child.stdout as pipe:
        while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            part = os.read(pipe.fileno(), 4096)
            text += part
            if not part or text.startswith(b"ready\n"):
                break
    lines = text.decode(errors="replace").strip().splitlines()
    return "ready" if lines[:1] == ["ready"] else "".join(lines[-1:])[:300]

"""Starts, finds and ends the helper processes of faults on the node."""

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
from reme_benchmark.injection.fault_tag import FaultTag

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = str(Path(__file__).resolve().parents[3])
_ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C", "PYTHONPATH": _PACKAGES, "PYTHONSAFEPATH": "1"}
_MODULES = "reme_benchmark.injection.agent"
_READY_SECONDS = 8.0


@dataclass(slots=True)
class Launcher:
    """Starts helper processes that outlive the agent, and reaps those that have ended."""

    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, command: Sequence[str]) -> None:
        """Start a helper, and return when it has printed `ready`.

        Raises:
            AgentError: it did not become ready; a process that is left carries its tag.
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
        output = _first_output(child, _READY_SECONDS)
        if output != "ready":
            raise AgentError(
                f"the helper did not start: {output or f'no output in {_READY_SECONDS:g} s'}"
            )

    def reap(self) -> None:
        """Reap the helpers that have ended."""
        self._children = [child for child in self._children if child.poll() is None]


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of the agent's modules, without site-packages."""
    return [sys.executable, "-S", "-m", f"{_MODULES}.{module}", *arguments]


def run(
    command: Sequence[str], *, stdin: str = "", timeout_seconds: float = 10.0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; the caller checks the exit code.

    Raises:
        AgentError: the program is not installed, or took longer than the timeout.
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
        raise AgentError(f"the agent's image has no program {command[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"{command[0]} took longer than {timeout_seconds:g} s") from error


def tagged_processes() -> list[tuple[int, str, FaultTag]]:
    """Return (pid, program, tag) of every process on the node that belongs to a fault."""
    tagged = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if tag := tag_in(words):
            tagged.append((int(entry.name), Path(words[0]).name, tag))
    return tagged


def tag_in(words: Sequence[str]) -> FaultTag | None:
    """Return the tag of a helper; a command that merely searches for a tag is none."""
    if not any(word.startswith(f"{_MODULES}.") for word in words):
        return None
    tags = ((word, FaultTag.find(word)) for word in words)
    return next((tag for word, tag in tags if tag and str(tag) == word), None)


def end(chosen: Callable[[FaultTag], bool], *, patience_seconds: float = 1.0) -> None:
    """End the processes of some faults: SIGTERM first, then SIGKILL.

    A delaying process sends the packets that it holds on SIGTERM.

    Raises:
        AgentError: a process does not end within twice the patience.
    """
    until = time.monotonic() + patience_seconds
    signalled: set[int] = set()
    while running := [(pid, program) for pid, program, tag in tagged_processes() if chosen(tag)]:
        kill = time.monotonic() > until
        for pid, program in running:
            # nsenter waits for its child and ends after it.
            if not kill and (program == "nsenter" or pid in signalled):
                continue
            _signal(pid, signal.SIGKILL if kill else signal.SIGTERM)
            signalled.add(pid)
        time.sleep(0.005)
        if time.monotonic() > until + patience_seconds:
            raise AgentError(f"processes {', '.join(str(pid) for pid, _ in running)} do not end")


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _first_output(child: subprocess.Popen[bytes], seconds: float) -> str:
    """Return `ready` as soon as a helper prints it, else the last line that it printed."""
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

"""Starts components so that they outlive us, and knows them again by number and start time."""

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reme_cluster.errors import ClusterError
from reme_cluster.files import read_json, tail, write_json
from reme_cluster.host import cgroups

_MAX_LOG_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Component:
    """One long-running program: how it starts, and where its record and log are."""

    name: str
    node: str
    argv: tuple[str, ...]
    cgroup: str
    record: Path
    log: Path
    # The process whose network and mount namespaces it joins; None for the host's own.
    namespaces_of: int | None = None
    # Files whose content it reads only at start.
    reads: Sequence[Path] = field(default_factory=tuple)

    @property
    def digest(self) -> str:
        """Tells one way of starting from another: a changed component is restarted."""
        digest = hashlib.sha256("\0".join(self.argv).encode())
        digest.update(str(self.namespaces_of).encode())
        for path in self.reads:
            digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Record:
    """What is known of a process that was started, enough to recognise it later."""

    pid: int
    start_ticks: int
    boot_id: str
    digest: str
    started_at: float = 0.0  # seconds since the epoch

    @property
    def alive(self) -> bool:
        """Whether this very process still runs: numbers are used again, start times are not."""
        return self.boot_id == boot_id() and start_ticks(self.pid) == self.start_ticks


def boot_id() -> str:
    """Return an identifier that changes whenever the machine starts."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone or dead."""
    try:
        # The name in parentheses may hold spaces and parentheses of its own.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def read_record(path: Path) -> Record | None:
    """Return what was recorded of a component, if anything."""
    value = read_json(path)
    return Record(**value) if isinstance(value, dict) else None


def ensure(component: Component) -> Record:
    """Start a component unless it already runs as it should; return the record of it.

    One that was started by a command that died before writing the record is in the
    component's cgroup without a record: it is ended first.
    """
    record = read_record(component.record)
    if record and record.alive and record.digest == component.digest:
        return record
    stop_all([component.record])
    cgroups.create(component.cgroup)
    _end_unrecorded(component)
    started = _start(component)
    write_json(component.record, started.__dict__)
    return started


def _end_unrecorded(component: Component) -> None:
    """End whatever else is in the component's cgroup, except containerd's shims.

    Shims carry running containers, and a new containerd takes them over.
    """
    strays = [pid for pid in cgroups.pids(component.cgroup) if not _is_shim(pid)]
    for pid in strays:
        cgroups.signal_member(pid, component.cgroup, signal.SIGKILL)
    _wait_gone(strays, 5)


def _is_shim(pid: int) -> bool:
    try:
        return b"containerd-shim" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False


def _start(component: Component) -> Record:
    component.log.parent.mkdir(parents=True, exist_ok=True)
    if component.log.exists() and component.log.stat().st_size > _MAX_LOG_BYTES:
        component.log.replace(component.log.with_suffix(".log.1"))
    join = str(cgroups.tracking_file(component.cgroup))

    def enter_cgroup() -> None:
        with open(join, "w") as procs:  # noqa: PTH123 - as little as possible after a fork
            procs.write("0")

    words = list(component.argv)
    if component.namespaces_of is not None:
        words = ["nsenter", "-t", str(component.namespaces_of), "-n", "-m", "--", *words]
    with component.log.open("ab") as log:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            preexec_fn=enter_cgroup,
        )
    ticks = start_ticks(process.pid)
    process.returncode = 0  # it lives on without us: no warning about a running child
    return Record(process.pid, ticks or 0, boot_id(), component.digest, time.time())


def stop_all(records: Sequence[Path], *, grace_seconds: float = 5) -> None:
    """End recorded processes together: ask first, insist after the grace time."""
    for number, patience in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        pids = []
        for path in records:
            record = read_record(path)
            if record and _signal(record, number):
                pids.append(record.pid)
        if not _wait_gone(pids, patience):
            break
    for path in records:
        path.unlink(missing_ok=True)


def _signal(record: Record, number: signal.Signals) -> bool:
    """Signal the recorded process; False if it is not there any more."""
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return False
    try:
        # Checked after opening: the descriptor cannot move on to another process.
        if not record.alive:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _wait_gone(pids: Sequence[int], seconds: float) -> list[int]:
    """Wait for processes to end and return those that did not."""
    deadline = time.monotonic() + seconds
    remaining = list(pids)
    while remaining:
        for pid in remaining:
            _reap(pid)
        remaining = [pid for pid in remaining if start_ticks(pid) is not None]
        if time.monotonic() > deadline:
            break
        time.sleep(0.03)
    return remaining


def _reap(pid: int) -> None:
    """Collect a child of our own that ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def require_alive(component: Component) -> None:
    """Fail with the end of the log if a component died.

    Raises:
        ClusterError: it is dead.
    """
    record = read_record(component.record)
    if record is None or not record.alive:
        raise ClusterError(
            f"{component.name} on {component.node} died; the end of {component.log}:\n"
            + tail(component.log, 15)
        )


def wait_until(ready: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Wait until something is so.

    Raises:
        ClusterError: it is not so in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not ready after {seconds:.0f} s")
        time.sleep(0.05)

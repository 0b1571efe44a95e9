"""Starts components that outlive this process, and identifies them by id and start time."""

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
    """One long-running program: its command, its record and its log."""

    name: str
    node: str
    argv: tuple[str, ...]
    cgroup: str
    record: Path
    log: Path
    # The id of the process whose network and mount namespaces it joins; None for the host's.
    namespaces_of: int | None = None
    # Files that it reads only at start.
    reads: Sequence[Path] = field(default_factory=tuple)

    @property
    def digest(self) -> str:
        """The digest of its command and files: a changed component is restarted."""
        digest = hashlib.sha256("\0".join(self.argv).encode())
        digest.update(str(self.namespaces_of).encode())
        for path in self.reads:
            digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Record:
    """A started process, with enough data to identify it later."""

    pid: int
    start_ticks: int
    boot_id: str
    digest: str
    started_at: float = 0.0  # seconds since the epoch

    @property
    def alive(self) -> bool:
        """Whether this process still runs; its id alone may have been used again."""
        return self.boot_id == boot_id() and start_ticks(self.pid) == self.start_ticks


def boot_id() -> str:
    """Return the identifier of this start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it has ended."""
    try:
        # The name in parentheses may contain spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def read_record(path: Path) -> Record | None:
    """Return the record of a component, if it has one."""
    value = read_json(path)
    return Record(**value) if isinstance(value, dict) else None


def ensure(component: Component) -> Record:
    """Start a component unless it runs with the same command and files; return its record.

    A process of a command that was killed before it wrote the record is in the component's
    cgroup: it is killed first.
    """
    record = read_record(component.record)
    if record and record.alive and record.digest == component.digest:
        return record
    stop_all([component.record])
    cgroups.create(component.cgroup)
    _kill_unrecorded(component)
    record = _start(component)
    write_json(component.record, record.__dict__)
    return record


def _kill_unrecorded(component: Component) -> None:
    """Kill all other processes in the component's cgroup, except containerd's shims.

    Shims belong to running containers, and a new containerd takes them over.
    """
    unrecorded = [pid for pid in cgroups.pids(component.cgroup) if not _is_shim(pid)]
    for pid in unrecorded:
        cgroups.signal_member(pid, component.cgroup, signal.SIGKILL)
    _wait_for_end(unrecorded, 5)


def _is_shim(pid: int) -> bool:
    try:
        return b"containerd-shim" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False


def _start(component: Component) -> Record:
    component.log.parent.mkdir(parents=True, exist_ok=True)
    if component.log.exists() and component.log.stat().st_size > _MAX_LOG_BYTES:
        component.log.replace(component.log.with_suffix(".log.1"))
    tracking_file = str(cgroups.tracking_file(component.cgroup))

    def enter_cgroup() -> None:
        with open(tracking_file, "w") as procs:  # noqa: PTH123 - minimal code after a fork
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
    process.returncode = 0  # it outlives this process: no warning about a running child
    return Record(process.pid, ticks or 0, boot_id(), component.digest, time.time())


def stop_all(records: Sequence[Path], *, grace_seconds: float = 5) -> None:
    """End recorded processes together: with SIGTERM, and SIGKILL after the grace time."""
    for number, timeout in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        pids = []
        for path in records:
            record = read_record(path)
            if record and _signal(record, number):
                pids.append(record.pid)
        if not _wait_for_end(pids, timeout):
            break
    for path in records:
        path.unlink(missing_ok=True)


def _signal(record: Record, number: signal.Signals) -> bool:
    """Signal the recorded process; return False if it has ended."""
    try:
        descriptor = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return False
    try:
        # Checked after opening: from now on the descriptor refers to this process.
        if not record.alive:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _wait_for_end(pids: Sequence[int], seconds: float) -> list[int]:
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
    """Reap a child of this process that has ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def require_alive(component: Component) -> None:
    """Raise ClusterError with the end of the log if a component has ended."""
    record = read_record(component.record)
    if record is None or not record.alive:
        raise ClusterError(
            f"{component.name} on {component.node} has ended; the end of {component.log}:\n"
            + tail(component.log, 15)
        )


def wait_until(ready: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Wait until a function returns True.

    Raises:
        ClusterError: it does not within the given seconds.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not ready after {seconds:.0f} s")
        time.sleep(0.05)

"""Puts every process of a cluster below one cgroup, so that all of them can be found and ended.

Supports cgroup v2, v1, and v1 with an unused v2 hierarchy. On v1 the processes are tracked in
one hierarchy and stay where they are in the others; pods use all of them.
"""

import os
import signal
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from reme_cluster.errors import ClusterError

_ROOT = Path("/sys/fs/cgroup")
_NEEDED = frozenset({"cpu", "cpuset", "memory", "pids"})
# In order of preference: systemd and container managers do not move processes in these.
_TRACKING = ("pids", "freezer", "memory")


class Hierarchies(NamedTuple):
    """The mounted cgroup trees, and the one in which processes are tracked."""

    v2: bool
    trees: tuple[Path, ...]
    tracking: Path
    controllers: frozenset[str]


@cache
def hierarchies() -> Hierarchies:
    """Return the cgroup hierarchies of this host.

    Raises:
        ClusterError: no cgroups are mounted.
    """
    unified = _ROOT / "cgroup.controllers"
    if unified.exists():
        return Hierarchies(True, (_ROOT,), _ROOT, frozenset(unified.read_text().split()))
    trees: list[Path] = []
    controllers: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        mount_point = Path(before.split()[4])
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup":
            trees.append(mount_point)
            controllers |= dict.fromkeys(options.split(","), mount_point)
        elif kind == "cgroup2":
            trees.append(mount_point)
    tracking = next((controllers[name] for name in _TRACKING if name in controllers), None)
    if tracking is None:
        raise ClusterError("no cgroups are mounted at /sys/fs/cgroup")
    known = _NEEDED | {"cpuacct"}
    return Hierarchies(False, tuple(trees), tracking, known.intersection(controllers))


def missing_controllers() -> list[str]:
    """Return the controllers that the kubelet needs and this host lacks."""
    return sorted(_NEEDED - hierarchies().controllers)


def create(group: str) -> None:
    """Make a cgroup with its parents in every tree; the kubelet requires its root in all."""
    known = hierarchies()
    for tree in known.trees:
        directory = tree
        for part in Path(group).parts:
            if known.v2:
                _delegate(directory, known.controllers)
            directory /= part
            directory.mkdir(exist_ok=True)
            _inherit_cpuset(directory)


def _delegate(directory: Path, controllers: frozenset[str]) -> None:
    """Enable the controllers of a v2 cgroup for its children."""
    missing = controllers - set((directory / "cgroup.subtree_control").read_text().split())
    for name in sorted(missing & set((directory / "cgroup.controllers").read_text().split())):
        (directory / "cgroup.subtree_control").write_text(f"+{name}")


def _inherit_cpuset(directory: Path) -> None:
    """Copy the parent's processors to a new v1 cpuset, which accepts no process without any."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = directory / name
        inherited = directory.parent / name
        if not hierarchies().v2 and file.exists() and not file.read_text().strip():
            file.write_text(inherited.read_text())


def tracking_file(group: str) -> Path:
    """Return the file that moves the writing process into a cgroup when it gets `0`."""
    return hierarchies().tracking / group / "cgroup.procs"


def pids(group: str) -> list[int]:
    """Return the processes in a cgroup and in all below it."""
    members: list[int] = []
    for directory, _, _ in os.walk(hierarchies().tracking / group):
        try:
            members += map(int, (Path(directory) / "cgroup.procs").read_text().split())
        except OSError:
            continue  # removed meanwhile
    return members


def exist_like(pattern: str) -> bool:
    """Return whether a top-level cgroup has a name of this pattern."""
    return any(hierarchies().tracking.glob(pattern))


def kill(group: str, *, timeout_seconds: float = 15) -> None:
    """Kill every process in a cgroup and below.

    Raises:
        ClusterError: some process does not end.
    """
    deadline = time.monotonic() + timeout_seconds
    while remaining := pids(group):
        if time.monotonic() > deadline:
            raise ClusterError(f"these processes in cgroup {group} do not end: {remaining}")
        for pid in remaining:
            signal_member(pid, group, signal.SIGKILL)
        time.sleep(0.05)


def signal_member(pid: int, group: str, number: signal.Signals) -> None:
    """Signal a process only if it is in the cgroup: its id may have been used again."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _is_member(pid, group):
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)


def _is_member(pid: int, group: str) -> bool:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return False
    paths = (line.split(":", 2)[2] for line in lines)
    return any(path == f"/{group}" or path.startswith(f"/{group}/") for path in paths)


def remove(group: str, *, timeout_seconds: float = 10) -> None:
    """Remove a cgroup and all below it, in every tree.

    Raises:
        ClusterError: the kernel keeps some of them busy.
    """
    deadline = time.monotonic() + timeout_seconds
    for tree in hierarchies().trees:
        while (tree / group).exists():
            for directory, _, _ in os.walk(tree / group, topdown=False):
                try:
                    Path(directory).rmdir()
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise ClusterError(f"cannot remove {directory}: {error}") from error
            time.sleep(0.02)

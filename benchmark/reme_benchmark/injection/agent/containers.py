"""Finds the processes of a container through /proc, without the container runtime."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reme_benchmark.injection.agent.cgroups import Groups, Tree, groups
from reme_benchmark.injection.agent.errors import AgentError, GoneError
from reme_benchmark.injection.fault_tag import FaultTag

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Container:
    """A running container: its first process, and the process that holds its pod's network."""

    id: str
    pid: int
    sandbox_pid: int
    groups: Groups

    @property
    def root(self) -> Path:
        """Its root file system."""
        return PROC / str(self.pid) / "root"

    @property
    def network(self) -> Path:
        """Its network namespace."""
        return PROC / str(self.sandbox_pid) / "ns" / "net"


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the node."""

    pid: int
    cgroup: str
    started: int


def processes() -> Iterator[Process]:
    """Yield the node's processes, without kernel threads and without those of injected faults."""
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            argv = (entry / "cmdline").read_bytes()
            if not argv or FaultTag.find(argv.decode(errors="replace")):
                continue
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            yield Process(int(entry.name), (entry / "cgroup").read_text(), int(stat[19]))
        except OSError:
            continue  # the process has ended


def namespace_id(pid: int) -> str:
    """Return the identity of a process's network namespace; empty when the process is gone."""
    try:
        return str((PROC / str(pid) / "ns" / "net").readlink())
    except OSError:
        return ""


def find(tree: Tree, container_id: str) -> Container:
    """Return a running container.

    Raises:
        GoneError: it does not run on this node.
    """
    all_processes = list(processes())
    inside = [process for process in all_processes if container_id in process.cgroup]
    if not inside:
        raise GoneError(f"container {container_id[:12]} does not run on this node")
    first = min(inside, key=lambda process: (process.started, process.pid))
    return Container(
        container_id, first.pid, _sandbox(all_processes, first), groups(tree, first.cgroup)
    )


def pod_group(cgroup: str) -> str:
    """Return the control group of the pod: the parent of the container's group."""
    paths = [line.split(":", 2)[2] for line in cgroup.splitlines() if line.count(":") >= 2]
    return max((path.rpartition("/")[0] for path in paths), key=len, default="")


def _sandbox(all_processes: list[Process], first: Process) -> int:
    """Return the process that holds the pod's network; 0 when the pod uses the node's network."""
    network = namespace_id(first.pid)
    sharing = [process for process in all_processes if namespace_id(process.pid) == network]
    oldest = min(sharing, key=lambda process: (process.started, process.pid), default=first)
    # A pod in the node's network shares it with older processes that are not the pod's.
    return oldest.pid if pod_group(oldest.cgroup) == pod_group(first.cgroup) else 0


def own_network(container: Container) -> Path:
    """Return the pod's network namespace.

    Raises:
        AgentError: the pod uses the node's network, where a fault would affect the whole node.
    """
    if not container.sandbox_pid:
        raise AgentError(
            "the pod uses the node's network, where a fault would affect the whole node"
        )
    return container.network


def networks() -> list[Path]:
    """Return every network namespace of the node once, without the host's own."""
    host = namespace_id(1)
    namespaces: dict[str, Path] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            name = namespace_id(int(entry.name))
            if name and name != host:
                namespaces.setdefault(name, entry / "ns" / "net")
    return list(namespaces.values())

"""Finds a container on this node by its id in /proc: no socket of the runtime is needed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reme_benchmark.injection.agent.cgroups import Groups, Tree, groups
from reme_benchmark.injection.agent.errors import AgentError, GoneError
from reme_benchmark.injection.fault_tag import Mark

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Container:
    """A running container: its first process, and the first process of its pod's network."""

    id: str
    pid: int
    sandbox_pid: int
    groups: Groups

    @property
    def root(self) -> Path:
        """Its file system."""
        return PROC / str(self.pid) / "root"

    @property
    def network(self) -> Path:
        """Its network namespace."""
        return PROC / str(self.sandbox_pid) / "ns" / "net"


@dataclass(frozen=True, slots=True)
class Seen:
    """One process of the node."""

    pid: int
    cgroup: str
    started: int


def processes() -> Iterator[Seen]:
    """Yield every process of the node that has an address space of its own, faults left out."""
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            argv = (entry / "cmdline").read_bytes()
            if not argv or Mark.find(argv.decode(errors="replace")):
                continue
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            yield Seen(int(entry.name), (entry / "cgroup").read_text(), int(stat[19]))
        except OSError:
            continue  # it ended meanwhile


def network_of(pid: int) -> str:
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
    everything = list(processes())
    inside = [seen for seen in everything if container_id in seen.cgroup]
    if not inside:
        raise GoneError(f"container {container_id[:12]} does not run on this node")
    first = min(inside, key=lambda seen: (seen.started, seen.pid))
    return Container(
        container_id, first.pid, _sandbox(everything, first), groups(tree, first.cgroup)
    )


def pod_group(cgroup: str) -> str:
    """Return the group above a container's, which is that of its pod."""
    paths = [line.split(":", 2)[2] for line in cgroup.splitlines() if line.count(":") >= 2]
    return max((path.rpartition("/")[0] for path in paths), key=len, default="")


def _sandbox(everything: list[Seen], first: Seen) -> int:
    """Return the process that holds the pod's network from its start to its end."""
    network = network_of(first.pid)
    sharing = [seen for seen in everything if network_of(seen.pid) == network]
    oldest = min(sharing, key=lambda seen: (seen.started, seen.pid), default=first)
    # A pod in the node's network shares it with older processes of others.
    return oldest.pid if pod_group(oldest.cgroup) == pod_group(first.cgroup) else 0


def own_network(container: Container) -> Path:
    """Return the pod's network namespace.

    Raises:
        AgentError: the pod uses the node's network, where a fault would hit the whole node.

    """
    if not container.sandbox_pid:
        raise AgentError("the pod uses its node's network: a fault there would hit the whole node")
    return container.network


def networks() -> list[Path]:
    """Return every network namespace of the node but the host's own, each once."""
    host = network_of(1)
    found: dict[str, Path] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            name = network_of(int(entry.name))
            if name and name != host:
                found.setdefault(name, entry / "ns" / "net")
    return list(found.values())

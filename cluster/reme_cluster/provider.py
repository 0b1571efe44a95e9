"""What a provider of clusters can do, and the status that it returns."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class UpOptions:
    """Options of `up`; None keeps what the cluster has."""

    nodes: int | None = None
    subnet: str | None = None
    audit_log: bool | None = None
    metrics: bool = False
    timeout_seconds: int = 300


@dataclass(frozen=True)
class ComponentStatus:
    """One program of the cluster."""

    node: str
    name: str
    pid: int | None
    running: bool
    log: str


@dataclass(frozen=True)
class NodeStatus:
    """One node."""

    name: str
    address: str
    ready: bool


@dataclass(frozen=True)
class Status:
    """What `status` shows."""

    name: str
    provider: str
    running: bool
    state_dir: str
    kubeconfig: str
    nodes: list[NodeStatus] = field(default_factory=list)
    components: list[ComponentStatus] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    network: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return a value that JSON can hold."""
        return asdict(self)

    def as_text(self) -> str:
        """Return aligned lines for people."""
        state = "running" if self.running else "not running"
        lines = [f"cluster {self.name} ({self.provider}): {state}"]
        lines.append(f"  state       {self.state_dir}")
        lines.append(f"  kubeconfig  {self.kubeconfig or '-'}")
        lines += [f"  {key:<11} {value}" for key, value in self.network.items()]
        for node in self.nodes:
            ready = "ready" if node.ready else "NOT READY"
            lines.append(f"node {node.name:<20} {node.address:<16} {ready}")
        for component in self.components:
            alive = f"pid {component.pid}" if component.running else "DEAD"
            lines.append(f"  {component.node:<14} {component.name:<24} {alive}")
        if self.versions:
            pairs = ", ".join(f"{name} {version}" for name, version in self.versions.items())
            lines.append(f"versions: {pairs}")
        return "\n".join(lines)


class Provider(Protocol):
    """Makes, shows and removes one cluster."""

    @property
    def kubeconfig(self) -> Path:
        """The file that gives full access."""

    def up(self, options: UpOptions) -> None:
        """Make the cluster, or repair it, or leave it as it is."""

    def down(self) -> None:
        """Remove the cluster and all of its files."""

    def status(self) -> Status:
        """Return the status without changing the cluster."""

    def load(self, images: Sequence[str]) -> None:
        """Load images into every node."""

    def logs(self, component: str | None, lines: int) -> str:
        """Return the end of one component's log, or of all."""

    def collect(self, directory: Path) -> None:
        """Write all logs and the objects of the API server to a directory."""

"""What a cluster can do, whoever provides it, and the choice of who does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from reme_cluster.commands import succeeds
from reme_cluster.errors import ClusterError
from reme_cluster.files import read_json
from reme_cluster.settings import Settings

PROVIDERS = ("auto", "host", "kind")


@dataclass(frozen=True)
class UpOptions:
    """What `up` was asked for; None keeps what the cluster has."""

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
    """Everything that `status` tells."""

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


class Provider(Protocol):
    """Makes, shows and removes one cluster."""

    @property
    def kubeconfig(self) -> Path:
        """The file that gives full access."""

    def up(self, options: UpOptions) -> None:
        """Make the cluster, or repair it, or leave it as it is."""

    def down(self) -> None:
        """Remove the cluster without a trace."""

    def status(self) -> Status:
        """Look at the cluster without changing it."""

    def load(self, images: Sequence[str]) -> None:
        """Bring images into every node."""

    def logs(self, component: str | None, lines: int) -> str:
        """Return the end of one component's log, or of all."""

    def collect(self, directory: Path) -> None:
        """Copy all logs and what the API server knows into a directory."""


def choose(settings: Settings, wanted: str = "auto") -> Provider:
    """Return who provides this cluster: who made it, who was asked for, or who can.

    Raises:
        ClusterError: the cluster exists with another provider than the one asked for.
    """
    # Here, because both providers need the types above.
    from reme_cluster.host.provider import HostProvider
    from reme_cluster.kind import KindProvider

    recorded = (read_json(settings.state_dir / "cluster.json") or {}).get("provider")
    if recorded and wanted not in ("auto", recorded):
        raise ClusterError(f"cluster {settings.name} exists with provider {recorded}: down first")
    name = recorded or wanted
    if name == "auto":
        name = "kind" if docker_answers() else "host"
    return KindProvider(settings) if name == "kind" else HostProvider(settings)


def docker_answers() -> bool:
    """Tell whether a Docker engine is there, not only its client."""
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout_seconds=10)

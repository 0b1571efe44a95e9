"""Stores the layout of a cluster in `cluster.json`."""

from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from reme_cluster.errors import ClusterError, NotUpError
from reme_cluster.files import read_json, write_json
from reme_cluster.host import cgroups, subnets
from reme_cluster.host.layout import MAX_NODES, Layout
from reme_cluster.provider import UpOptions
from reme_cluster.settings import Settings


@dataclass(frozen=True)
class SavedState:
    """The content of `cluster.json`."""

    provider: str
    subnet: str
    nodes: int
    audit_log: bool

    def layout(self, settings: Settings) -> Layout:
        """Return the cluster's names, directories and addresses."""
        subnet = IPv4Network(self.subnet)
        return Layout(settings.name, settings.state_dir, subnet, self.nodes, self.audit_log)


def find(settings: Settings) -> Layout | None:
    """Return the layout of a cluster; None if it does not exist."""
    value = read_json(_path(settings))
    return None if value is None else SavedState(**value).layout(settings)


def load(settings: Settings) -> Layout:
    """Return the layout of a cluster.

    Raises:
        NotUpError: it does not exist.
    """
    layout = find(settings)
    if layout is None:
        raise NotUpError(f"no cluster {settings.name} in {settings.state_root}: run `up` first")
    return layout


def decide_layout(settings: Settings, options: UpOptions) -> Layout:
    """Return the layout of a new or changed cluster, and store it.

    Raises:
        ClusterError: the options do not fit the existing cluster or this host.
    """
    value: dict[str, Any] | None = read_json(_path(settings))
    if value:
        saved = _changed(SavedState(**value), options)
    else:
        if cgroups.pids(f"reme-{settings.name}"):
            raise ClusterError(
                f"a cluster {settings.name} runs already, from another state directory; "
                "give this one another --name"
            )
        requested = _parse_subnet(options.subnet) if options.subnet else None
        subnet = requested or subnets.choose(settings.state_root)
        saved = SavedState("host", str(subnet), options.nodes or 1, bool(options.audit_log))
    if not 1 <= saved.nodes <= MAX_NODES:
        raise ClusterError(f"--nodes: between 1 and {MAX_NODES}")
    write_json(_path(settings), asdict(saved))
    return saved.layout(settings)


def _changed(saved: SavedState, options: UpOptions) -> SavedState:
    """Return the state with more nodes or another audit log; refuse other changes."""
    nodes = options.nodes or saved.nodes
    if nodes < saved.nodes:
        raise ClusterError(f"the cluster has {saved.nodes} nodes: run `down` first to have fewer")
    if options.subnet and IPv4Network(options.subnet) != IPv4Network(saved.subnet):
        raise ClusterError(f"the cluster uses {saved.subnet}: run `down` first to change it")
    audit = saved.audit_log if options.audit_log is None else options.audit_log
    return SavedState(saved.provider, saved.subnet, nodes, audit)


def _parse_subnet(text: str) -> IPv4Network:
    try:
        subnet = IPv4Network(text)
    except ValueError as error:
        raise ClusterError(f"--subnet: {error}") from error
    if subnet.prefixlen != 16:
        raise ClusterError("--subnet: a /16 is needed, such as 10.99.0.0/16")
    if any(subnet.overlaps(other) for other in subnets.in_use()):
        raise ClusterError(f"--subnet: {subnet} overlaps a network that this host uses")
    return subnet


def _path(settings: Settings) -> Path:
    return settings.state_dir / "cluster.json"

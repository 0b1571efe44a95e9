"""Remembers what a cluster was made with."""

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
class Saved:
    """The content of `cluster.json`."""

    provider: str
    subnet: str
    nodes: int
    audit_log: bool

    def layout(self, settings: Settings) -> Layout:
        """Return the cluster's names, places and addresses."""
        subnet = IPv4Network(self.subnet)
        return Layout(settings.name, settings.state_dir, subnet, self.nodes, self.audit_log)


def find(settings: Settings) -> Layout | None:
    """Return the layout of a cluster; None if there is none."""
    value = read_json(_path(settings))
    return None if value is None else Saved(**value).layout(settings)


def load(settings: Settings) -> Layout:
    """Return the layout of a cluster that exists.

    Raises:
        NotUpError: there is none.
    """
    layout = find(settings)
    if layout is None:
        raise NotUpError(f"no cluster {settings.name} in {settings.state_root}: run `up` first")
    return layout


def settle(settings: Settings, options: UpOptions) -> Layout:
    """Decide what the cluster is made with, and remember it.

    Raises:
        ClusterError: the wish does not fit to the cluster that exists, or to this host.
    """
    known: dict[str, Any] | None = read_json(_path(settings))
    if known:
        saved = _change(Saved(**known), options)
    else:
        if cgroups.pids(f"reme-{settings.name}"):
            raise ClusterError(
                f"a cluster {settings.name} runs already, from another state directory; "
                "give this one another --name"
            )
        subnet = _checked(options.subnet) if options.subnet else None
        chosen = subnet or subnets.choose(settings.state_root)
        saved = Saved("host", str(chosen), options.nodes or 1, bool(options.audit_log))
    if not 1 <= saved.nodes <= MAX_NODES:
        raise ClusterError(f"--nodes: between 1 and {MAX_NODES}")
    write_json(_path(settings), asdict(saved))
    return saved.layout(settings)


def _change(saved: Saved, options: UpOptions) -> Saved:
    """Grow a cluster or change its audit log; what cannot change is refused."""
    nodes = options.nodes or saved.nodes
    if nodes < saved.nodes:
        raise ClusterError(f"the cluster has {saved.nodes} nodes; `down` first to have fewer")
    if options.subnet and IPv4Network(options.subnet) != IPv4Network(saved.subnet):
        raise ClusterError(f"the cluster lives in {saved.subnet}; `down` first to move it")
    audit = saved.audit_log if options.audit_log is None else options.audit_log
    return Saved(saved.provider, saved.subnet, nodes, audit)


def _checked(text: str) -> IPv4Network:
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

"""Names, addresses and directories of a cluster on this host, computed from its subnet.

A cluster uses one /16, here 10.160.0.0/16:

    10.160.0.0/24, 10.160.1.0/24, …   pods of node 0, node 1, …
    10.160.128.0/18                   services; .10 is the cluster's DNS
    10.160.255.0/30                   link between the host (.1) and node 0 (.2)
    10.160.255.4/30, …                link between node 0 (.5) and node 1 (.6), …

Node 0 is the router of the others, so the host needs one interface and one route.
"""

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

API_PORT = 6443
MAX_NODES = 60


@dataclass(frozen=True)
class Network:
    """The addresses of one cluster."""

    subnet: IPv4Network

    def at(self, offset: int) -> IPv4Address:
        """Return the address at an offset in the subnet."""
        return self.subnet.network_address + offset

    @property
    def interface(self) -> str:
        """The host's end of the link to node 0; at most 15 characters, unique on the host."""
        first, second = str(self.subnet).split(".")[:2]
        return f"reme{first}-{second}"

    @property
    def host(self) -> IPv4Address:
        """The host's address for nodes and pods."""
        return self.at(0xFF01)

    @property
    def pods(self) -> IPv4Network:
        """The range of all pods."""
        return IPv4Network((self.at(0), 17))

    @property
    def services(self) -> IPv4Network:
        """The range of all services."""
        return IPv4Network((self.at(0x8000), 18))

    @property
    def dns(self) -> IPv4Address:
        """The cluster's DNS service."""
        return self.at(0x800A)


@dataclass(frozen=True)
class Node:
    """One node: its name, addresses and directory."""

    cluster: str
    index: int
    network: Network
    state_dir: Path

    @property
    def name(self) -> str:
        """The node's name in Kubernetes."""
        return f"{self.cluster}-{self.index}"

    @property
    def address(self) -> IPv4Address:
        """The node's own address."""
        return self.network.at(0xFF02 + 4 * self.index)

    @property
    def gateway(self) -> IPv4Address:
        """The other end of the node's link: the host for node 0, node 0 for the others."""
        return self.network.at(0xFF01 + 4 * self.index)

    @property
    def pods(self) -> IPv4Network:
        """The range of the pods on this node."""
        return IPv4Network((self.network.at(0x100 * self.index), 24))

    @property
    def dir(self) -> Path:
        """The node's directory."""
        return self.state_dir / f"node-{self.index}"

    @property
    def containerd_socket(self) -> Path:
        """The socket of containerd."""
        return self.dir / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """The parent of all of this node's cgroups."""
        return f"reme-{self.cluster}/node-{self.index}"


@dataclass(frozen=True)
class Layout:
    """All directories and addresses of one cluster."""

    name: str
    state_dir: Path
    subnet: IPv4Network
    node_count: int
    audit_log: bool = False

    @cached_property
    def network(self) -> Network:
        """The cluster's addresses."""
        return Network(self.subnet)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes, the control plane first."""
        return tuple(
            Node(self.name, index, self.network, self.state_dir) for index in range(self.node_count)
        )

    @property
    def api(self) -> str:
        """The API server's address, for the host, the nodes and the pods."""
        return f"https://{self.nodes[0].address}:{API_PORT}"

    @property
    def pki(self) -> Path:
        """The directory of certificates and keys."""
        return self.state_dir / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig with full access."""
        return self.state_dir / "kubeconfig"

    @property
    def logs(self) -> Path:
        """The directory of logs, with one directory for each node."""
        return self.state_dir / "logs"

    @property
    def cgroup(self) -> str:
        """The parent of every cgroup of this cluster."""
        return f"reme-{self.name}"

"""Links nodes to the host and to each other; every step can be repeated."""

from collections.abc import Sequence

from reme_cluster.commands import run, succeeds
from reme_cluster.host.layout import Layout, Network, Node
from reme_cluster.host.processes import wait_until


def inside(holder: int | None, argv: Sequence[str]) -> list[str]:
    """Return the command that runs in a node's network namespace; None is the host's."""
    return list(argv) if holder is None else ["nsenter", "-t", str(holder), "-n", "--", *argv]


def connect(layout: Layout, holders: Sequence[int]) -> None:
    """Give every node its interface, addresses and routes.

    Args:
        layout: the cluster's addresses.
        holders: for each node, the process that holds its namespaces.

    Raises:
        CommandError: `ip` failed.
    """
    network = layout.network
    for node, holder in zip(layout.nodes, holders, strict=True):
        run(inside(holder, ["ip", "link", "set", "lo", "up"]))
        run(inside(holder, ["tee", "/proc/sys/net/ipv4/ip_forward"]), stdin="1")
        _link(node, holders)
        # Packets without a route fail at once: nothing leaves the cluster, and packets to an
        # unused address of this node must not be sent back and forth between nodes.
        for unreachable in ("default", str(node.pods)):
            run(inside(holder, ["ip", "route", "replace", "unreachable", unreachable]))
        via = ["via", str(node.gateway)]
        # Needed so that kube-proxy can redirect the packet; never used itself.
        run(inside(holder, ["ip", "route", "replace", str(network.services), *via]))
        if node.index > 0:
            run(inside(holder, ["ip", "route", "replace", str(network.subnet), *via]))
            return_route = ["ip", "route", "replace", str(node.pods), "via", str(node.address)]
            run(inside(holders[0], return_route))
    run(["ip", "route", "replace", str(network.subnet), "via", str(layout.nodes[0].address)])


def _link(node: Node, holders: Sequence[int]) -> None:
    """Connect a node to its router: the host for node 0, node 0 for the others."""
    holder = holders[node.index]
    router = None if node.index == 0 else holders[0]
    outer = node.network.interface if router is None else f"node-{node.index}"
    if not (_has_link(router, outer) and _has_link(holder, "eth0")):
        _unlink(router, outer)
        peer = ["peer", "name", "eth0", "netns", str(holder)]
        run(inside(router, ["ip", "link", "add", "name", outer, "type", "veth", *peer]))
    for side, name, address in ((router, outer, node.gateway), (holder, "eth0", node.address)):
        run(inside(side, ["ip", "address", "replace", f"{address}/30", "dev", name]))
        run(inside(side, ["ip", "link", "set", name, "up"]))


def _has_link(holder: int | None, name: str) -> bool:
    return succeeds(inside(holder, ["ip", "link", "show", "dev", name]))


def disconnect(network: Network) -> None:
    """Remove the host's interface, and with it its routes and the other end.

    Raises:
        ClusterError: the interface is still there afterwards.
    """
    _unlink(None, network.interface)


def _unlink(holder: int | None, name: str) -> None:
    """Remove an interface, which the kernel may be removing already with a node that ended."""
    succeeds(inside(holder, ["ip", "link", "delete", name]))
    wait_until(lambda: not _has_link(holder, name), f"removal of {name}", seconds=10)

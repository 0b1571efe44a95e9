"""Links nodes to the host and to each other; every command may be run again."""

from collections.abc import Sequence

from reme_cluster.commands import run, succeeds
from reme_cluster.host.layout import Layout, Network, Node
from reme_cluster.host.processes import wait_until


def inside(holder: int | None, argv: Sequence[str]) -> list[str]:
    """Prefix a command so that it runs in a node's network namespace (None: the host's)."""
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
        # What no route leads to fails at once: there is no way out of the cluster, and an
        # address of this node that no pod has must not travel between the nodes for ever.
        for unreachable in ("default", str(node.pods)):
            run(inside(holder, ["ip", "route", "replace", "unreachable", unreachable]))
        via = ["via", str(node.gateway)]
        # Never taken: kube-proxy sends it elsewhere, but only what has a route at all.
        run(inside(holder, ["ip", "route", "replace", str(network.services), *via]))
        if node.index > 0:
            run(inside(holder, ["ip", "route", "replace", str(network.subnet), *via]))
            back = ["ip", "route", "replace", str(node.pods), "via", str(node.address)]
            run(inside(holders[0], back))
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
    for where, name, address in ((router, outer, node.gateway), (holder, "eth0", node.address)):
        run(inside(where, ["ip", "address", "replace", f"{address}/30", "dev", name]))
        run(inside(where, ["ip", "link", "set", name, "up"]))


def _has_link(holder: int | None, name: str) -> bool:
    return succeeds(inside(holder, ["ip", "link", "show", "dev", name]))


def disconnect(network: Network) -> None:
    """Remove the host's interface; the kernel removes its routes and the other end with it.

    Raises:
        ClusterError: the interface is still there afterwards.
    """
    _unlink(None, network.interface)


def _unlink(holder: int | None, name: str) -> None:
    """Remove an interface that the kernel may be removing just now, with a node that died."""
    succeeds(inside(holder, ["ip", "link", "delete", name]))
    wait_until(lambda: not _has_link(holder, name), f"removal of {name}", seconds=10)

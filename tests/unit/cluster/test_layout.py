from ipaddress import IPv4Network
from pathlib import Path

import pytest

from reme_cluster.host.layout import MAX_NODES, Layout


def layout(nodes: int = 2) -> Layout:
    return Layout("demo", Path("/state/demo"), IPv4Network("10.160.0.0/16"), nodes)


def test_addresses_are_those_of_the_documentation() -> None:
    cluster = layout()
    first, second = cluster.nodes

    assert str(cluster.network.services) == "10.160.128.0/18"
    assert str(cluster.network.dns) == "10.160.128.10"
    assert str(cluster.network.host) == "10.160.255.1"
    assert (str(first.gateway), str(first.address)) == ("10.160.255.1", "10.160.255.2")
    assert (str(second.gateway), str(second.address)) == ("10.160.255.5", "10.160.255.6")
    assert str(second.pods) == "10.160.1.0/24"
    assert cluster.api == "https://10.160.255.2:6443"


def test_no_ranges_overlap_with_the_most_nodes() -> None:
    cluster = layout(MAX_NODES)
    ranges = [cluster.network.services]
    for node in cluster.nodes:
        assert node.pods.subnet_of(cluster.network.pods)
        ranges += [node.pods, IPv4Network(f"{node.gateway}/30", strict=False)]

    for position, one in enumerate(ranges):
        assert one.subnet_of(cluster.subnet)
        assert not any(one.overlaps(other) for other in ranges[position + 1 :])


@pytest.mark.parametrize("subnet", ["10.160.0.0/16", "192.168.0.0/16", "255.255.0.0/16"])
def test_the_interface_name_is_short_enough_for_the_kernel(subnet: str) -> None:
    cluster = Layout("demo", Path("/state/demo"), IPv4Network(subnet), 1)

    assert len(cluster.network.interface) <= 15

"""Finds a /16 that nothing on this host uses."""

import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from reme_cluster.commands import run
from reme_cluster.errors import ClusterError
from reme_cluster.files import read_json

# All clusters of this host hold this lock while they choose a subnet and set up its route.
CHOOSING_LOCK = Path("/run/lock/reme-cluster.lock")
CANDIDATES = tuple(IPv4Network(f"10.{second}.0.0/16") for second in range(160, 192))


def choose(state_root: Path) -> IPv4Network:
    """Return the first candidate that overlaps no route, name server or other cluster.

    Raises:
        ClusterError: all are in use.
    """
    used = in_use() + reserved(state_root)
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise ClusterError(
        f"every subnet from {CANDIDATES[0]} to {CANDIDATES[-1]} is in use on this host; "
        "name a free /16 with --subnet"
    )


def in_use() -> list[IPv4Network]:
    """Return the networks of this host's routes and the addresses of its name servers."""
    routes = json.loads(run(["ip", "-4", "-j", "route", "show", "table", "all"]))
    destinations = {route["dst"] for route in routes} - {"default"}
    networks = [IPv4Network(destination, strict=False) for destination in destinations]
    try:
        resolver = Path("/etc/resolv.conf").read_text()
    except OSError:
        resolver = ""
    for line in resolver.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and ":" not in words[1]:
            networks.append(IPv4Network(IPv4Address(words[1])))
    return networks


def reserved(state_root: Path) -> list[IPv4Network]:
    """Return the subnets of all clusters, running or not."""
    records = (read_json(path) for path in state_root.glob("*/cluster.json"))
    return [IPv4Network(record["subnet"]) for record in records if record and "subnet" in record]

"""Adds, finds and removes the network faults of pods."""

import contextlib
import zlib
from collections.abc import Callable
from pathlib import Path

from reme_benchmark.injection.agent import netem, packet_rules, processes, routes
from reme_benchmark.injection.agent.cgroups import Tree, root_join_files
from reme_benchmark.injection.agent.containers import PROC, Container, networks, own_network
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.agent.processes import Launcher, python
from reme_benchmark.injection.fault_tag import FaultTag
from reme_benchmark.injection.specs import PacketDelay, PacketLoss, Target


def add_loss(
    container: Container, spec: PacketLoss, tag: FaultTag, target: Target
) -> dict[str, object]:
    """Lose a share of the packets that the pod sends."""
    network, spared = (
        own_network(container),
        _spared_addresses(container, target, spec.spare_probes),
    )
    packet_rules.add(network, tag, spared, packet_rules.loss_rules(spec.percent))
    return {"spared": spared}


def add_delay(
    launcher: Launcher,
    tree: Tree,
    container: Container,
    spec: PacketDelay,
    tag: FaultTag,
    target: Target,
    seconds: float,
) -> dict[str, object]:
    """Delay the packets that the pod sends, by netem or by a process.

    The process runs in the process namespace of the pod's first process: it ends with the pod and
    survives the restart of a container. It is in no control group of the pod, which is therefore
    not charged for it.
    """
    network, spared = (
        own_network(container),
        _spared_addresses(container, target, spec.spare_probes),
    )
    if spec.backend == "netem" or (spec.backend == "auto" and netem.supported()):
        netem.add(network, _device(container), tag, spec.milliseconds, spared)
        return {"spared": spared, "backend": "netem"}
    number = queue_number(tag)
    launcher.start(
        [
            *("nsenter", f"--net={network}", f"--pid={PROC}/{container.sandbox_pid}/ns/pid", "--"),
            *python("packet_delay", str(tag), str(seconds), str(number), str(spec.milliseconds)),
            *map(str, root_join_files(tree)),
        ]
    )
    try:
        packet_rules.add(network, tag, spared, packet_rules.queue_rules(number))
    except AgentError:
        processes.end(lambda other: other == tag)
        raise
    return {"spared": spared, "backend": "queue"}


def faults() -> list[tuple[Path, FaultTag]]:
    """Return (network namespace, fault) of every network fault on the node."""
    tags = []
    for network in networks():
        # A pod that ends meanwhile has no faults any more.
        with contextlib.suppress(AgentError):
            tags += [(network, tag) for tag in packet_rules.faults_in(network)]
    return tags


def remove(chosen: Callable[[FaultTag], bool]) -> None:
    """Remove the rules of some faults.

    The caller ends the delaying process afterwards: without rules no packet reaches it, and it
    sends the packets that it still holds.
    """
    for network, tag in faults():
        if not chosen(tag):
            continue
        try:
            text = (network.parent.parent / "net" / "route").read_text()
        except OSError:
            continue  # the pod has ended, and its network with it
        if tag.kind == "delay":
            netem.remove(network, routes.device(text))
        # The caller checks afterwards whether anything is left.
        with contextlib.suppress(AgentError):
            packet_rules.remove(network, tag)


def queue_number(tag: FaultTag) -> int:
    """Return the queue of a fault; two faults of one pod must not share a queue."""
    return 1024 + zlib.crc32(tag.id.encode()) % 60000


def _routes(container: Container) -> str:
    return (PROC / str(container.sandbox_pid) / "net" / "route").read_text()


def _device(container: Container) -> str:
    return routes.device(_routes(container))


def _spared_addresses(container: Container, target: Target, spare_probes: bool) -> list[str]:
    """Return the addresses from which the kubelet may probe: the pod's gateway and the node."""
    if not spare_probes:
        return []
    addresses = (routes.gateway(_routes(container)), target.node_address)
    return list(dict.fromkeys(a for a in addresses if a and ":" not in a))

"""Network faults of a pod: what is put in where, and how it is found and taken out again."""

import contextlib
import zlib
from collections.abc import Callable
from pathlib import Path

from reme_benchmark.injection.agent import netem, packet_rules, processes, routes
from reme_benchmark.injection.agent.cgroups import Tree, root_join_files
from reme_benchmark.injection.agent.containers import PROC, Container, networks, own_network
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.agent.processes import Launcher, python
from reme_benchmark.injection.fault_tag import Mark
from reme_benchmark.injection.specs import PacketDelay, PacketLoss, Target


def lose(container: Container, spec: PacketLoss, mark: Mark, target: Target) -> dict[str, object]:
    """Lose a share of what the pod sends."""
    network, spared = own_network(container), _spared(container, target, spec.spare_probes)
    packet_rules.add(network, mark, spared, packet_rules.losing(spec.percent))
    return {"spared": spared}


def delay(
    launcher: Launcher,
    tree: Tree,
    container: Container,
    spec: PacketDelay,
    mark: Mark,
    target: Target,
    seconds: float,
) -> dict[str, object]:
    """Delay what the pod sends, by netem or by a process.

    That process belongs to the pod's first one, so that it ends with the pod and survives a restart
    of a container. It is in no group of the pod, so that the pod does not pay for it.
    """
    network, spared = own_network(container), _spared(container, target, spec.spare_probes)
    if spec.backend == "netem" or (spec.backend == "auto" and netem.works()):
        netem.add(network, _device(container), mark, spec.milliseconds, spared)
        return {"spared": spared, "backend": "netem"}
    number = queue_number(mark)
    launcher.start(
        [
            *("nsenter", f"--net={network}", f"--pid={PROC}/{container.sandbox_pid}/ns/pid", "--"),
            *python("packet_delay", str(mark), str(seconds), str(number), str(spec.milliseconds)),
            *map(str, root_join_files(tree)),
        ]
    )
    try:
        packet_rules.add(network, mark, spared, packet_rules.queueing(number))
    except AgentError:
        processes.end(lambda found: found == mark)
        raise
    return {"spared": spared, "backend": "queue"}


def found() -> list[tuple[Path, Mark]]:
    """Return (network namespace, fault) of every network fault on the node."""
    seen = []
    for network in networks():
        # A pod that ends while it is looked at has no faults any more.
        with contextlib.suppress(AgentError):
            seen += [(network, mark) for mark in packet_rules.found(network)]
    return seen


def remove(wanted: Callable[[Mark], bool]) -> None:
    """Take the rules of some faults out; the process behind them is ended afterwards, not before.

    Packets that find no process pass at once, but those that it holds would be lost.
    """
    for network, mark in found():
        if not wanted(mark):
            continue
        try:
            text = (network.parent.parent / "net" / "route").read_text()
        except OSError:
            continue  # the pod has gone, and its network with it
        if mark.kind == "delay":
            netem.remove(network, routes.device(text))
        # Only what is still there afterwards is a problem, and the caller looks.
        with contextlib.suppress(AgentError):
            packet_rules.remove(network, mark)


def queue_number(mark: Mark) -> int:
    """Return a queue for a fault; two faults in one pod must not have the same."""
    return 1024 + zlib.crc32(mark.id.encode()) % 60000


def _routes(container: Container) -> str:
    return (PROC / str(container.sandbox_pid) / "net" / "route").read_text()


def _device(container: Container) -> str:
    return routes.device(_routes(container))


def _spared(container: Container, target: Target, spare_probes: bool) -> list[str]:
    """Return the addresses from which the kubelet may probe: the pod's gateway and the node."""
    if not spare_probes:
        return []
    addresses = (routes.gateway(_routes(container)), target.node_address)
    return list(dict.fromkeys(a for a in addresses if a and ":" not in a))

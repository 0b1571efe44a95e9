"""The kernel's own delay (netem), for kernels that have it.

A priority qdisc at the root sends what is spared around netem. Its handle tells that it is ours;
qdiscs carry no comment, so a chain without effect in the same namespace says of which fault.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from reme_benchmark.injection.agent import nftables, packet_rules, processes
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.fault_tag import Mark

_ROOT, _DELAY = "7e3e", "7e3f"
_LONGEST_QUEUE = 100_000


def works() -> bool:
    """Try it in a network namespace that nobody uses."""
    if shutil.which("tc", path=processes.PATH) is None:
        return False
    tried = processes.run(
        ["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    )
    return tried.returncode == 0


def commands(device: str, milliseconds: float, spared: Sequence[str]) -> list[list[str]]:
    """Return the calls of tc that put a delay in, in order."""
    root = ["tc", "qdisc", "add", "dev", device]
    everything = ["3"] * 16
    return [
        [*root, "root", "handle", f"{_ROOT}:", "prio", "bands", "4", "priomap", *everything],
        [
            *root,
            *("parent", f"{_ROOT}:4", "handle", f"{_DELAY}:"),
            *("netem", "limit", str(_LONGEST_QUEUE), "delay", f"{milliseconds:g}ms"),
        ],
        *(
            [
                *("tc", "filter", "add", "dev", device, "parent", f"{_ROOT}:", "protocol", "ip"),
                *(
                    "prio",
                    "1",
                    "u32",
                    "match",
                    "ip",
                    "dst",
                    f"{address}/32",
                    "flowid",
                    f"{_ROOT}:1",
                ),
            ]
            for address in spared
        ),
    ]


def undo(device: str) -> list[str]:
    """Return the call of tc that takes the delay out."""
    return ["tc", "qdisc", "del", "dev", device, "root", "handle", f"{_ROOT}:"]


def add(network: Path, device: str, mark: Mark, milliseconds: float, spared: Sequence[str]) -> None:
    """Put a delay in; the chain that names it first.

    Raises:
        AgentError: the kernel does not take it; nothing of it is left.

    """
    packet_rules.add(network, mark, (), [nftables.accept()])
    for command in commands(device, milliseconds, spared):
        done = processes.run(["nsenter", f"--net={network}", "--", *command])
        if done.returncode:
            remove(network, device)
            packet_rules.remove(network, mark)
            raise AgentError(f"tc: {done.stderr.strip()[:300]}")


def remove(network: Path, device: str) -> None:
    """Take the delay out; one that is not there is no error."""
    if shutil.which("tc", path=processes.PATH) is None:
        return
    processes.run(["nsenter", f"--net={network}", "--", *undo(device)])

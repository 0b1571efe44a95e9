"""Delays packets with the kernel's netem, where the kernel has it, by the program `tc`.

A priority qdisc at the root sends packets to spared addresses past netem. Its handle identifies
it as the agent's. A qdisc carries no comment, so a table without effect holds the fault's tag.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from reme_benchmark.injection.agent import nftables, packet_rules, processes
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.fault_tag import FaultTag

_ROOT, _DELAY = "7e3e", "7e3f"
_LONGEST_QUEUE = 100_000


def supported() -> bool:
    """Return whether this kernel has netem, by trying it in a new network namespace."""
    if shutil.which("tc", path=processes.PATH) is None:
        return False
    process = processes.run(
        ["unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    )
    return process.returncode == 0


def commands(device: str, milliseconds: float, spared: Sequence[str]) -> list[list[str]]:
    """Return the `tc` commands that add a delay, in order."""
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


def remove_command(device: str) -> list[str]:
    """Return the `tc` command that removes the delay."""
    return ["tc", "qdisc", "del", "dev", device, "root", "handle", f"{_ROOT}:"]


def add(
    network: Path, device: str, tag: FaultTag, milliseconds: float, spared: Sequence[str]
) -> None:
    """Add a delay, and before it the table that holds the tag.

    Raises:
        AgentError: the kernel refused it; nothing was added.
    """
    packet_rules.add(network, tag, (), [nftables.accept()])
    for command in commands(device, milliseconds, spared):
        process = processes.run(["nsenter", f"--net={network}", "--", *command])
        if process.returncode:
            remove(network, device)
            packet_rules.remove(network, tag)
            raise AgentError(f"tc: {process.stderr.strip()[:300]}")


def remove(network: Path, device: str) -> None:
    """Remove the delay; one that does not exist is no error."""
    if shutil.which("tc", path=processes.PATH) is None:
        return
    processes.run(["nsenter", f"--net={network}", "--", *remove_command(device)])

"""Packet rules in a pod's network namespace: one table per fault, with the tag as comment."""

import errno
import itertools
from collections.abc import Sequence
from pathlib import Path

from reme_benchmark.injection.agent import nftables
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.agent.network_namespace import run_in_namespace
from reme_benchmark.injection.agent.nftables import Expression, Table
from reme_benchmark.injection.agent.packet_delay import RESENT_MARK
from reme_benchmark.injection.fault_tag import FaultTag

UNSERVED_QUEUE = 65533
"""A queue without a process: the kernel drops its packets, and their sender takes them for sent.

A plain drop would return an error (EPERM) to the sender, and TCP would repeat the packet sooner
than it does when a packet is lost on the wire.
"""
# -150 is the usual priority of rules that change packets. A delay comes before a loss and ignores
# the packets that it has sent again, so that no packet goes through a rule twice.
_LOSS_PRIORITY, _DELAY_PRIORITY = -150, -151
_UNSUPPORTED = {errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.EPROTONOSUPPORT}
Rule = list[Expression]


def loss_rules(percent: float) -> list[Rule]:
    """Return the rules that lose a share of the packets, the preferred one first."""
    shares = (nftables.share(percent), nftables.share_by_extension(percent))
    losses = (
        nftables.queue(UNSERVED_QUEUE, bypass=False),
        nftables.queue_by_extension(UNSERVED_QUEUE, bypass=False),
        nftables.drop(),
    )
    return [share + loss for loss, share in itertools.product(losses, shares)]


def queue_rules(number: int) -> list[Rule]:
    """Return the rules that hand packets to a queue; without its process they pass."""
    return [
        nftables.queue(number, bypass=True),
        nftables.queue_by_extension(number, bypass=True),
    ]


def table(tag: FaultTag, spared: Sequence[str], rule: Rule) -> Table:
    """Return the table of a fault; packets to the spared addresses are left alone."""
    accept = nftables.accept()
    skipped = [nftables.output_is("lo"), *(nftables.sent_to(address) for address in spared)]
    if tag.kind == "delay":
        skipped.insert(0, nftables.mark_is(RESENT_MARK))
    priority = _DELAY_PRIORITY if tag.kind == "delay" else _LOSS_PRIORITY
    rules = [*(match + accept for match in skipped), rule]
    return Table(table_name(tag), priority, rules, str(tag))


def table_name(tag: FaultTag) -> str:
    """Return the name of a fault's table."""
    return f"reme_fault_{tag.id}"


def add(network: Path | None, tag: FaultTag, spared: Sequence[str], rules: Sequence[Rule]) -> int:
    """Add the first of these rules that the kernel supports; return its place in the list.

    Raises:
        AgentError: the kernel supports none of them; nothing was added.
    """

    def work() -> int:
        last_error: OSError | None = None
        for number, rule in enumerate(rules):
            try:
                nftables.create(table(tag, spared, rule))
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                last_error = error
            else:
                return number
        raise AgentError(f"this kernel supports no such packet rule: {last_error}") from last_error

    return run_in_namespace(network, work)


def supported(rules: Sequence[Rule]) -> bool:
    """Return whether the kernel supports one of these rules, by trying them in a new namespace."""
    try:
        add(None, FaultTag("try", "try", "trying", "loss", 0), (), rules)
    except AgentError:
        return False
    return True


def faults_in(network: Path) -> list[FaultTag]:
    """Return the faults that have rules in a network namespace."""
    comments = run_in_namespace(network, nftables.comments)
    return list(dict.fromkeys(filter(None, map(FaultTag.find, comments))))


def remove(network: Path, tag: FaultTag) -> None:
    """Remove the rules of a fault; AgentError when the kernel refuses."""
    run_in_namespace(network, lambda: nftables.delete(table_name(tag)))

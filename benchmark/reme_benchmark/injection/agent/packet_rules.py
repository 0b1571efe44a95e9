"""Packet rules in a pod's network namespace: one table for each fault, found by its comment."""

import errno
import itertools
from collections.abc import Sequence
from pathlib import Path

from reme_benchmark.injection.agent import netlink, nftables
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.agent.nftables import Expression, Table
from reme_benchmark.injection.agent.packet_delay import SENT_AGAIN
from reme_benchmark.injection.fault_tag import Mark

NOBODY = 65533
"""A queue that nobody serves: the kernel loses its packets, and their sender takes them for sent.

A plain drop would tell the sender at once (EPERM), and TCP would send again sooner than it does
when a packet is lost on the wire.
"""
# The usual place of rules that change packets. A delay comes before a loss and does not see again
# what it has sent, so that no packet is tried twice.
_LOSS_PRIORITY, _DELAY_PRIORITY = -150, -151
_UNKNOWN = {errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.EPROTONOSUPPORT}
Rule = list[Expression]


def losing(percent: float) -> list[Rule]:
    """Return the ways to lose a share of the packets, the best first."""
    shares = (nftables.share(percent), nftables.share_by_extension(percent))
    losses = (
        nftables.queue(NOBODY, bypass=False),
        nftables.queue_by_extension(NOBODY, bypass=False),
        nftables.drop(),
    )
    return [share + loss for loss, share in itertools.product(losses, shares)]


def queueing(number: int) -> list[Rule]:
    """Return the ways to hand packets to a queue; without its process they pass."""
    return [
        nftables.queue(number, bypass=True),
        nftables.queue_by_extension(number, bypass=True),
    ]


def table(mark: Mark, spared: Sequence[str], rule: Rule) -> Table:
    """Return the table of a fault."""
    accept = nftables.accept()
    skipped = [nftables.output_is("lo"), *(nftables.sent_to(address) for address in spared)]
    if mark.kind == "delay":
        skipped.insert(0, nftables.mark_is(SENT_AGAIN))
    priority = _DELAY_PRIORITY if mark.kind == "delay" else _LOSS_PRIORITY
    rules = [*(match + accept for match in skipped), rule]
    return Table(name(mark), priority, rules, str(mark))


def name(mark: Mark) -> str:
    """Return the name of a fault's table."""
    return f"reme_fault_{mark.id}"


def add(network: Path | None, mark: Mark, spared: Sequence[str], ways: Sequence[Rule]) -> int:
    """Put a rule in, in the first way that this kernel knows; return which.

    Raises:
        AgentError: it knows none; nothing was put in.

    """

    def work() -> int:
        problem: OSError | None = None
        for number, rule in enumerate(ways):
            try:
                nftables.create(table(mark, spared, rule))
            except OSError as error:
                if error.errno not in _UNKNOWN:
                    raise
                problem = error
            else:
                return number
        raise AgentError(f"this kernel knows no such packet rule: {problem}") from problem

    return netlink.inside(network, work)


def known(ways: Sequence[Rule]) -> bool:
    """Return whether this kernel knows one of these rules, by trying them where nobody is."""
    nobodys = Mark("try", "try", "trying", "loss", 0)
    try:
        add(None, nobodys, (), ways)
    except AgentError:
        return False
    return True


def found(network: Path) -> list[Mark]:
    """Return the faults that have rules in a network namespace."""
    comments = netlink.inside(network, lambda: list(nftables.comments()))
    return list(dict.fromkeys(filter(None, (Mark.find(comment) for _, comment in comments))))


def remove(network: Path, mark: Mark) -> None:
    """Take the rules of a fault out; AgentError when the kernel refuses."""
    netlink.inside(network, lambda: nftables.delete(name(mark)))

"""Tables of nftables: made at once or not at all, listed by their comments, deleted as a whole."""

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reme_benchmark.injection.agent import netlink
from reme_benchmark.injection.agent.netlink import attribute, nested, number, text

_SUBSYSTEM = 10
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE, _GET_RULE = (
    _SUBSYSTEM << 8 | kind for kind in (0, 2, 3, 6, 7)
)
_BATCH_BEGIN, _BATCH_END = 16, 17
_IPV4 = socket.AF_INET
_POSTROUTING = 4
_REGISTER, _VERDICT_REGISTER = 1, 0
_ACCEPT, _DROP = 1, 0
_META_MARK, _META_OUTPUT = 3, 7
_COMMENT = 0
_CHAIN = "out"

Expression = bytes


def _expression(name: str, *parts: bytes) -> Expression:
    return nested(1, text(1, name), nested(2, *parts))


def _equals(value: bytes) -> Expression:
    return _expression("cmp", number(1, _REGISTER), number(2, 0), nested(3, attribute(1, value)))


def output_is(device: str) -> list[Expression]:
    """Match packets that leave by a device."""
    name = device.encode().ljust(16, b"\0")
    return [_expression("meta", number(1, _REGISTER), number(2, _META_OUTPUT)), _equals(name)]


def mark_is(mark: int) -> list[Expression]:
    """Match packets with a mark."""
    loaded = _expression("meta", number(1, _REGISTER), number(2, _META_MARK))
    return [loaded, _equals(struct.pack("=I", mark))]


def sent_to(address: str) -> list[Expression]:
    """Match packets to an address."""
    place = (number(1, _REGISTER), number(2, 1), number(3, 16), number(4, 4))
    return [_expression("payload", *place), _equals(socket.inet_aton(address))]


def share(percent: float) -> list[Expression]:
    """Match a random share of the packets, in hundredths of a percent."""
    drawn = (number(1, _REGISTER), number(2, 10_000), number(3, 1), number(4, 0))
    below = struct.pack(">I", round(percent * 100))
    less = _expression("cmp", number(1, _REGISTER), number(2, 2), nested(3, attribute(1, below)))
    # Numbers are compared in the order of their bytes, and are drawn in that of the machine.
    swap = (number(1, _REGISTER), number(2, _REGISTER), number(3, 1), number(4, 4), number(5, 4))
    return [_expression("numgen", *drawn), _expression("byteorder", *swap), less]


def share_by_extension(percent: float) -> list[Expression]:
    """Match the same by iptables' extension, for kernels without random numbers in nftables."""
    probability = round(percent / 100 * 0x80000000)
    info = struct.pack("=HHIIIQ", 0, 0, probability, 0, 0, 0)
    return [_expression("match", text(1, "statistic"), number(2, 0), attribute(3, info))]


def accept() -> list[Expression]:
    """Let them go on."""
    return _verdict(_ACCEPT)


def drop() -> list[Expression]:
    """Drop them, and tell their sender."""
    return _verdict(_DROP)


def _verdict(code: int) -> list[Expression]:
    data = nested(2, nested(2, number(1, code)))
    return [_expression("immediate", number(1, _VERDICT_REGISTER), data)]


def queue(queue_number: int, *, bypass: bool) -> list[Expression]:
    """Hand them to a queue; with bypass they go on when nobody serves it."""
    words = (queue_number, 1, int(bypass))
    parts = [attribute(kind, struct.pack(">H", word)) for kind, word in enumerate(words, 1)]
    return [_expression("queue", *parts)]


def queue_by_extension(queue_number: int, *, bypass: bool) -> list[Expression]:
    """Do the same by iptables' extension, for kernels without queues in nftables."""
    info = struct.pack("=HHHxx", queue_number, 1, int(bypass))
    return [_expression("target", text(1, "NFQUEUE"), number(2, 3), attribute(3, info))]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with one chain for what leaves, of some priority, and its rules."""

    name: str
    priority: int
    rules: Sequence[Sequence[Expression]]
    comment: str


def create(table: Table) -> None:
    """Make a table in the network namespace of this thread; OSError when the kernel refuses."""
    hook = nested(4, number(1, _POSTROUTING), number(2, table.priority))
    parts = [
        (_NEW_TABLE, text(1, table.name)),
        (
            _NEW_CHAIN,
            text(1, table.name) + text(3, _CHAIN) + hook + number(5, _ACCEPT) + text(7, "filter"),
        ),
    ]
    for rule in table.rules:
        comment = table.comment.encode() + b"\0"
        parts.append(
            (
                _NEW_RULE,
                text(1, table.name)
                + text(2, _CHAIN)
                + nested(4, *rule)
                + attribute(7, bytes([_COMMENT, len(comment)]) + comment),
            )
        )
    _batch(parts)


def delete(name: str) -> None:
    """Delete a table; one that is not there is no error."""
    try:
        _batch([(_DELETE_TABLE, text(1, name))])
    except FileNotFoundError:
        return


def comments() -> Iterator[tuple[str, str]]:
    """Yield (table, comment) of every rule that has one, in this thread's network namespace."""
    flags = netlink.REQUEST | netlink.DUMP
    with netlink.open_socket() as kernel:
        kernel.send(netlink.message(_GET_RULE, flags, b"", family=_IPV4))
        while True:
            for kind, body in netlink.messages(kernel.recv(0x40000)):
                if kind == netlink.ERROR:
                    raise _refused(netlink.error(body))
                if kind == netlink.DONE:
                    return
                if kind == _NEW_RULE:
                    rule = netlink.attributes(body[4:])
                    comment = _comment(rule.get(7, b""))
                    if comment:
                        yield rule.get(1, b"").rstrip(b"\0").decode(), comment


def _comment(data: bytes) -> str:
    while len(data) >= 2:
        kind, length = data[0], data[1]
        if kind == _COMMENT:
            return data[2 : 2 + length].rstrip(b"\0").decode(errors="replace")
        data = data[2 + length :]
    return ""


def _batch(parts: Sequence[tuple[int, bytes]]) -> None:
    """Send messages that take effect together, and raise what the kernel says first."""
    create_flags = netlink.REQUEST | netlink.ACKNOWLEDGE | netlink.CREATE | netlink.APPEND
    sent = [netlink.message(_BATCH_BEGIN, netlink.REQUEST, b"", resource=_SUBSYSTEM)]
    for sequence, (kind, body) in enumerate(parts, 1):
        flags = create_flags if kind != _DELETE_TABLE else netlink.REQUEST | netlink.ACKNOWLEDGE
        sent.append(netlink.message(kind, flags, body, family=_IPV4, sequence=sequence))
    sent.append(netlink.message(_BATCH_END, netlink.REQUEST, b"", resource=_SUBSYSTEM))
    with netlink.open_socket() as kernel:
        kernel.send(b"".join(sent))
        waiting = len(parts)
        while waiting:
            for kind, body in netlink.messages(kernel.recv(0x20000)):
                if kind == netlink.ERROR:
                    waiting -= 1
                    if code := netlink.error(body):
                        raise _refused(code)


def _refused(code: int) -> OSError:
    return OSError(code, "nftables")

"""What is said to the kernel's packet filter, byte by byte, and to tc."""

import socket
import struct

import pytest

from reme_benchmark.injection.agent import netem, netlink, nfqueue, nftables, packet_rules, routes
from reme_benchmark.injection.agent.network import queue_number
from reme_benchmark.injection.fault_tag import Mark

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth1\t00000000\t0100A00A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth1\t0000A00A\t0100A00A\t0003\t0\t0\t0\t0080FFFF\t0\t0\t0
"""


def mark(kind: str, id_: str = "0a1b2c3d") -> Mark:
    return Mark("c1", "bench", id_, kind, 1_800_000_000)


def names(rule: list[bytes]) -> list[str]:
    """Return the names of a rule's expressions."""
    parts = [netlink.attributes(netlink.attributes(expression)[1]) for expression in rule]
    return [part[1].rstrip(b"\0").decode() for part in parts]


def data(expression: bytes) -> dict[int, bytes]:
    return netlink.attributes(netlink.attributes(netlink.attributes(expression)[1])[2])


def test_attributes_are_padded_and_read_again() -> None:
    body = netlink.text(1, "abc") + netlink.number(2, 7) + netlink.nested(3, netlink.text(1, "x"))
    assert len(body) % 4 == 0
    found = netlink.attributes(body)
    assert found[1] == b"abc\0"
    assert found[2] == b"\0\0\0\x07"
    assert netlink.attributes(found[3])[1] == b"x\0"


def test_messages_are_told_apart() -> None:
    one = netlink.message(5, 1, b"ab", family=2, resource=10, sequence=3)
    two = netlink.message(6, 1, netlink.text(1, "y"))
    padded = one + bytes(-len(one) % 4)
    read = list(netlink.messages(padded + two))
    assert [kind for kind, _ in read] == [5, 6]
    assert read[0][1] == b"\x02\0\0\x0aab"
    assert list(netlink.messages(b"\x05\0\0\0" + bytes(20))) == [], "a broken length ends it"


def test_a_loss_spares_addresses_and_the_loopback_and_comes_last() -> None:
    table = packet_rules.table(mark("loss"), ["10.1.2.3"], packet_rules.losing(12.5)[0])
    assert table.name == "reme_fault_0a1b2c3d"
    assert [names(list(rule)) for rule in table.rules] == [
        ["meta", "cmp", "immediate"],
        ["payload", "cmp", "immediate"],
        ["numgen", "byteorder", "cmp", "queue"],
    ]
    spared = netlink.attributes(data(table.rules[1][1])[3])
    assert spared[1] == socket.inet_aton("10.1.2.3")
    share = netlink.attributes(data(table.rules[2][2])[3])
    assert struct.unpack(">I", share[1]) == (1250,)


def test_a_delay_comes_before_a_loss_and_does_not_see_its_own_packets() -> None:
    delay = packet_rules.table(mark("delay"), [], packet_rules.queueing(7)[0])
    loss = packet_rules.table(mark("loss"), [], packet_rules.losing(1)[0])
    assert delay.priority < loss.priority
    assert struct.unpack("=I", netlink.attributes(data(delay.rules[0][1])[3])[1]) == (0x7E3E,)
    assert len(loss.rules) == 2, "a loss sees what was delayed"


def test_a_delay_lets_packets_pass_without_its_process_and_a_loss_does_not() -> None:
    for rule in packet_rules.queueing(777):
        assert _flags(rule[-1]) == (777, 1, 1)
    for rule in packet_rules.losing(50)[:4]:
        assert _flags(rule[-1]) == (packet_rules.NOBODY, 1, 0)


def _flags(expression: bytes) -> tuple[int, int, int]:
    parts = data(expression)
    if names([expression]) == ["target"]:
        assert len(parts[3]) == 8, "padded as the extension's size"
        number, total, flags = struct.unpack("=HHH", parts[3][:6])
        return number, total, flags
    number, total, flags = (struct.unpack(">H", parts[kind])[0] for kind in (1, 2, 3))
    return number, total, flags


def test_kernels_without_newer_expressions_get_the_older_ones() -> None:
    ways = [names(rule) for rule in packet_rules.losing(50)]
    assert ways[0][-1] == "queue"
    assert ["match", "target"] in ways
    assert ways[-1] == ["match", "immediate"]
    info = data(packet_rules.losing(25)[1][0])[3]
    assert len(info) == 24
    assert struct.unpack("=HHI", info[:8]) == (0, 0, 0x20000000)


def test_no_rule_takes_the_queue_that_nobody_serves() -> None:
    numbers = {queue_number(mark("delay", f"{n:08x}")) for n in range(2000)}
    assert packet_rules.NOBODY not in numbers
    assert min(numbers) >= 1024
    assert max(numbers) < packet_rules.NOBODY
    assert len(numbers) > 1900


def test_packets_are_read_out_of_the_kernels_message() -> None:
    head = netlink.attribute(1, struct.pack(">IHBx", 42, 0x0800, 4))
    body = head + netlink.attribute(10, b"\x45payload")
    first = netlink.message(0x300, 0, body, family=2, resource=7)
    other = netlink.message(0x301, 0, b"")
    message = first + bytes(-len(first) % 4) + other
    assert list(nfqueue.packets(message)) == [nfqueue.Packet(42, b"\x45payload")]


def test_an_answer_says_its_error() -> None:
    assert netlink.error(struct.pack("=i", 0)) == 0
    assert netlink.error(struct.pack("=i", -17)) == 17


def test_comments_are_read_from_the_data_of_a_rule() -> None:
    comment = b"hello\0"
    other = bytes([1, 2]) + b"xx"
    assert nftables._comment(other + bytes([0, len(comment)]) + comment) == "hello"
    assert nftables._comment(b"") == ""


def test_the_gateway_and_its_device_are_those_of_the_default_route() -> None:
    assert routes.gateway(ROUTES) == "10.160.0.1"
    assert routes.device(ROUTES) == "eth1"
    assert routes.gateway("Iface\n") == ""
    assert routes.device("Iface\n") == "eth0"


def test_netem_sends_everything_but_what_is_spared_through_the_delay() -> None:
    root, delay, spared = (
        " ".join(words) for words in netem.commands("eth0", 1500.0, ["10.1.2.3"])
    )
    assert root == ("tc qdisc add dev eth0 root handle 7e3e: prio bands 4 priomap" + " 3" * 16)
    assert delay == (
        "tc qdisc add dev eth0 parent 7e3e:4 handle 7e3f: netem limit 100000 delay 1500ms"
    )
    assert spared == (
        "tc filter add dev eth0 parent 7e3e: protocol ip prio 1 u32 match ip dst 10.1.2.3/32 "
        "flowid 7e3e:1"
    )
    assert " ".join(netem.undo("eth0")) == "tc qdisc del dev eth0 root handle 7e3e:"


@pytest.mark.parametrize("percent", [0.01, 33.333, 100])
def test_a_share_is_exact_to_a_hundredth(percent: float) -> None:
    below = netlink.attributes(data(nftables.share(percent)[2])[3])[1]
    assert struct.unpack(">I", below)[0] == round(percent * 100)

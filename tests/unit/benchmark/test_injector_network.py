"""Packet rules, packet queues and `tc` commands of network faults."""

import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from reme_benchmark.injection.agent import netem, nfqueue, nftables, packet_rules, routes
from reme_benchmark.injection.agent.errors import AgentError
from reme_benchmark.injection.agent.network import queue_number
from reme_benchmark.injection.agent.network_namespace import run_in_namespace
from reme_benchmark.injection.agent.nftables import Expression
from reme_benchmark.injection.fault_tag import FaultTag

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth1\t00000000\t0100A00A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth1\t0000A00A\t0100A00A\t0003\t0\t0\t0\t0080FFFF\t0\t0\t0
"""


def tag(kind: str, id_: str = "0a1b2c3d") -> FaultTag:
    return FaultTag("c1", "bench", id_, kind, 1_800_000_000)


def names(rule: list[Expression]) -> list[str]:
    """Return the names of a rule's expressions."""
    return [dict(expression["attrs"])["NFTA_EXPR_NAME"] for expression in rule]


def values(expression: Expression) -> dict[str, Any]:
    """Return the attributes of an expression."""
    return dict(dict(expression["attrs"])["NFTA_EXPR_DATA"]["attrs"])


def compared(expression: Expression) -> bytes:
    """Return the bytes that an expression compares with."""
    value: bytes = dict(values(expression)["NFTA_CMP_DATA"]["attrs"])["NFTA_DATA_VALUE"]
    return value


def test_attributes_are_padded_and_read_again() -> None:
    body = nfqueue.attribute(1, b"abc\0\0") + nfqueue.attribute(2, b"\0\0\0\x07")
    assert len(body) % 4 == 0
    assert nfqueue.attributes(body) == {1: b"abc\0\0", 2: b"\0\0\0\x07"}


def test_messages_are_told_apart() -> None:
    first = nfqueue.message(5, 1, 10, b"ab")
    second = nfqueue.message(6, 1, 10, b"")
    padded = first + bytes(-len(first) % 4)
    assert list(nfqueue.messages(padded + second)) == [(5, b"\0\0\0\x0aab"), (6, b"\0\0\0\x0a")]
    assert list(nfqueue.messages(b"\x05\0\0\0" + bytes(20))) == [], "a broken length ends it"


def test_a_loss_spares_addresses_and_the_loopback_and_comes_last() -> None:
    table = packet_rules.table(tag("loss"), ["10.1.2.3"], packet_rules.loss_rules(12.5)[0])
    assert table.name == "reme_fault_0a1b2c3d"
    assert [names(list(rule)) for rule in table.rules] == [
        ["meta", "cmp", "immediate"],
        ["payload", "cmp", "immediate"],
        ["numgen", "byteorder", "cmp", "queue"],
    ]
    assert compared(table.rules[1][1]) == socket.inet_aton("10.1.2.3")
    assert struct.unpack(">I", compared(table.rules[2][2])) == (1250,)


def test_a_delay_comes_before_a_loss_and_does_not_see_its_own_packets() -> None:
    delay = packet_rules.table(tag("delay"), [], packet_rules.queue_rules(7)[0])
    loss = packet_rules.table(tag("loss"), [], packet_rules.loss_rules(1)[0])
    assert delay.priority < loss.priority
    assert struct.unpack("=I", compared(delay.rules[0][1])) == (0x7E3E,)
    assert len(loss.rules) == 2, "a loss sees what was delayed"


def test_a_delay_lets_packets_pass_without_its_process_and_a_loss_does_not() -> None:
    for rule in packet_rules.queue_rules(777):
        assert _flags(rule[-1]) == (777, 1, 1)
    for rule in packet_rules.loss_rules(50)[:4]:
        assert _flags(rule[-1]) == (packet_rules.UNSERVED_QUEUE, 1, 0)


def _flags(expression: Expression) -> tuple[int, int, int]:
    """Return queue number, number of queues, and whether packets pass without a process."""
    attributes = values(expression)
    if names([expression]) == ["target"]:
        info = attributes["NFTA_TARGET_INFO"]
        assert len(info) == 8, "padded to the extension's size"
        number, total, flags = struct.unpack("=HHH", info[:6])
        return number, total, flags
    return (
        attributes["NFTA_QUEUE_NUM"],
        attributes["NFTA_QUEUE_TOTAL"],
        attributes["NFTA_QUEUE_FLAGS"],
    )


def test_kernels_without_newer_expressions_get_the_older_ones() -> None:
    ways = [names(rule) for rule in packet_rules.loss_rules(50)]
    assert ways[0][-1] == "queue"
    assert ["match", "target"] in ways
    assert ways[-1] == ["match", "immediate"]
    info = values(packet_rules.loss_rules(25)[1][0])["NFTA_MATCH_INFO"]
    assert len(info) == 24
    assert struct.unpack("=HHI", info[:8]) == (0, 0, 0x20000000)


def test_no_rule_takes_the_queue_that_nobody_serves() -> None:
    numbers = {queue_number(tag("delay", f"{n:08x}")) for n in range(2000)}
    assert packet_rules.UNSERVED_QUEUE not in numbers
    assert min(numbers) >= 1024
    assert max(numbers) < packet_rules.UNSERVED_QUEUE
    assert len(numbers) > 1900


def test_packets_are_read_out_of_the_kernels_message() -> None:
    head = nfqueue.attribute(1, struct.pack(">IHBx", 42, 0x0800, 4))
    body = head + nfqueue.attribute(10, b"\x45payload")
    first = nfqueue.message(0x300, 0, 7, body)
    other = nfqueue.message(0x301, 0, 7, b"")
    message = first + bytes(-len(first) % 4) + other
    assert list(nfqueue.packets(message)) == [nfqueue.Packet(42, b"\x45payload")]


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
    assert " ".join(netem.remove_command("eth0")) == "tc qdisc del dev eth0 root handle 7e3e:"


@pytest.mark.parametrize("percent", [0.01, 33.333, 100])
def test_a_share_is_exact_to_a_hundredth(percent: float) -> None:
    below = compared(nftables.share(percent)[2])
    assert struct.unpack(">I", below)[0] == round(percent * 100)


needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to create a network namespace"
)


@needs_namespaces
@pytest.mark.parametrize("rules", [packet_rules.loss_rules(50), packet_rules.queue_rules(7)])
def test_the_kernel_takes_a_table_and_returns_its_comment(rules: list[packet_rules.Rule]) -> None:
    def create_and_delete() -> tuple[list[str], list[str]]:
        for rule in rules:
            with contextlib.suppress(OSError):
                nftables.create(packet_rules.table(tag("delay"), ["10.1.2.3"], rule))
                break
        created = nftables.comments()
        nftables.delete(packet_rules.table_name(tag("delay")))
        nftables.delete(packet_rules.table_name(tag("delay")))  # the second time is no error
        return created, nftables.comments()

    created, remaining = run_in_namespace(None, create_and_delete)
    assert created == [str(tag("delay"))] * 4
    assert remaining == []


@needs_namespaces
def test_a_table_is_created_as_a_whole_or_not_at_all() -> None:
    def refused() -> list[str]:
        unknown_key = nftables._expression("meta", NFTA_META_DREG=1, NFTA_META_KEY=99)
        rules = [nftables.accept(), [unknown_key]]
        with pytest.raises(OSError, match="nftables: E"):
            nftables.create(nftables.Table("half", -150, rules, "comment"))
        return nftables.comments()

    assert run_in_namespace(None, refused) == []


@needs_namespaces
def test_a_namespace_that_has_gone_is_an_error_of_the_agent(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="network namespace"):
        run_in_namespace(tmp_path / "gone", nftables.comments)

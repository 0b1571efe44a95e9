"""Creates, lists and deletes tables of nftables in the network namespace of this thread.

A table is created in one transaction, carries its owner in the comment of every rule, and is
deleted as a whole. pyroute2 encodes the messages. The program `nft` is no alternative: it cannot
express the extensions of iptables that kernels without `numgen` or `queue` need.
"""

import errno
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFT_MSG_DELTABLE,
    NFT_MSG_GETRULE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWTABLE,
    Cmp,
    Meta,
    NFTSocket,
    Regs,
    nft_chain_msg,
    nft_rule_msg,
    nft_table_msg,
)

_CHAIN = "out"
_POSTROUTING_HOOK = 4
_ACCEPT, _DROP = 1, 0
_NETWORK_HEADER, _DESTINATION_OFFSET, _ADDRESS_BYTES = 1, 16, 4
_RANDOM, _HOST_TO_NETWORK = 1, 1
_QUEUE_FLAG_BYPASS = 1
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11

Expression = dict[str, Any]
"""One expression of a rule, as pyroute2 encodes it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with one chain on outgoing packets."""

    name: str
    priority: int
    rules: Sequence[Sequence[Expression]]
    comment: str


def output_is(device: str) -> list[Expression]:
    """Match packets that leave by a device."""
    return [_load_meta(Meta.NFT_META_OIFNAME), _compare(device.encode().ljust(16, b"\0"))]


def mark_is(mark: int) -> list[Expression]:
    """Match packets with a packet mark."""
    return [_load_meta(Meta.NFT_META_MARK), _compare(struct.pack("=I", mark))]


def sent_to(address: str) -> list[Expression]:
    """Match packets to an IPv4 address."""
    destination = _expression(
        "payload",
        NFTA_PAYLOAD_DREG=Regs.NFT_REG_1,
        NFTA_PAYLOAD_BASE=_NETWORK_HEADER,
        NFTA_PAYLOAD_OFFSET=_DESTINATION_OFFSET,
        NFTA_PAYLOAD_LEN=_ADDRESS_BYTES,
    )
    return [destination, _compare(socket.inet_aton(address))]


def share(percent: float) -> list[Expression]:
    """Match a random share of the packets, exact to a hundredth of a percent."""
    number = _expression(
        "numgen",
        NFTA_NG_DREG=Regs.NFT_REG_1,
        NFTA_NG_MODULUS=10_000,
        NFTA_NG_TYPE=_RANDOM,
        NFTA_NG_OFFSET=0,
    )
    # The kernel draws the number in its own byte order and compares byte by byte.
    swap = _expression(
        "byteorder",
        NFTA_BYTEORDER_SREG=Regs.NFT_REG_1,
        NFTA_BYTEORDER_DREG=Regs.NFT_REG_1,
        NFTA_BYTEORDER_OP=_HOST_TO_NETWORK,
        NFTA_BYTEORDER_LEN=4,
        NFTA_BYTEORDER_SIZE=4,
    )
    return [number, swap, _compare(struct.pack(">I", round(percent * 100)), Cmp.NFT_CMP_LT)]


def share_by_extension(percent: float) -> list[Expression]:
    """Match a random share with iptables' `statistic`, for kernels without `numgen`."""
    probability = round(percent / 100 * 0x80000000)
    info = struct.pack("=HHIIIQ", 0, 0, probability, 0, 0, 0)
    return [
        _expression("match", NFTA_MATCH_NAME="statistic", NFTA_MATCH_REV=0, NFTA_MATCH_INFO=info)
    ]


def accept() -> list[Expression]:
    """Let packets pass."""
    return [_verdict(_ACCEPT)]


def drop() -> list[Expression]:
    """Drop packets; their sender gets an error."""
    return [_verdict(_DROP)]


def queue(queue_number: int, *, bypass: bool) -> list[Expression]:
    """Hand packets to a queue. With `bypass` they pass when no process serves the queue."""
    flags = _QUEUE_FLAG_BYPASS if bypass else 0
    return [
        _expression(
            "queue", NFTA_QUEUE_NUM=queue_number, NFTA_QUEUE_TOTAL=1, NFTA_QUEUE_FLAGS=flags
        )
    ]


def queue_by_extension(queue_number: int, *, bypass: bool) -> list[Expression]:
    """Hand packets to a queue with iptables' `NFQUEUE`, for kernels without `queue`."""
    info = struct.pack("=HHHxx", queue_number, 1, int(bypass))
    return [
        _expression("target", NFTA_TARGET_NAME="NFQUEUE", NFTA_TARGET_REV=3, NFTA_TARGET_INFO=info)
    ]


def create(table: Table) -> None:
    """Create a table with its rules, or nothing.

    Raises:
        OSError: the kernel refused it, for instance because it does not know an expression.
    """
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND
    hook = _nested(NFTA_HOOK_HOOKNUM=_POSTROUTING_HOOK, NFTA_HOOK_PRIORITY=table.priority)
    chain = _message(
        nft_chain_msg,
        NFT_MSG_NEWCHAIN,
        flags,
        NFTA_CHAIN_TABLE=table.name,
        NFTA_CHAIN_NAME=_CHAIN,
        NFTA_CHAIN_HOOK=hook,
        NFTA_CHAIN_POLICY=_ACCEPT,
        NFTA_CHAIN_TYPE="filter",
    )
    rules = (
        _message(
            nft_rule_msg,
            NFT_MSG_NEWRULE,
            flags,
            NFTA_RULE_TABLE=table.name,
            NFTA_RULE_CHAIN=_CHAIN,
            NFTA_RULE_EXPRESSIONS=list(rule),
            NFTA_RULE_USERDATA=table.comment,
        )
        for rule in table.rules
    )
    created = _message(nft_table_msg, NFT_MSG_NEWTABLE, flags, NFTA_TABLE_NAME=table.name)
    _commit([created, chain, *rules])


def delete(name: str) -> None:
    """Delete a table; one that does not exist is no error."""
    flags = NLM_F_REQUEST | NLM_F_ACK
    try:
        _commit([_message(nft_table_msg, NFT_MSG_DELTABLE, flags, NFTA_TABLE_NAME=name)])
    except FileNotFoundError:
        return


def comments() -> list[str]:
    """Return the comments of all rules.

    Raises:
        OSError: the kernel refused to list them.
    """
    with NFTSocket() as kernel:
        rules = kernel.request_get(nft_rule_msg(), NFT_MSG_GETRULE)
        return [comment for rule in rules if (comment := rule.get_attr("NFTA_RULE_USERDATA"))]


def _load_meta(key: Meta) -> Expression:
    return _expression("meta", NFTA_META_DREG=Regs.NFT_REG_1, NFTA_META_KEY=key)


def _compare(value: bytes, operator: Cmp = Cmp.NFT_CMP_EQ) -> Expression:
    data = _nested(NFTA_DATA_VALUE=value)
    return _expression(
        "cmp", NFTA_CMP_SREG=Regs.NFT_REG_1, NFTA_CMP_OP=operator, NFTA_CMP_DATA=data
    )


def _verdict(code: int) -> Expression:
    data = _nested(NFTA_DATA_VERDICT=_nested(NFTA_VERDICT_CODE=code))
    register = Regs.NFT_REG_VERDICT
    return _expression("immediate", NFTA_IMMEDIATE_DREG=register, NFTA_IMMEDIATE_DATA=data)


def _expression(name: str, **attributes: Any) -> Expression:
    return _nested(NFTA_EXPR_NAME=name, NFTA_EXPR_DATA=_nested(**attributes))


def _nested(**attributes: Any) -> dict[str, Any]:
    return {"attrs": list(attributes.items())}


def _message(kind: type[nfgen_msg], number: int, flags: int, **attributes: Any) -> nfgen_msg:
    message = kind()
    message["attrs"] = list(attributes.items())
    message["header"]["type"] = NFNL_SUBSYS_NFTABLES << 8 | number
    message["header"]["flags"] = flags
    message["nfgen_family"] = socket.AF_INET
    return message


def _batch_edge(number: int) -> nfgen_msg:
    message = nfgen_msg()
    message["res_id"] = NFNL_SUBSYS_NFTABLES
    message["header"]["type"] = number
    message["header"]["flags"] = NLM_F_REQUEST
    return message


def _commit(messages: Iterable[nfgen_msg]) -> None:
    """Send messages as one transaction, and raise the first error of the kernel as an OSError."""
    batch = [_batch_edge(_BATCH_BEGIN), *messages, _batch_edge(_BATCH_END)]
    with NFTSocket() as kernel:
        try:
            kernel.nlm_request_batch(batch)
        except NetlinkError as error:
            code = error.code or errno.EPROTO
            raise OSError(code, f"nftables: {errno.errorcode.get(code, code)}") from error

"""Messages to the kernel's packet filter (nfnetlink), with the standard library alone."""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from reme_benchmark.injection.agent.errors import AgentError

NETFILTER = 12
REQUEST, ACKNOWLEDGE, DUMP, CREATE, APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
ERROR, DONE = 2, 3
_NESTED = 0x8000
_NEW_NETWORK = 0x40000000
_HEADER = struct.Struct("=IHHII")
T = TypeVar("T")


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """Return an attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(parts))


def number(kind: int, value: int) -> bytes:
    """Return an attribute with a number of four bytes, as the network writes it."""
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def text(kind: int, value: str) -> bytes:
    """Return an attribute with a text."""
    return attribute(kind, value.encode() + b"\0")


def message(
    kind: int, flags: int, body: bytes, *, family: int = 0, resource: int = 0, sequence: int = 0
) -> bytes:
    """Return one message: a subsystem's kind, a protocol family and a number of the subsystem."""
    content = struct.pack(">BBH", family, 0, resource) + body
    return _HEADER.pack(_HEADER.size + len(content), kind, flags, sequence, 0) + content


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (kind, what follows the header) of each message in what the kernel sent."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes in a message's body, by kind."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def error(body: bytes) -> int:
    """Return the error number in an answer; 0 is success."""
    return -int(struct.unpack_from("=i", body)[0])


def open_socket() -> socket.socket:
    """Open a socket in the network namespace of this thread."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    opened.bind((0, 0))
    opened.settimeout(5.0)
    return opened


def _enter(network: Path | None) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if network is None:
        failed = library.unshare(_NEW_NETWORK)
    else:
        entry = os.open(network, os.O_RDONLY)
        failed = library.setns(entry, _NEW_NETWORK)
        os.close(entry)
    if failed:
        raise OSError(ctypes.get_errno(), "no such namespace")


def inside(network: Path | None, work: Callable[[], T]) -> T:
    """Do something in another network namespace, or in a new one that is nobody's.

    In a thread of its own, which a namespace belongs to.

    Raises:
        AgentError: there is no such namespace any more.

    """
    results: list[T] = []
    problems: list[BaseException] = []

    def enter() -> None:
        try:
            _enter(network)
            results.append(work())
        except BaseException as problem:  # noqa: BLE001 - raised again by who waits
            problems.append(problem)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if not problems:
        return results[0]
    if isinstance(problems[0], OSError):
        raise AgentError(f"the pod's network: {problems[0]}") from problems[0]
    raise problems[0]

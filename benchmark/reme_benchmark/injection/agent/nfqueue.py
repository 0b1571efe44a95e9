"""The kernel's packet queues (NFQUEUE).

Packets are copied to this process whole; the kernel segments and checksums them before, because
this side does not say that it can deal with larger ones.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from reme_benchmark.injection.agent import netlink
from reme_benchmark.injection.agent.netlink import attribute

_SUBSYSTEM = 3
_PACKET, _VERDICT, _CONFIG = (_SUBSYSTEM << 8 | kind for kind in (0, 1, 2))
# Attributes of a configuration, and of a packet or verdict.
_CONFIG_COMMAND, _CONFIG_PARAMETERS, _CONFIG_LENGTH, _CONFIG_MASK, _CONFIG_FLAGS = 1, 2, 3, 4, 5
_HEADER, _VERDICT_HEADER, _PAYLOAD = 1, 2, 10
_BIND, _COPY_PACKET, _FAIL_OPEN = 1, 2, 0x1
_DROP, _ACCEPT = 0, 1
_SO_RCVBUFFORCE, _SOL_NETLINK, _NO_ENOBUFS = 33, 270, 5
_RECEIVE_BYTES = 32 * 1024 * 1024
_LONGEST_QUEUE = 65535


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet that waits for a verdict."""

    id: int
    payload: bytes


class Queue:
    """One packet queue of this process's network namespace."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.socket = netlink.open_socket()

    @classmethod
    def bind(cls, number: int) -> Self:
        """Take a queue; OSError when another process has it."""
        queue = cls(number)
        # The usual buffer of 200 kB overflows at about 150 packets in a burst.
        queue.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
        queue.socket.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
        # What does not fit into the queue passes without delay: a fault must not lose packets.
        fail_open = struct.pack(">I", _FAIL_OPEN)
        for body in (
            attribute(_CONFIG_COMMAND, struct.pack(">BxH", _BIND, 0)),
            attribute(_CONFIG_PARAMETERS, struct.pack(">IB", 0xFFFF, _COPY_PACKET)),
            attribute(_CONFIG_LENGTH, struct.pack(">I", _LONGEST_QUEUE)),
            attribute(_CONFIG_FLAGS, fail_open) + attribute(_CONFIG_MASK, fail_open),
        ):
            queue._configure(body)
        queue.socket.setblocking(False)
        return queue

    def packets(self, most: int = 256) -> Iterator[Packet]:
        """Yield what has arrived, without waiting."""
        for _ in range(most):
            try:
                data = self.socket.recv(0x20000)
            except BlockingIOError:
                return
            yield from packets(data)

    def drop(self, packet_id: int) -> None:
        """Let the kernel forget a packet; its sender takes it for sent."""
        self._verdict(packet_id, _DROP)

    def accept(self, packet_id: int) -> None:
        """Let a packet go on."""
        self._verdict(packet_id, _ACCEPT)

    def _verdict(self, packet_id: int, verdict: int) -> None:
        body = attribute(_VERDICT_HEADER, struct.pack(">II", verdict, packet_id))
        self.socket.send(netlink.message(_VERDICT, netlink.REQUEST, body, resource=self._number))

    def _configure(self, body: bytes) -> None:
        flags = netlink.REQUEST | netlink.ACKNOWLEDGE
        self.socket.send(netlink.message(_CONFIG, flags, body, resource=self._number))
        for kind, answer in netlink.messages(self.socket.recv(65536)):
            if kind == netlink.ERROR and (code := netlink.error(answer)):
                raise OSError(code, f"queue {self._number}")


def packets(data: bytes) -> Iterator[Packet]:
    """Read the packets in what the kernel sent."""
    for kind, body in netlink.messages(data):
        if kind == _PACKET:
            found = netlink.attributes(body[4:])
            if header := found.get(_HEADER):
                yield Packet(struct.unpack_from(">I", header)[0], found.get(_PAYLOAD, b""))

"""One call of grpc.health.v1.Health/Check over HTTP/2, without TLS.

The protocol is https://github.com/grpc/grpc/blob/master/doc/health-checking.md. Request and reply
have one field each, so they are read and written here, without generated code. What the server
sends is untrusted, and bounded.
"""

import asyncio
from typing import NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from reme_api.parsing import parse_int

METHOD = "/grpc.health.v1.Health/Check"
SERVING = "SERVING"
NO_VERDICT = frozenset({5, 7, 12, 16})
"""Codes that say nothing about the health: no such service, not permitted, no health checks."""
_MAX_BYTES = 64 * 1024
_STATES = {0: "UNKNOWN", 1: SERVING, 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_CODES = {
    2: "UNKNOWN",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}
"""Names of the status codes that servers send."""
_LENGTH_DELIMITED = 2


class HealthReply(NamedTuple):
    """What the server answered: the status of the call, and its health when the call succeeded."""

    code: int
    health: str = ""

    @property
    def text(self) -> str:
        """The health, or the name of the status."""
        return self.health or _CODES.get(self.code, f"status {self.code}")


class NotGrpcError(Exception):
    """The server does not speak gRPC, or ended the connection in the middle of the call."""


async def check_health(host: str, port: int, authority: str, service: str) -> HealthReply:
    """Return the health of a service of the server; the caller sets the timeout.

    Raises:
        OSError: the connection failed.
        NotGrpcError: the answer is no answer of a gRPC server.

    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        return await _call(reader, writer, authority, service)
    except ProtocolError as error:
        raise NotGrpcError("does not speak HTTP/2") from error
    finally:
        writer.close()


async def _call(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, service: str
) -> HealthReply:
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", METHOD),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "reme-prober"),
    ]
    connection.send_headers(stream, headers)
    connection.send_data(stream, _frame(service), end_stream=True)
    answer = _Answer()
    received = 0
    while not answer.ended:
        if data := connection.data_to_send():
            writer.write(data)
            await writer.drain()
        data = await reader.read(_MAX_BYTES)
        received += len(data)
        if not data or received > _MAX_BYTES:
            raise NotGrpcError("ended the connection" if not data else "answered too much")
        for event in connection.receive_data(data):
            answer.take(event)
    return answer.reply()


class _Answer:
    """The events of one stream, collected."""

    def __init__(self) -> None:
        self.ended = False
        self._headers: dict[str, str] = {}
        self._body = b""

    def take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived | TrailersReceived):
            self._headers |= {str(name): str(value) for name, value in event.headers or ()}
        elif isinstance(event, DataReceived):
            self._body += event.data or b""
        elif isinstance(event, StreamReset | ConnectionTerminated):
            raise NotGrpcError("reset the call")
        elif isinstance(event, StreamEnded):
            self.ended = True

    def reply(self) -> HealthReply:
        """Return the reply.

        Raises:
            NotGrpcError: the headers or the message are none of gRPC.

        """
        if (status := self._headers.get(":status", "")) != "200":
            raise NotGrpcError(f"answered HTTP {status[:3]}")
        code = parse_int(self._headers.get("grpc-status", ""), maximum=999)
        if code is None:
            raise NotGrpcError("answered without a gRPC status")
        if code:
            return HealthReply(code)
        # A frame: one byte that says whether it is compressed, four bytes of length, the message.
        if len(self._body) < 5 or self._body[0]:
            raise NotGrpcError("answered without a message")
        length = int.from_bytes(self._body[1:5], "big")
        health = _first_integer(self._body[5 : 5 + length])
        return HealthReply(0, _STATES.get(health, _STATES[0]))


def _frame(service: str) -> bytes:
    """Return a HealthCheckRequest in the frame of gRPC: field 1 is the name of the service."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _varint(number: int) -> bytes:
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def _first_integer(message: bytes) -> int:
    """Return the integer in field 1 of a protobuf message; 0, the default, when it has none.

    Raises:
        NotGrpcError: the message is not protobuf.

    """
    place, value = 0, 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        number, place = _read_varint(message, place)
        if tag & 7 == _LENGTH_DELIMITED:
            place += number  # skip a field that is not known
        elif tag & 7:
            raise NotGrpcError("answered with another message")
        elif tag >> 3 == 1:
            value = number
    return value


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 64, 7):
        if place >= len(message):
            break
        byte, place = message[place], place + 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise NotGrpcError("answered with another message")

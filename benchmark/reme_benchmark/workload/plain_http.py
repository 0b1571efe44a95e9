"""HTTP over plain sockets: a server of few threads, and a client that trusts no earlier answer.

The standard library's server and client cost ten mebibytes a process; a system of sixty services
on one small node cannot spend that.
"""

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

_MOST_HEADER_BYTES = 16384
_MOST_BODY_BYTES = 65536
_CONTENT_LENGTH = re.compile(rb"(?im)^content-length: ?([0-9]{1,9})\r?$")
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

# A resolver that waits five seconds for a lost packet would hide every other timeout.
os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:2")


class Reply(NamedTuple):
    """What a request is answered with."""

    status: int
    body: bytes


class Place(NamedTuple):
    """Where a plain http URL points to."""

    host: str
    port: int
    path: str


def place(url: str) -> Place:
    """Split a URL.

    Raises:
        ValueError: it is no http URL with a host.
    """
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.partition(":")
    if scheme != "http" or not host or (port and not (port.isascii() and port.isdigit())):
        raise ValueError(f"{url!r} is no http URL")
    return Place(host, int(port or 80), slash + path or "/")


def get(url: str, timeout_seconds: float) -> Reply:
    """Ask once, over a connection of its own and after a lookup of its own.

    Raises:
        OSError: the name does not resolve, nobody answers, or not within the timeout.
        ValueError: the URL or the answer is not understood.
    """
    where = place(url)
    until = time.monotonic() + timeout_seconds
    with _connected(where, until) as connection:
        connection.sendall(
            f"GET {where.path} HTTP/1.1\r\nHost: {where.host}:{where.port}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        received = bytearray()
        while len(received) < _MOST_BODY_BYTES:
            part = _within(connection, until).recv(16384)
            if not part:
                break
            received += part
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise ConnectionError("the connection was closed without an answer")
    return Reply(int(words[1]), body)


def _connected(where: Place, until: float) -> socket.socket:
    addresses = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    last: OSError = TimeoutError("timed out")
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        try:
            _within(connection, until).connect(address)
        except OSError as error:
            connection.close()
            last = error
        else:
            return connection
    raise last


def _within(connection: socket.socket, until: float) -> socket.socket:
    remaining = until - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("timed out")
    connection.settimeout(remaining)
    return connection


class Server:
    """Answers requests, a bounded number at a time; what is above waits, as elsewhere.

    A POST is answered where `answer_post` is given; its body is read and ignored.
    """

    def __init__(
        self,
        port: int,
        answer: Callable[[str], Reply],
        *,
        answer_post: Callable[[str], Reply] | None = None,
        at_once: int = 64,
    ) -> None:
        self._answers = {b"GET": answer, b"HEAD": answer}
        if answer_post is not None:
            self._answers[b"POST"] = answer_post
        self._places = threading.Semaphore(at_once)
        self._listener = socket.create_server(("", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.stack_size(256 * 1024)

    def serve(self) -> None:
        """Accept connections until the server is stopped."""
        while True:
            self._places.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                threading.Thread(target=self._converse, args=(connection,), daemon=True).start()
            except RuntimeError:
                # No room for another thread: this one goes away unanswered, the server stays.
                connection.close()
                self._places.release()

    def stop(self) -> None:
        """Accept no more connections."""
        # Closing alone would not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _converse(self, connection: socket.socket) -> None:
        try:
            # Who hangs up early is answered no more.
            with contextlib.suppress(OSError), connection:
                connection.settimeout(10)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                waiting = bytearray()
                while self._one(connection, waiting):
                    pass
        finally:
            self._places.release()

    def _one(self, connection: socket.socket, waiting: bytearray) -> bool:
        """Answer one request; return whether the connection stays open for another."""
        while b"\r\n\r\n" not in waiting:
            part = connection.recv(4096)
            if not part or len(waiting) > _MOST_HEADER_BYTES:
                return False
            waiting += part
        head, _, rest = bytes(waiting).partition(b"\r\n\r\n")
        waiting[:] = rest
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or words[0] not in self._answers:
            return False
        if words[0] == b"POST" and not _read_body(connection, head, waiting):
            return False
        stays = words[2] == b"HTTP/1.1" and b"connection: close" not in head.lower()
        reply = self._answers[words[0]](words[1].decode("latin-1"))
        connection.sendall(
            f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, 'Unknown')}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(reply.body)}\r\n"
            f"Connection: {'keep-alive' if stays else 'close'}\r\n\r\n".encode()
            + (b"" if words[0] == b"HEAD" else reply.body)
        )
        return stays


def _read_body(connection: socket.socket, head: bytes, waiting: bytearray) -> bool:
    """Read the body of a request, and return whether all of it came."""
    length = _CONTENT_LENGTH.search(head)
    remaining = int(length[1]) if length else 0
    if remaining > _MOST_BODY_BYTES:
        return False
    while len(waiting) < remaining:
        part = connection.recv(4096)
        if not part:
            return False
        waiting += part
    del waiting[:remaining]
    return True

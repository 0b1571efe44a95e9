"""HTTP between aiohttp's client and aiohttp's server in one process, without a socket."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from tests.doubles.sim_loop import Process, current_process


class _End(asyncio.Transport):
    """One end of a connection: what is written here arrives at the other end's protocol."""

    def __init__(self, protocol: Any, context: Context, sender: Process | None) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sender": sender})
        self._protocol, self._context = protocol, context
        self._closed = False
        self.other: _End

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closed

    def is_reading(self) -> bool:
        return not self._closed

    def pause_reading(self) -> None:
        """Go on: nothing here is big enough to matter."""

    def resume_reading(self) -> None:
        """Go on."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        if not self._closed:
            self._soon(self.other.receive, bytes(data))

    def writelines(self, chunks: Any) -> None:
        self.write(b"".join(chunks))

    def write_eof(self) -> None:
        """HTTP does not need it."""

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._soon(self.lose)
            self._soon(self.other.hang_up)

    def abort(self) -> None:
        self.close()

    def receive(self, data: bytes) -> None:
        if not self._closed:
            self._context.run(self._protocol.data_received, data)

    def hang_up(self) -> None:
        if not self._closed:
            self._closed = True
            self.lose()

    def lose(self) -> None:
        self._context.run(self._protocol.connection_lost, None)

    def _soon(self, call: Callable[..., object], *args: Any) -> None:
        asyncio.get_running_loop().call_soon(call, *args, context=Context())


class Wire(aiohttp.BaseConnector):
    """Connections from the process that makes it to a server in the same loop."""

    def __init__(self, serve: Callable[[], Any], limit: int = 32) -> None:
        super().__init__(limit=limit, keepalive_timeout=600)
        self._serve = serve
        self._owner = current_process()
        self._ends: list[_End] = []
        if self._owner is not None:
            self._owner.at_death(self._close_connection)

    async def _create_connection(self, *_: Any) -> ResponseHandler:
        if self._owner is not None and self._owner.dead:
            raise aiohttp.ClientConnectionError("the process is dead")
        client = self._factory()
        server = self._serve()
        near = _End(client, Context(), self._owner)
        # The server is nobody's: what it does for a process outlives that process.
        far = _End(server, Context(), self._owner)
        near.other, far.other = far, near
        far._context.run(server.connection_made, far)
        near._context.run(client.connection_made, near)
        self._ends.append(near)
        return client

    def _close_connection(self) -> None:
        for end in self._ends:
            end.abort()
        self._closed = True  # nobody is left who could close it in good order


def sender_of(request: aiohttp.web.Request) -> Process | None:
    """Return the process that sent a request."""
    transport = request.transport
    return cast("Process | None", transport.get_extra_info("sender")) if transport else None

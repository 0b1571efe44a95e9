"""A gRPC server that tells its health and nothing else, for a pod of the operator's image.

    python grpc_server.py PORT SERVING|NOT_SERVING

It uses h2 alone, which the image has for the probes.
"""

import asyncio
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded

STATES = {"SERVING": 1, "NOT_SERVING": 2}
METHOD = "/grpc.health.v1.Health/Check"


async def serve(port: int, state: str, started: asyncio.Event | None = None) -> None:
    """Answer every call on the port until cancelled."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        paths: dict[int, str] = {}
        writer.write(connection.data_to_send())
        try:
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, RequestReceived):
                        headers = {str(name): str(value) for name, value in event.headers or ()}
                        paths[event.stream_id or 0] = headers.get(":path", "")
                    elif isinstance(event, StreamEnded) and event.stream_id in paths:
                        _answer(connection, event.stream_id, paths[event.stream_id], state)
                writer.write(connection.data_to_send())
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    async with await asyncio.start_server(converse, "", port) as server:
        if started is not None:
            started.set()
        await server.serve_forever()


def _answer(connection: H2Connection, stream: int, path: str, state: str) -> None:
    headers = [(":status", "200"), ("content-type", "application/grpc")]
    if path != METHOD:
        connection.send_headers(stream, [*headers, ("grpc-status", "12")], end_stream=True)
        return
    message = bytes([0x08, STATES[state]])
    connection.send_headers(stream, headers)
    connection.send_data(stream, b"\0" + len(message).to_bytes(4, "big") + message)
    connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))

"""The requests of a run end in time and never raise."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reme_runner import api_client
from reme_runner.api_client import ApiServer


@pytest.fixture
def silent_server() -> Iterator[int]:
    """Accepts connections and sends nothing, not even its part of the TLS handshake."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connections.append(listener.accept()[0])
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()
    for connection in connections:
        connection.close()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("")
    return tmp_path


def test_a_server_that_sends_nothing_is_given_up_in_time(
    silent_server: int, credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_client, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(ssl, "create_default_context", unverified)
    begin = time.monotonic()
    response = ApiServer("127.0.0.1", silent_server, credentials).request("GET", "/x")
    assert response.status == 0
    assert "timed out" in response.message
    assert time.monotonic() - begin < 2


def test_no_server_and_no_token_are_no_response(credentials: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for server in (
        ApiServer("127.0.0.1", port, credentials),
        ApiServer("127.0.0.1", port, tmp_path / "missing"),
        ApiServer("no.such.host.invalid", port, credentials),
    ):
        response = server.request("PATCH", "/x", {"a": 1}, "application/json")
        assert response.status == 0
        assert response.message


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[1]", b"[" * 5000, b'"x"', b"9" * 5000])
def test_a_body_that_is_no_object_is_empty(body: bytes) -> None:
    assert api_client._parse(body) == {}


def unverified(**_: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

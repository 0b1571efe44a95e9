"""The agent's server: which requests it accepts, and how it reports errors."""

import json
from typing import Any

import pytest

from reme_benchmark.injection.agent.errors import AgentError, BusyError, GoneError
from reme_benchmark.injection.agent.server import respond
from reme_benchmark.injection.specs import InvalidFaultError

TOKEN = "a-token-that-is-long-enough"


def ask(path: str, body: Any, **commands: Any) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return respond({f"/{name}": work for name, work in commands.items()}, TOKEN, path, content)


def test_a_command_gets_its_body_without_the_token() -> None:
    bodies: list[Any] = []

    def work(body: dict[str, Any]) -> dict[str, Any]:
        bodies.append(body)
        return {"done": True}

    assert ask("/work", {"token": TOKEN, "id": "x"}, work=work) == (200, {"done": True})
    assert bodies == [{"id": "x"}]


@pytest.mark.parametrize("given", [{}, {"token": ""}, {"token": "ä"}, {"token": 5}])
def test_without_the_token_nothing_is_done(given: dict[str, Any]) -> None:
    def work(body: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError(body)

    status, reply = ask("/work", given, work=work)
    assert (status, reply["reason"]) == (403, "Forbidden")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 9999, b"9" * 9999])
def test_a_body_that_is_none_is_refused(content: bytes) -> None:
    assert ask("/work", content)[0] == 400


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (GoneError("gone"), 404, "ContainerGone"),
        (BusyError("busy"), 409, "Busy"),
        (AgentError("no"), 422, "Impossible"),
        (InvalidFaultError("bad"), 400, "InvalidFault"),
        (FileNotFoundError(2, "No such file", "/proc/1/x"), 422, "Impossible"),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int, reason: str) -> None:
    def work(body: dict[str, Any]) -> dict[str, Any]:
        raise error

    reply_status, reply = ask("/work", {"token": TOKEN}, work=work)
    assert (reply_status, reply["reason"]) == (status, reason)
    assert reply["message"]


def test_an_unknown_command_is_told_apart_from_a_container_that_is_gone() -> None:
    status, reply = ask("/nothing", {"token": TOKEN})
    assert (status, reply["reason"]) == (404, "NoSuchCommand")

"""Serves the agent's commands as JSON over HTTP; clients use the API server's pod proxy.

Every command is a POST with the token in its body, because the API server's proxy replaces the
Authorization header.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reme_benchmark.injection.agent import container_checks, containers, usage
from reme_benchmark.injection.agent.containers import Container
from reme_benchmark.injection.agent.errors import AgentError, InvalidRequestError
from reme_benchmark.injection.agent.node import NodeAgent
from reme_benchmark.injection.specs import Fault, InvalidFaultError

Json = dict[str, Any]
_LARGEST_BODY = 64 * 1024
_LONGEST_SECONDS = 60.0


class Commands:
    """The commands, by path."""

    def __init__(self, node: NodeAgent) -> None:
        self._node = node
        self.by_path: dict[str, Callable[[Json], Json]] = {
            "/inject": lambda body: node.inject(Fault.from_json(_object(body, "fault"))),
            "/remove": lambda body: {"removed": node.remove(_text(body, "id"))},
            "/sweep": lambda body: {"removed": node.sweep(_text(body, "owner"))},
            "/active": lambda _: {"faults": node.active()},
            "/ping": lambda _: {},
            "/capabilities": lambda _: node.capabilities(),
            "/usage": self._usage,
            "/disk": self._disk,
            "/network": self._network,
        }

    def _container(self, body: Json) -> Container:
        container_id = _text(body, "container_id")
        if len(container_id) < 12 or not container_id.isalnum():
            raise InvalidRequestError("container_id must be at least 12 letters and digits")
        return containers.find(self._node.tree, container_id)

    def _usage(self, body: Json) -> Json:
        seconds = _number(body, "seconds", 1.0)
        return usage.usage(self._container(body).groups, seconds).to_json()

    def _disk(self, body: Json) -> Json:
        return container_checks.disk(
            self._container(body),
            _text(body, "folder"),
            int(_number(body, "bytes", 4 * 1024 * 1024, maximum=1024**3)),
            _number(body, "seconds", 5.0),
            direct=bool(body.get("direct", True)),
        )

    def _network(self, body: Json) -> Json:
        count = int(_number(body, "count", 5, maximum=200))
        return container_checks.network(
            self._container(body), _text(body, "target"), count, _number(body, "timeout", 3.0)
        )


def _object(body: Json, name: str) -> Json:
    part = body.get(name)
    if not isinstance(part, dict):
        raise InvalidRequestError(f"{name} must be an object")
    return part


def _text(body: Json, name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} must be a string")
    return value


def _number(body: Json, name: str, default: float, *, maximum: float = _LONGEST_SECONDS) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= maximum:
        raise InvalidRequestError(f"{name} must be a number above 0 and not above {maximum:g}")
    return float(value)


def respond(
    commands: Mapping[str, Callable[[Json], Json]], token: str, path: str, content: bytes
) -> tuple[int, Json]:
    """Carry out one request and return its status and body. Every expected error is a status."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return 400, {"reason": "InvalidRequest", "message": "the body must be a JSON object"}
    given = body.pop("token", "")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), token.encode()):
        return 403, {"reason": "Forbidden", "message": "wrong token"}
    if path not in commands:
        return 404, {"reason": "NoSuchCommand", "message": f"unknown command {path[:40]}"}
    try:
        return 200, commands[path](body)
    except InvalidFaultError as error:
        return 400, {"reason": "InvalidFault", "message": str(error)}
    except OSError as error:  # a file of /proc or a control group disappeared while it was read
        return 422, {"reason": "Impossible", "message": f"{error.strerror}: {error.filename or ''}"}
    except AgentError as error:
        return error.status, {"reason": error.reason, "message": str(error)}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    commands: Mapping[str, Callable[[Json], Json]]
    token: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the health check; everything else needs the token."""
        self._reply(200 if self.path == "/healthz" else 404, {})

    def do_POST(self) -> None:
        """Carry out a command."""
        text = self.headers.get("Content-Length") or "0"
        digits = text.isascii() and text.isdecimal() and len(text) < 10
        length = int(text) if digits else _LARGEST_BODY + 1
        if length > _LARGEST_BODY:
            self.close_connection = True
            self._reply(413, {"reason": "InvalidRequest", "message": "the body is too large"})
            return
        self._reply(*respond(self.commands, self.token, self.path, self.rfile.read(length)))

    def _reply(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Log requests, without the kubelet's probes."""
        if self.path != "/healthz":
            print(format % args, flush=True)


def serve(node: NodeAgent, token: str, port: int) -> None:
    """Serve until the process ends."""
    Handler.commands = Commands(node).by_path
    Handler.token = token
    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    print(f"fault agent of cluster {node.cluster} serves on {port}", flush=True)
    server.serve_forever()

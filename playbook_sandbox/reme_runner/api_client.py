"""The few requests of a run itself, without the Kubernetes client, which takes a second to load."""

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reme_playbook.execution.runner_contract import REQUEST_SECONDS, TOKEN_DIRECTORY

MAX_RESPONSE_BYTES = 32 * 1024 * 1024


class ApiResponse(NamedTuple):
    """A response of the API server; status 0 is none, and leaves open whether anything changed."""

    status: int
    body: Mapping[str, Any]

    @property
    def message(self) -> str:
        """What the server says about a refusal, or why there is no response."""
        return str(self.body.get("message", ""))[:500]


@dataclass(frozen=True)
class ApiServer:
    """The API server, with the token that is in the pod at the time of a request."""

    host: str
    port: int
    credentials: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "ApiServer":
        """Find the server as every pod does.

        Raises:
            KeyError: the environment is not that of a pod.
            ValueError: the port is not a number.
        """
        return cls(
            environment["KUBERNETES_SERVICE_HOST"],
            int(environment.get("KUBERNETES_SERVICE_PORT", "443")),
            Path(environment.get("REME_CREDENTIALS", TOKEN_DIRECTORY)),
        )

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> ApiResponse:
        """Send one request and never raise: the caller decides whether to go on.

        It ends after REQUEST_SECONDS, unless the server keeps sending.
        """
        headers = {
            "Accept": "application/json",
            "User-Agent": "reme-run",
            **({"Content-Type": content_type} if content_type else {}),
        }
        data = None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, self.port)
        try:
            headers["Authorization"] = f"Bearer {(self.credentials / 'token').read_text().strip()}"
            connection.sock = self._connect(time.monotonic() + REQUEST_SECONDS)
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            return ApiResponse(response.status, _parse(response.read(MAX_RESPONSE_BYTES)))
        except (OSError, http.client.HTTPException) as error:
            return ApiResponse(0, {"message": str(error) or type(error).__name__})
        finally:
            connection.close()

    def _connect(self, deadline: float) -> ssl.SSLSocket:
        """Return a verified connection of which each step waits for what is left of the time."""

        def remaining() -> float:
            return max(0.1, deadline - time.monotonic())

        context = ssl.create_default_context(cafile=str(self.credentials / "ca.crt"))
        plain = socket.create_connection((self.host, self.port), timeout=remaining())
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(remaining())
            encrypted = context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
        encrypted.settimeout(remaining())
        return encrypted


@dataclass(frozen=True)
class ResultClient:
    """The result ConfigMap of one run."""

    server: ApiServer
    namespace: str
    name: str

    def patch(self, body: Any, content_type: str) -> ApiResponse:
        """Send one patch."""
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/{self.name}?fieldManager=reme-run"
        return self.server.request("PATCH", path, body, content_type)


def _parse(text: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, Mapping) else {}

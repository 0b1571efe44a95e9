"""The few requests that a run makes by itself; the Kubernetes client takes a second to load."""

import http.client
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reme_playbook.execution.pod import TOKEN_DIRECTORY

REQUEST_SECONDS = 5
MAX_ANSWER_BYTES = 32 * 1024 * 1024

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


class ApiResponse(NamedTuple):
    """What the API server said; status 0 is no word at all, and leaves open what was done."""

    status: int
    body: Mapping[str, Any]

    @property
    def message(self) -> str:
        """The server's words about a refusal, or the reason why there are none."""
        return str(self.body.get("message", ""))[:500]


@dataclass(frozen=True)
class ApiServer:
    """The API server, with the token that lies in the pod at that moment."""

    address: str
    credentials: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "ApiServer":
        """Find the server as any pod does.

        Raises:
            KeyError: this is no pod.
        """
        host = environment["KUBERNETES_SERVICE_HOST"]
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        return cls(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            Path(environment.get("REME_CREDENTIALS", TOKEN_DIRECTORY)),
        )

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> ApiResponse:
        """Ask once; never raises, for the caller must decide whether to go on."""
        try:
            token = (self.credentials / "token").read_text().strip()
            trusted = ssl.create_default_context(cafile=str(self.credentials / "ca.crt"))
            connection = http.client.HTTPSConnection(
                self.address, context=trusted, timeout=REQUEST_SECONDS
            )
        except OSError as error:
            return ApiResponse(0, {"message": str(error)})
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": "reme-run",
            **({"Content-Type": content_type} if content_type else {}),
        }
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, body=data, headers=headers)
            reply = connection.getresponse()
            return ApiResponse(reply.status, _parsed(reply.read(MAX_ANSWER_BYTES)))
        except (OSError, http.client.HTTPException) as error:
            return ApiResponse(0, {"message": str(error)})
        finally:
            connection.close()


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


def _parsed(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}

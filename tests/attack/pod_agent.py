"""Code that has taken a run's pod over: sends every attempt with the pod's own token.

Runs inside the sandbox's image instead of the runner, and prints one line of JSON for each attempt.
"""

import base64
import http.client
import json
import os
import ssl
import time
from pathlib import Path
from typing import Any

BASE = "/var/run/secrets/kubernetes.io/serviceaccount/"
TOKEN = Path(BASE, "token")


def call(
    method: str, path: str, body: Any, content_type: str, headers: dict[str, str]
) -> tuple[int, str]:
    token = TOKEN.read_text()
    trusted = ssl.create_default_context(cafile=BASE + "ca.crt")
    where = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    connection = http.client.HTTPSConnection(*where, context=trusted, timeout=20)
    every = {"Authorization": "Bearer " + token, "User-Agent": "reme-attack"}
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        every["Content-Type"] = content_type
    connection.request(method, path, data, {**every, **headers})
    answer = connection.getresponse()
    text = b"" if answer.status == 101 else answer.read(100_000)
    connection.close()
    try:
        message = json.loads(text).get("message", "")
    except (ValueError, AttributeError):
        message = text.decode(errors="replace")[:200]
    return answer.status, message


def tell(name: str, status: int, message: str) -> None:
    print(json.dumps({"name": name, "status": status, "message": message[:600]}), flush=True)


def settle(control: Any) -> None:
    """Wait until the server knows rights and grant: what is refused before that proves nothing."""
    until = time.monotonic() + 20
    while time.monotonic() < until and call(*control[1:])[0] != 200:
        time.sleep(0.1)


def host(name: str, code: str) -> None:
    try:
        exec(code, {})
    except BaseException as error:  # noqa: BLE001 (whatever stopped it)
        tell(name, 403, repr(error))
    else:
        tell(name, 200, "it went through")


def main() -> None:
    claims = TOKEN.read_text().split(".")[1]
    tell("claims", 0, base64.urlsafe_b64decode(claims + "===").decode())
    document = json.loads(os.environ["ATTEMPTS"])
    if document["requests"]:
        settle(document["controls"][0] if document["controls"] else document["requests"][0])
    for name, *rest in [*document["requests"], *document["controls"]]:
        try:
            tell(name, *call(*rest))
        except OSError as error:
            tell(name, -1, repr(error))
    for name, code in document["host"]:
        host(name, code)
    time.sleep(float(document["stay"]))


if __name__ == "__main__":
    main()

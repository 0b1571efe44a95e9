"""A runner that gets SIGTERM ends within its pod's grace period, though the API server hangs."""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reme_playbook.execution.manifests import manifests
from reme_playbook.execution.runner_contract import TERMINATION_GRACE_SECONDS
from tests.unit.execution.test_manifests import REQUEST


@dataclass
class StubServer:
    """Accepts the first patch, which is the claim, and never responds to another."""

    directory: Path
    requests: list[Any] = field(default_factory=list)
    second: threading.Event = field(default_factory=threading.Event)
    end: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def respond(self, body: Any) -> bool:
        self.requests.append(body)
        if len(self.requests) == 1:
            return True
        self.second.set()
        self.end.wait(60)
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StubServer]:
    certificate, key = tmp_path / "ca.crt", tmp_path / "key"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=stub"
    words = f"{words} -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    (tmp_path / "token").write_text("t")
    stub = StubServer(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if stub.respond(body):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    http_server.socket = context.wrap_socket(http_server.socket, server_side=True)
    http_server.daemon_threads = True
    stub.port = http_server.server_address[1]
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    yield stub
    stub.end.set()
    http_server.shutdown()
    http_server.server_close()


def test_a_runner_ends_within_the_grace_period_though_no_request_is_answered(
    server: StubServer, tmp_path: Path
) -> None:
    run_manifests = manifests(REQUEST)
    container = run_manifests.job["spec"]["template"]["spec"]["containers"][0]
    (tmp_path / "playbook.json").write_text(run_manifests.input_config_map["data"]["playbook.json"])
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "reme_runner"],
        env={
            **{e["name"]: e.get("value", "pod-x") for e in container["env"]},
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "REME_CREDENTIALS": str(tmp_path),
            "REME_INPUT": str(tmp_path),
            "TMPDIR": str(tmp_path),
        },
    )
    try:
        assert server.second.wait(60), "the runner has not claimed its run"
        begin = time.monotonic()
        process.terminate()
        process.wait(timeout=60)
        assert time.monotonic() - begin < TERMINATION_GRACE_SECONDS
        assert process.returncode == 1
    finally:
        process.kill()
        process.wait()

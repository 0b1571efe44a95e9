"""A small service that really works: it answers, calls others, uses CPU and memory, and can fail.

Everything is set by the environment, so that a rollout can break it and a rollback can mend it:
NAME, PORT, CALLS (comma-separated URLs), CPU_MILLISECONDS and MEMORY_MEBIBYTES per instance,
FAIL_PERCENT, LATENCY_MILLISECONDS, VERSION. Standard library only: the image stays small.
"""

import json
import os
import random
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class WorkloadSettings:
    """What the service does with each request."""

    name: str
    port: int
    calls: tuple[str, ...]
    cpu_milliseconds: float
    memory_mebibytes: int
    fail_percent: float
    latency_milliseconds: float
    version: str

    @classmethod
    def from_environment(cls) -> "WorkloadSettings":
        """Read the settings; a value that is no number ends the process with its name."""

        def number(key: str, default: str) -> float:
            try:
                return float(os.environ.get(key, default))
            except ValueError:
                sys.exit(f"{key} must be a number, not {os.environ[key]!r}")

        return cls(
            name=os.environ.get("NAME", "workload"),
            port=int(number("PORT", "8080")),
            calls=tuple(c for c in os.environ.get("CALLS", "").split(",") if c),
            cpu_milliseconds=number("CPU_MILLISECONDS", "1"),
            memory_mebibytes=int(number("MEMORY_MEBIBYTES", "4")),
            fail_percent=number("FAIL_PERCENT", "0"),
            latency_milliseconds=number("LATENCY_MILLISECONDS", "0"),
            version=os.environ.get("VERSION", "1"),
        )


def burn(milliseconds: float) -> None:
    """Use that much CPU time in this thread."""
    until = time.thread_time() + milliseconds / 1000
    while time.thread_time() < until:
        pass


def call(url: str) -> str | None:
    """Ask a dependency; return what is wrong with it, or nothing."""
    try:
        with urllib.request.urlopen(url, timeout=1.5) as reply:  # noqa: S310 - set by the manifest
            reply.read(65536)
            return None
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        return f"{url}: {error}"[:200]


class Handler(BaseHTTPRequestHandler):
    """Answers / with the work done, /healthz with whether the process lives."""

    settings: WorkloadSettings
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/healthz":
            self._reply(200, {"name": self.settings.name, "version": self.settings.version})
            return
        burn(self.settings.cpu_milliseconds)
        time.sleep(self.settings.latency_milliseconds / 1000)
        if random.uniform(0, 100) < self.settings.fail_percent:  # noqa: S311 - no secret here
            print(
                f"ERROR version {self.settings.version}: internal error on {self.path}", flush=True
            )
            self._reply(500, {"error": f"{self.settings.name}: internal error"})
            return
        failed = [problem for url in self.settings.calls if (problem := call(url))]
        if failed:
            print(f"ERROR dependency failed: {failed[0]}", flush=True)
        self._reply(502 if failed else 200, {"name": self.settings.name, "failed": failed})

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Keep the log to what is wrong."""


class Server(ThreadingHTTPServer):
    """Takes bursts: the default backlog of five refuses them."""

    request_queue_size = 128
    daemon_threads = True


def main() -> None:
    """Serve until SIGTERM."""
    settings = WorkloadSettings.from_environment()
    # Touched page by page: memory that is only reserved would never be counted.
    held = bytearray(settings.memory_mebibytes * 1024 * 1024)
    held[::4096] = b"\x01" * len(held[::4096])
    Handler.settings = settings
    server = Server(("", settings.port), Handler)
    signal.signal(
        signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start()
    )
    print(f"{settings.name} version {settings.version} serves on {settings.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

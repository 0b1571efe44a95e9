"""A user who never stops asking: what was felt at the front door, second by second.

URL, RATE (requests a second) and PORT come from the environment. GET /seconds answers with the
last ten minutes as a list of {time, ok, failed, p50_milliseconds, max_milliseconds}.
"""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Seconds:
    """Counts per second, the last ten minutes of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: deque[tuple[int, list[float], int]] = deque(maxlen=600)

    def add(self, moment: float, milliseconds: float, *, ok: bool) -> None:
        """Count one request in the second in which it was begun."""
        second = int(moment)
        with self._lock:
            row = next((r for r in reversed(self._rows) if r[0] == second), None)
            if row is None:
                row = (second, [], 0)
                self._rows.append(row)
            if ok:
                row[1].append(milliseconds)
            else:
                at = self._rows.index(row)
                self._rows[at] = (second, row[1], row[2] + 1)

    def rows(self) -> list[dict[str, Any]]:
        """Return one record per second, oldest first."""
        with self._lock:
            return [
                {
                    "time": second,
                    "ok": len(good),
                    "failed": failed,
                    "p50_milliseconds": round(sorted(good)[len(good) // 2], 1) if good else None,
                    "max_milliseconds": round(max(good), 1) if good else None,
                }
                for second, good, failed in self._rows
            ]


def ask(url: str, seconds: Seconds) -> None:
    """Make one request and count it."""
    begun, clock = time.time(), time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - set by the manifest
            reply.read(65536)
        ok = True
    except (urllib.error.URLError, TimeoutError, OSError):
        ok = False
    seconds.add(begun, (time.monotonic() - clock) * 1000, ok=ok)


def main() -> None:
    """Ask at a steady rate, whatever the answers, and serve the counts."""
    url, rate = os.environ["URL"], float(os.environ.get("RATE", "5"))
    seconds = Seconds()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(seconds.rows()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
            pass

    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    due = time.monotonic()
    # The pool bounds what can be open at once; a full pool is itself felt as slowness.
    with ThreadPoolExecutor(max_workers=32) as pool:
        while True:
            pool.submit(ask, url, seconds)
            due += 1 / rate
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()

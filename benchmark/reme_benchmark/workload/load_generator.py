"""A user who never stops asking: what was felt at the front door, second by second.

URL, RATE (requests a second), PATHS (comma-separated, asked in turn; without it the URL alone),
TIMEOUT_SECONDS and PORT come from the environment. A request is counted in the second in which it
was due; one that finds all places taken by slow answers is counted as failed, and as skipped.

- GET /seconds: the last ten minutes, a list of {time, ok, failed, p50_milliseconds, ...}
- GET /window?seconds=N: the last N whole seconds whose requests have all ended, in one record
- GET /since?time=T: the same from a moment on, with its seconds
"""

import json
import os
import signal
import sys
import threading
import time
from collections import deque

from reme_benchmark.workload.plain_http import Reply, Server, get, place

_KEPT_SECONDS = 600
_MOST_TIMES = 200
_AT_ONCE = 64

Row = dict[str, object]


class SecondCounts:
    """What happened to the requests of one second, by path."""

    def __init__(self, time: int) -> None:
        self.time = time
        self.ok: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.skipped = 0
        self.milliseconds: list[float] = []

    def row(self) -> Row:
        """Return the record of this second."""
        good = sorted(self.milliseconds)
        return {
            "time": self.time,
            "ok": sum(self.ok.values()),
            "failed": sum(self.failed.values()),
            "p50_milliseconds": quantile(good, 0.5),
            "max_milliseconds": round(good[-1], 1) if good else None,
        }


def quantile(ordered: list[float], share: float) -> float | None:
    """Return the value below which that share lies, or nothing without values."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


class Seconds:
    """Counts per second, the last ten minutes of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: deque[SecondCounts] = deque(maxlen=_KEPT_SECONDS)

    def add(
        self,
        moment: float,
        milliseconds: float,
        *,
        ok: bool,
        path: str = "/",
        skipped: bool = False,
    ) -> None:
        """Count one request in the second in which it was begun."""
        with self._lock:
            second = self._at(int(moment))
            counts = second.ok if ok else second.failed
            counts[path] = counts.get(path, 0) + 1
            second.skipped += skipped
            if ok and len(second.milliseconds) < _MOST_TIMES:
                second.milliseconds.append(milliseconds)

    def _at(self, time: int) -> SecondCounts:
        second = next((s for s in reversed(self._seconds) if s.time == time), None)
        if second is None:
            second = SecondCounts(time)
            self._seconds.append(second)
        return second

    def rows(self) -> list[Row]:
        """Return one record per second, oldest first."""
        with self._lock:
            return [second.row() for second in self._seconds]

    def between(self, begin: float, end: float, *, rows: bool = False) -> Row:
        """Return one record of the seconds from begin up to, not including, end."""
        with self._lock:
            chosen = [s for s in self._seconds if begin <= s.time < end]
            times = sorted(t for s in chosen for t in s.milliseconds)
            paths = sorted({p for s in chosen for p in (*s.ok, *s.failed)})
            record: Row = {
                "begin": int(begin),
                "end": int(end),
                "ok": sum(sum(s.ok.values()) for s in chosen),
                "failed": sum(sum(s.failed.values()) for s in chosen),
                "skipped": sum(s.skipped for s in chosen),
                "p50_milliseconds": quantile(times, 0.5),
                "p95_milliseconds": quantile(times, 0.95),
                "by_path": {
                    path: {
                        "ok": sum(s.ok.get(path, 0) for s in chosen),
                        "failed": sum(s.failed.get(path, 0) for s in chosen),
                    }
                    for path in paths
                },
            }
            if rows:
                record["seconds"] = [second.row() for second in chosen]
            return record


class User:
    """Asks one path after the other, whatever became of the ones before."""

    def __init__(self, url: str, paths: tuple[str, ...], timeout_seconds: float) -> None:
        where = place(url)
        self._base = f"http://{where.host}:{where.port}"
        self._paths = paths or (where.path,)
        self._timeout_seconds = timeout_seconds
        self._places = threading.Semaphore(_AT_ONCE)
        self.seconds = Seconds()

    def begin(self, number: int) -> None:
        """Begin one request in a thread of its own, or count it as skipped."""
        path, moment = self._paths[number % len(self._paths)], time.time()
        if not self._places.acquire(blocking=False):
            self.seconds.add(moment, 0, ok=False, path=path, skipped=True)
            return
        threading.Thread(target=self._ask, args=(path, moment), daemon=True).start()

    def _ask(self, path: str, moment: float) -> None:
        clock = time.monotonic()
        try:
            ok = get(self._base + path, self._timeout_seconds).status < 400
        except (OSError, ValueError):
            ok = False
        finally:
            self._places.release()
        took = time.monotonic() - clock
        # A name lookup has a timeout of its own: an answer later than that helps nobody.
        ok = ok and took <= self._timeout_seconds
        self.seconds.add(moment, took * 1000, ok=ok, path=path)

    def answer(self, target: str) -> Reply:
        """Answer one request for the counts of user requests."""
        path, _, query = target.partition("?")
        given = dict(part.partition("=")[::2] for part in query.split("&") if part)
        # Younger seconds still have requests open: they would look better than they are.
        settled = int(time.time() - self._timeout_seconds - 1)
        try:
            match path:
                case "/healthz" | "/ready":
                    body: object = {"paths": self._paths}
                case "/seconds" | "/":
                    body = self.seconds.rows()
                case "/window":
                    body = self.seconds.between(settled - int(given["seconds"]), settled)
                case "/since":
                    body = self.seconds.between(float(given["time"]), settled, rows=True)
                case _:
                    return Reply(404, b'{"error": "no such path"}')
        except (KeyError, ValueError) as error:
            return Reply(400, json.dumps({"error": f"{target}: {error}"}).encode())
        return Reply(200, json.dumps(body).encode())


def main() -> None:
    """Ask at a steady rate, whatever the answers, and serve the counts."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        rate = float(os.environ.get("RATE", "5"))
        paths = tuple(p for p in os.environ.get("PATHS", "").split(",") if p)
        user = User(os.environ["URL"], paths, float(os.environ.get("TIMEOUT_SECONDS", "2")))
    except (KeyError, ValueError) as error:
        sys.exit(f"ERROR URL, RATE, PATHS or TIMEOUT_SECONDS: {error}")
    server = Server(int(os.environ.get("PORT", "8080")), user.answer)
    threading.Thread(target=server.serve, daemon=True).start()
    due, number = time.monotonic(), 0
    while True:
        user.begin(number)
        number += 1
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()

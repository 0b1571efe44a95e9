"""A small service that really works: it answers, calls others, uses what it is given, and can fail.

`python -m reme_benchmark.workload` serves; `... wait HOST:PORT` ends when somebody listens there,
as an init container does; `... sleep` does nothing, as a sidecar does. Everything is set by the
environment (see `workload_settings`), so that a rollout can break it and a rollback can mend it.

`/healthz` says that the process lives, `/ready` that it takes requests, every other path is work:
CPU, memory, disk, and one request to each service that it calls. Standard library only.
"""

import json
import os
import signal
import sys
import threading
import time

from reme_benchmark.workload.disk_writer import Scratch
from reme_benchmark.workload.plain_http import Reply, Server, get
from reme_benchmark.workload.settings import SettingsError, WorkloadSettings

_SLOW_SECONDS = 1.0
# Requests still come until every node knows that this instance goes; less than its grace of 1 s.
_LAST_SECONDS = 0.7
_MOST_LINES_A_SECOND = 5


class Log:
    """Prints lines, a few a second: a failing service must not fill the node's disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = 0
        self._printed = 0
        self._left_out = 0

    def __call__(self, line: str) -> None:
        """Print a line, or only count it when there were too many in this second."""
        with self._lock:
            now = int(time.time())
            if now != self._second:
                if self._left_out:
                    print(f"WARN {self._left_out} lines were left out", flush=True)
                self._second, self._printed, self._left_out = now, 0, 0
            if self._printed >= _MOST_LINES_A_SECOND:
                self._left_out += 1
                return
            self._printed += 1
            print(line, flush=True)


def burn(milliseconds: float) -> None:
    """Use that much CPU time in this thread."""
    until = time.thread_time() + milliseconds / 1000
    while time.thread_time() < until:
        pass


def onward(url: str, path: str) -> str:
    """Return the URL to ask: one that ends with `/*` gets the path of the request."""
    return url.removesuffix("/*") + path if url.endswith("/*") else url


def touched(mebibytes: float) -> bytearray:
    """Return memory that is really used: what is only reserved would never be counted."""
    held = bytearray(int(mebibytes * 1024 * 1024))
    held[::4096] = b"\x01" * len(held[::4096])
    return held


def _by_chance(percent: float) -> bool:
    return int.from_bytes(os.urandom(4), "big") / 2**32 * 100 < percent


class Service:
    """One instance: what it holds, and how it answers."""

    def __init__(self, settings: WorkloadSettings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._held = [touched(settings.memory_mebibytes)]
        self._scratch = (
            Scratch(settings.scratch, settings.disk_kibibytes) if settings.disk_kibibytes else None
        )

    def answer(self, target: str) -> Reply:
        """Answer one request: 500 when the fault is here, 502 when it is a dependency's."""
        path = target.partition("?")[0]
        if path == "/healthz":
            return self._reply(200, version=self._settings.version)
        if path == "/ready":
            taking = self._settings.mode == "normal"
            return self._reply(200 if taking else 503, mode=self._settings.mode)
        started_at = time.monotonic()
        reply = self._work(path)
        took = time.monotonic() - started_at
        if took > _SLOW_SECONDS:
            self._log(f"WARN slow request {path}: {took * 1000:.0f} ms")
        return reply

    def answer_post(self, target: str) -> Reply:
        """Answer one POST: as any other request, or 500 where that is set for POST alone."""
        if _by_chance(self._settings.post_fail_percent):
            path = target.partition("?")[0]
            self._log(f"ERROR version {self._settings.version}: internal error on POST {path}")
            return self._reply(500, error=f"{self._settings.name}: internal error")
        return self.answer(target)

    def _work(self, path: str) -> Reply:
        settings = self._settings
        if settings.mode != "normal":
            self._log(f"ERROR {path} refused: the service is in mode {settings.mode}")
            return self._reply(503, error=f"mode {settings.mode}")
        burn(settings.cpu_milliseconds)
        time.sleep(settings.latency_milliseconds / 1000)
        if settings.leak_kibibytes:
            self._held.append(touched(settings.leak_kibibytes / 1024))
        if _by_chance(settings.fail_percent):
            self._log(f"ERROR version {settings.version}: internal error on {path}")
            return self._reply(500, error=f"{settings.name}: internal error")
        if self._scratch is not None:
            try:
                self._scratch.write()
            except OSError as error:
                self._log(f"ERROR cannot write to {settings.scratch}: {error.strerror}")
                return self._reply(500, error=f"{settings.name}: cannot write: {error.strerror}")
        failed = [
            problem
            for url in settings.calls_for(path)
            if (problem := self._call(onward(url, path)))
        ]
        for problem in failed:
            self._log(f"ERROR dependency failed: {problem}")
        return self._reply(502 if failed else 200, failed=failed)

    def _call(self, url: str) -> str | None:
        """Ask a dependency; return what is wrong with it, or nothing."""
        problem = ""
        for attempt in range(1 + self._settings.retries):
            if attempt:
                time.sleep(self._settings.retry_milliseconds / 1000)
            try:
                reply = get(url, self._settings.call_timeout_milliseconds / 1000)
            except (OSError, ValueError) as error:
                problem = f"{url}: {error}"[:200]
                continue
            if reply.status < 400:
                return None
            problem = f"{url}: HTTP {reply.status}"
        return problem

    def _reply(self, status: int, **body: object) -> Reply:
        return Reply(status, json.dumps({"name": self._settings.name, **body}).encode())


def serve() -> None:
    """Serve until SIGTERM; a setting that makes no sense ends the process with its name."""
    log = Log()
    try:
        settings = WorkloadSettings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(f"ERROR {error}")
    if settings.fill_mebibytes:
        try:
            Scratch(settings.scratch, 0).fill(settings.fill_mebibytes)
        except OSError as error:
            log(f"ERROR cannot fill {settings.scratch}: {error.strerror}")
    if settings.startup_seconds:
        log(f"{settings.name} starts, which takes {settings.startup_seconds:g} s")
        time.sleep(settings.startup_seconds)
    service = Service(settings, log)
    server = Server(settings.port, service.answer, answer_post=service.answer_post)
    signal.signal(signal.SIGTERM, lambda *_: threading.Timer(_LAST_SECONDS, server.stop).start())
    log(f"{settings.name} version {settings.version} serves on {settings.port}")
    server.serve()


def wait(address: str) -> None:
    """Return when somebody listens at HOST:PORT, and say every five seconds why not yet."""
    logged_at = 0.0
    while True:
        try:
            get(f"http://{address}/healthz", 1.5)
        except OSError as error:
            if time.monotonic() - logged_at > 5:
                logged_at = time.monotonic()
                print(f"WARN waiting for {address}: {error}", flush=True)
            time.sleep(0.5)
        else:
            print(f"{address} answers", flush=True)
            return


def main(arguments: list[str]) -> None:
    """Serve, wait or sleep, as the first argument says."""
    # The first process of a container gets no default action for a signal.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    match arguments:
        case []:
            serve()
        case ["wait", address]:
            wait(address)
        case ["sleep"]:
            signal.pause()
        case _:
            sys.exit("usage: python -m reme_benchmark.workload [wait HOST:PORT | sleep]")


if __name__ == "__main__":
    main(sys.argv[1:])

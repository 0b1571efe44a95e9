"""Looks from inside a container or a pod: small programs that print one JSON object.

`python -m ...probes disk FOLDER BYTES SECONDS WAY FILE...` writes from the container's groups;
`python -m ...probes network URL-OR-HOST:PORT COUNT TIMEOUT` connects from the pod's network.
"""

import contextlib
import http.client
import json
import mmap
import os
import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from reme_benchmark.injection.agent.cgroup_join import join

_BLOCK = 64 * 1024


def write(folder: str, size: int, seconds: float, *, direct: bool) -> dict[str, Any]:
    """Write through to the disk until all is written or the time is up; leave no file."""
    path = os.path.join(folder, f".reme-probe-{os.getpid()}")  # noqa: PTH118 - as fast as it gets
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | (os.O_DIRECT if direct else 0)
    file = os.open(path, flags, 0o600)
    os.unlink(path)  # noqa: PTH108 - nameless from here on: a crash leaves nothing
    block = mmap.mmap(-1, _BLOCK)  # aligned, as direct writes must be
    began, written = time.monotonic(), 0
    while written < size and time.monotonic() - began < seconds:
        written += os.write(file, block)
        if not direct:
            os.fsync(file)
    os.fsync(file)
    took = time.monotonic() - began
    os.close(file)
    return {
        "bytes": written,
        "seconds": round(took, 4),
        "bytes_per_second": round(written / max(took, 1e-9)),
        "direct": direct,
    }


def connect(target: str, count: int, timeout: float) -> dict[str, Any]:
    """Connect so many times, one after the other, and ask when the target is a URL."""
    url = urlsplit(target if "//" in target else f"//{target}")
    host, port = url.hostname or "", url.port or 80
    address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    times: list[float] = []
    errors: dict[str, int] = {}
    for _ in range(count):
        began = time.monotonic()
        try:
            _once(str(address), port, url.path if url.scheme else "", timeout)
            times.append(round((time.monotonic() - began) * 1000, 2))
        except (OSError, http.client.HTTPException) as error:
            name = type(error).__name__
            errors[name] = errors.get(name, 0) + 1
    return {"sent": count, "answered": len(times), "milliseconds": times, "errors": errors}


def _once(address: str, port: int, path: str, timeout: float) -> None:
    if not path:
        socket.create_connection((address, port), timeout).close()
        return
    with contextlib.closing(http.client.HTTPConnection(address, port, timeout=timeout)) as asked:
        asked.request("GET", path)
        answer = asked.getresponse()
        answer.read()
        if answer.status >= 400:
            raise http.client.HTTPException(str(answer.status))


def main() -> None:
    """Do one of both and print what was seen, or what was wrong."""
    kind, where, amount, limit, *rest = sys.argv[1:]
    try:
        if kind == "disk":
            way, *groups = rest
            join(groups)
            seen = write(where, int(amount), float(limit), direct=way == "direct")
        else:
            seen = connect(where, int(amount), float(limit))
    except OSError as error:
        seen = {"error": f"{where}: {error.strerror or error}"}
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

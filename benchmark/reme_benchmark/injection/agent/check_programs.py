"""Programs that measure from inside a container or pod, and print one JSON object.

`python -m ...check_programs disk FOLDER BYTES SECONDS MODE FILE...` writes from within the
container's control groups; `python -m ...check_programs network URL-OR-HOST:PORT COUNT TIMEOUT`
connects from the pod's network.
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
    """Write to the disk, not the page cache, until all is written or the time is over.

    Leaves no file. OSError when the folder takes none.
    """
    path = os.path.join(folder, f".reme-probe-{os.getpid()}")  # noqa: PTH118 - as fast as it gets
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | (os.O_DIRECT if direct else 0)
    file = os.open(path, flags, 0o600)
    os.unlink(path)  # noqa: PTH108 - without a name, it disappears even after a crash
    block = mmap.mmap(-1, _BLOCK)  # aligned, as direct writes must be
    start, written = time.monotonic(), 0
    while written < size and time.monotonic() - start < seconds:
        written += os.write(file, block)
        if not direct:
            os.fsync(file)
    os.fsync(file)
    took = time.monotonic() - start
    os.close(file)
    return {
        "bytes": written,
        "seconds": round(took, 4),
        "bytes_per_second": round(written / max(took, 1e-9)),
        "direct": direct,
    }


def connect(target: str, count: int, timeout: float) -> dict[str, Any]:
    """Connect `count` times, one after the other; send a GET request when the target is a URL."""
    url = urlsplit(target if "//" in target else f"//{target}")
    host, port = url.hostname or "", url.port or 80
    address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    times: list[float] = []
    errors: dict[str, int] = {}
    for _ in range(count):
        start = time.monotonic()
        try:
            _once(str(address), port, url.path if url.scheme else "", timeout)
            times.append(round((time.monotonic() - start) * 1000, 2))
        except (OSError, http.client.HTTPException) as error:
            name = type(error).__name__
            errors[name] = errors.get(name, 0) + 1
    return {"sent": count, "answered": len(times), "milliseconds": times, "errors": errors}


def _once(address: str, port: int, path: str, timeout: float) -> None:
    if not path:
        socket.create_connection((address, port), timeout).close()
        return
    with contextlib.closing(http.client.HTTPConnection(address, port, timeout=timeout)) as http_:
        http_.request("GET", path)
        response = http_.getresponse()
        response.read()
        if response.status >= 400:
            raise http.client.HTTPException(str(response.status))


def main() -> None:
    """Run the chosen check and print its result or its error."""
    kind, where, amount, limit, *rest = sys.argv[1:]
    try:
        if kind == "disk":
            mode, *groups = rest
            join(groups)
            result = write(where, int(amount), float(limit), direct=mode == "direct")
        else:
            result = connect(where, int(amount), float(limit))
    except OSError as error:
        result = {"error": f"{where}: {error.strerror or error}"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""Runs inside a container's control groups and uses its CPU, or holds its memory, for some time.

`python -m ...burn MARK SECONDS cpu WORKERS LOAD_PERCENT FILE...` or
`... memory BYTES OOM_SCORE_ADJ FILE...`; the files are those of the groups to join.
The alarm ends each process at its time, whatever happened to who started it.
"""

import mmap
import os
import signal
import sys
import time
from pathlib import Path

from reme_benchmark.injection.agent.cgroup_join import join

_SLICE_SECONDS = 0.1
_STEP = 4 * 1024 * 1024
_HELD, _REFUSED = b"1", b"0"


def burn(load_percent: float) -> None:
    """Use a share of one core for ever."""
    busy, idle = _SLICE_SECONDS * load_percent / 100, _SLICE_SECONDS * (1 - load_percent / 100)
    if idle <= 0:
        while True:
            pass
    while True:
        until = time.process_time() + busy
        while time.process_time() < until:
            pass
        time.sleep(idle)


def hold(size: int, told: int) -> None:
    """Fill memory page by page, tell when all of it is there, and keep it for ever."""
    memory = mmap.mmap(-1, max(size, mmap.PAGESIZE), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for begin in range(0, size, _STEP):
        for page in range(begin, min(begin + _STEP, size), mmap.PAGESIZE):
            memory[page] = 1
        time.sleep(0.005)
    os.write(told, _HELD)
    while True:
        time.sleep(3600)


def _score(oom_score_adj: int, told: int) -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(oom_score_adj))
    except OSError:
        os.write(told, _REFUSED)
        os._exit(1)


def _fork() -> int:
    """Fork; the child has an alarm of its own, since a child does not inherit its parent's."""
    left = signal.alarm(0)
    pid = os.fork()
    signal.alarm(max(left, 1))
    return pid


def _ready() -> None:
    os.write(1, b"ready\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)


def cpu(workers: int, load_percent: float) -> None:
    """Use CPU in so many processes: threads of one would share one core."""
    _ready()
    for _ in range(workers - 1):
        if _fork() == 0:
            break
    burn(load_percent)


def memory(size: int, oom_score_adj: int) -> None:
    """Hold memory in a child, and again in another when the kernel kills it for that."""
    first = True
    while True:
        read, write = os.pipe()
        child = _fork()
        if child == 0:
            os.close(read)
            _score(oom_score_adj, write)
            hold(size, write)
        os.close(write)
        if os.read(read, 1) == _REFUSED:  # nothing when it was killed before all was held
            sys.exit(f"oom_score_adj {oom_score_adj} is refused: it needs CAP_SYS_RESOURCE")
        os.close(read)
        if first:
            _ready()
            first = False
        os.waitpid(child, 0)
        time.sleep(0.5)


def main() -> None:
    """Do one of both."""
    _mark, seconds, kind, first, second, *groups = sys.argv[1:]
    signal.alarm(max(1, int(float(seconds))))
    join(groups)
    if kind == "cpu":
        cpu(int(first), float(second))
    memory(int(first), int(second))


if __name__ == "__main__":
    main()

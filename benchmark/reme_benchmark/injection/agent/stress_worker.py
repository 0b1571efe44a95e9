"""Uses CPU or holds memory for some time, from inside a container's control groups.

`python -m ...stress_worker TAG SECONDS cpu WORKERS LOAD_PERCENT FILE...` or
`... memory BYTES OOM_SCORE_ADJ FILE...`; the files are the `cgroup.procs` of the groups to join.
An alarm ends each process at its time, also when the agent does not run any more.
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


def hold(size: int, ready_pipe: int) -> None:
    """Fill memory page by page, write to the pipe when it is full, and hold it for ever."""
    memory = mmap.mmap(-1, max(size, mmap.PAGESIZE), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for begin in range(0, size, _STEP):
        for page in range(begin, min(begin + _STEP, size), mmap.PAGESIZE):
            memory[page] = 1
        time.sleep(0.005)
    os.write(ready_pipe, _HELD)
    while True:
        time.sleep(3600)


def _score(oom_score_adj: int, ready_pipe: int) -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(oom_score_adj))
    except OSError:
        os.write(ready_pipe, _REFUSED)
        os._exit(1)


def _fork() -> int:
    """Fork, and set the alarm in the child too, which does not inherit it."""
    remaining_seconds = signal.alarm(0)
    pid = os.fork()
    signal.alarm(max(remaining_seconds, 1))
    return pid


def _ready() -> None:
    os.write(1, b"ready\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)


def cpu(workers: int, load_percent: float) -> None:
    """Use CPU in `workers` processes; threads of one process would share one core."""
    _ready()
    for _ in range(workers - 1):
        if _fork() == 0:
            break
    burn(load_percent)


def memory(size: int, oom_score_adj: int) -> None:
    """Hold memory in a child process; start another when the kernel kills it."""
    first = True
    while True:
        read, write = os.pipe()
        child = _fork()
        if child == 0:
            os.close(read)
            _score(oom_score_adj, write)
            hold(size, write)
        os.close(write)
        if os.read(read, 1) == _REFUSED:  # empty when the child was killed before it was full
            sys.exit(f"cannot set oom_score_adj to {oom_score_adj}: this needs CAP_SYS_RESOURCE")
        os.close(read)
        if first:
            _ready()
            first = False
        os.waitpid(child, 0)
        time.sleep(0.5)


def main() -> None:
    """Run the chosen stress."""
    _tag, seconds, kind, first, second, *groups = sys.argv[1:]
    signal.alarm(max(1, int(float(seconds))))
    join(groups)
    if kind == "cpu":
        cpu(int(first), float(second))
    memory(int(first), int(second))


if __name__ == "__main__":
    main()

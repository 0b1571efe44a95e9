"""Detects CPU features and CPU limits of this machine or container."""

import os
from collections.abc import Callable
from pathlib import Path

ReadText = Callable[[str], str]
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # the last one is the name on arm64


def read_text(path: str) -> str:
    """Return the content of a file; empty if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def native_bfloat16(read: ReadText = read_text) -> bool:
    """Return whether the processor has bfloat16 instructions.

    Without them bfloat16 is emulated, and float32 is up to four times as fast.
    """
    flags: set[str] = set()
    for line in read("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            flags.update(value.split())
            break
    return bool(flags & _BFLOAT16)


def cpus(read: ReadText = read_text) -> int:
    """Return the number of CPUs that this process may use, by affinity and container limit.

    More threads than that would be throttled and wait for each other.
    """
    allowed = len(os.sched_getaffinity(0))
    quota, period = _quota(read)
    if quota > 0 and period > 0:
        allowed = min(allowed, max(1, quota // period))
    return allowed


def _quota(read: ReadText) -> tuple[int, int]:
    """Return the CPU time per period and the period in microseconds; zeros without a limit."""
    words = read("/sys/fs/cgroup/cpu.max").split()
    if len(words) != 2:  # cgroup v1
        words = [
            read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip(),
            read("/sys/fs/cgroup/cpu/cpu.cfs_period_us").strip(),
        ]
    if not all(word.isdecimal() for word in words):
        return 0, 0
    return int(words[0]), int(words[1])

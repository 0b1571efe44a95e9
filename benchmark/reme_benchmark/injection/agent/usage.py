"""Reads the CPU and memory use of a container from its control groups, without a metrics server."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from reme_benchmark.injection.agent.cgroups import Groups, parse_flat, read

_UNLIMITED = 1 << 60
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Averages over a span of time, and the limits; None is no limit."""

    seconds: float
    cpu_millicores: float
    cpu_limit_millicores: int | None
    periods: int
    throttled_periods: int
    throttled_milliseconds: float
    memory_bytes: int
    memory_limit_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Counters:
    at: float
    used_nanoseconds: int
    periods: int
    throttled_periods: int
    throttled_nanoseconds: int


def usage(groups: Groups, seconds: float) -> Usage:
    """Return what a container used during the next `seconds`.

    Raises:
        GoneError: the container ended.
    """
    before = _counters(groups)
    time.sleep(seconds)
    after = _counters(groups)
    span = after.at - before.at
    used, limit = memory(groups)
    return Usage(
        seconds=round(span, 3),
        cpu_millicores=round(
            (after.used_nanoseconds - before.used_nanoseconds) / _NANOSECONDS / span * 1000, 1
        ),
        cpu_limit_millicores=cpu_limit(groups),
        periods=after.periods - before.periods,
        throttled_periods=after.throttled_periods - before.throttled_periods,
        throttled_milliseconds=round(
            (after.throttled_nanoseconds - before.throttled_nanoseconds) / 1e6, 1
        ),
        memory_bytes=used,
        memory_limit_bytes=limit,
    )


def _counters(groups: Groups) -> _Counters:
    stat = parse_flat(read(groups.directory("cpu") / "cpu.stat"))
    if groups.unified:
        used, throttled = stat["usage_usec"] * 1000, stat.get("throttled_usec", 0) * 1000
    else:
        used = int(read(groups.directory("cpuacct") / "cpuacct.usage"))
        throttled = stat["throttled_time"]
    periods, hit = stat.get("nr_periods", 0), stat.get("nr_throttled", 0)
    return _Counters(time.monotonic(), used, periods, hit, throttled)


def cpu_limit(groups: Groups) -> int | None:
    """Return the CPU limit in millicores; None without one."""
    folder = groups.directory("cpu")
    if groups.unified:
        quota, period = read(folder / "cpu.max").split()
    else:
        quota, period = (
            read(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        )
    return None if quota in {"max", "-1"} else round(int(quota) * 1000 / int(period))


def memory(groups: Groups) -> tuple[int, int | None]:
    """Return the working set as the kubelet counts it, and the limit, in bytes."""
    folder = groups.directory("memory")
    used, limit, inactive = (
        ("memory.current", "memory.max", "inactive_file")
        if groups.unified
        else ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
    )
    cache = parse_flat(read(folder / "memory.stat")).get(inactive, 0)
    text = read(folder / limit).strip()
    limit_bytes = None if text == "max" or int(text) >= _UNLIMITED else int(text)
    return max(0, int(read(folder / used)) - cache), limit_bytes

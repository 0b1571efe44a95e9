"""Checks the CPU, memory and disk use of containers, as the fault agent of the node reads it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.faults.model import DiskAbove, MemoryFlat, ThrottledBelow, UsageBelow
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.service_state import (
    CheckResult,
    UnmeasuredError,
    containers,
    read_service,
)
from reme_playbook.snapshot import quantity

_MEBIBYTE = 2**20
_USAGE_SECONDS = 1.0
_FLAT_SECONDS = 3.0
_DISK_BYTES = 4 * _MEBIBYTE
_DISK_SECONDS = 2.0

Usage = Mapping[str, Any]
Growth = dict[str, tuple[float, float]]
"""By container: the time of the first reading of its memory, and the bytes."""


async def check_usage(check: UsageBelow, context: CaseContext) -> CheckResult:
    """Check that all containers use less than a share of their limits.

    Fails when a limit from before the fault was removed.
    """
    unit = "cpu" if check.resource == "cpu" else "memory"
    highest, who = -1.0, ""
    for name, used, limit in await _read_usage(context, check.service):
        if unit == "cpu":
            now, amount = used["cpu_limit_millicores"], used["cpu_millicores"]
            was = quantity.cpu_millicores(limit["cpu"]) if "cpu" in limit else None
        else:
            now, amount = used["memory_limit_bytes"], used["memory_bytes"]
            was = quantity.memory_bytes(limit["memory"]) if "memory" in limit else None
        if now is None and was is not None:
            return CheckResult(False, "", f"{name} has no {unit} limit any more")
        if now is not None and 100 * amount / now > highest:
            highest, who = 100 * amount / now, name
    if not who:
        raise UnmeasuredError(f"no container of {check.service} has a {unit} limit")
    ok = highest < check.max_percent
    value = f"{highest:.0f}% of the limit"
    return CheckResult(ok, value, "" if ok else f"{who} uses that much {unit}")


async def check_throttling(check: ThrottledBelow, context: CaseContext) -> CheckResult:
    """Check that containers are throttled in less than a share of the periods."""
    highest, who = -1.0, ""
    for name, used, limit in await _read_usage(context, check.service):
        if used["cpu_limit_millicores"] is None and "cpu" in limit:
            return CheckResult(False, "", f"{name} has no cpu limit any more")
        share = 100 * used["throttled_periods"] / used["periods"] if used["periods"] else 0.0
        if share > highest:
            highest, who = share, name
    ok = highest < check.max_percent
    value = f"throttled in {highest:.0f}% of periods"
    return CheckResult(ok, value, "" if ok else f"{who} is throttled")


async def check_memory_growth(
    check: MemoryFlat, context: CaseContext, growth: Growth
) -> CheckResult:
    """Check that memory does not grow faster than allowed.

    `growth` keeps the first readings between calls, because a longer time gives a better estimate.
    """
    read = await _read_memory(context, check.service)
    if not any(key in growth for key, _ in read):
        growth |= dict(read)
        await asyncio.sleep(_FLAT_SECONDS)
        read = await _read_memory(context, check.service)
    fastest = 0.0
    for key, (moment, amount) in read:
        since, first = growth.setdefault(key, (moment, amount))
        if moment > since:
            fastest = max(fastest, (amount - first) / _MEBIBYTE / (moment - since) * 60)
    ok = fastest <= check.max_mebibytes_per_minute
    reason = "" if ok else f"memory of {check.service} still grows"
    return CheckResult(ok, f"{fastest:.1f} MiB/min", reason)


async def _read_memory(context: CaseContext, name: str) -> list[tuple[str, tuple[float, float]]]:
    used = await _read_usage(context, name)
    moment = asyncio.get_running_loop().time()
    return [(u["id"], (moment, float(u["memory_bytes"]))) for _, u, _ in used]


async def check_disk_speed(check: DiskAbove, context: CaseContext) -> CheckResult:
    """Check that synced writes to the volume of every pod are fast enough.

    Raises:
        UnmeasuredError: the service has no writable volume.
    """
    state = await read_service(context, check.service)
    pod_spec = state.before["spec"]["template"]["spec"]
    container = pod_spec["containers"][0]
    folder = writable_volume(pod_spec, container)
    if not state.ready:
        return CheckResult(False, "", "no pod is ready")
    slowest = float("inf")
    for pod in state.ready:
        target = containers(pod).get(container["name"])
        if target is None:
            return CheckResult(False, "", f"{container['name']} is not running")
        answer = await context.agents.disk(target, folder, size=_DISK_BYTES, seconds=_DISK_SECONDS)
        slowest = min(slowest, answer["bytes_per_second"] / _MEBIBYTE)
    ok = slowest >= check.min_mebibytes_per_second
    return CheckResult(ok, f"{slowest:.1f} MiB/s", "" if ok else "writes are slow")


def writable_volume(spec: Object, container: Object) -> str:
    """Return the mount path of a volume on a disk; UnmeasuredError without one."""
    volumes = {
        v["name"]
        for v in spec.get("volumes") or ()
        if "persistentVolumeClaim" in v or (v.get("emptyDir") or {}).get("medium") != "Memory"
        if "emptyDir" in v or "persistentVolumeClaim" in v
    }
    for mount in container.get("volumeMounts") or ():
        if mount["name"] in volumes and not mount.get("readOnly"):
            return str(mount["mountPath"])
    raise UnmeasuredError(f"{container['name']} has no writable volume")


async def _read_usage(
    context: CaseContext, name: str
) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """Return name, usage and limits from before the fault of each container of a service.

    Raises:
        UnmeasuredError: none of its containers runs.
    """
    state = await read_service(context, name)
    template = state.before["spec"]["template"]["spec"]
    limits = {
        c["name"]: (c.get("resources") or {}).get("limits") or {} for c in template["containers"]
    }
    running = [
        (container, target)
        for pod in state.pods
        for container, target in containers(pod).items()
        if container in limits
    ]
    if not running:
        raise UnmeasuredError(f"no container of {name} runs")
    usages = await asyncio.gather(
        *(context.agents.usage(target, _USAGE_SECONDS) for _, target in running)
    )
    return [
        (container, {**usage, "id": target.container_id}, limits[container])
        for (container, target), usage in zip(running, usages, strict=True)
    ]

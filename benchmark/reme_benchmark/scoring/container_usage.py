"""What containers use, and how fast they write: read by the node agent, not by what they say."""

import asyncio
from collections.abc import Mapping
from typing import Any

from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.faults.model import DiskAbove, MemoryFlat, ThrottledBelow, UsageBelow
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.service_state import UnmeasuredError, containers, service
from reme_playbook.snapshot import quantity

_MEBIBYTE = 2**20
_USAGE_SECONDS = 1.0
_FLAT_SECONDS = 3.0
_DISK_BYTES = 4 * _MEBIBYTE
_DISK_SECONDS = 2.0

Usage = Mapping[str, Any]
Growth = dict[str, tuple[float, float]]
"""By container: when its memory was first read, and what it was."""


async def usage_below(check: UsageBelow, context: CaseContext) -> tuple[bool, str, str]:
    """Return whether all containers are below the share of their limits, the highest, and why not.

    A limit that was there before the fault and is gone is no way to be below it.
    """
    unit = "cpu" if check.resource == "cpu" else "memory"
    highest, who = -1.0, ""
    for name, used, limit in await _used(context, check.service):
        if unit == "cpu":
            now, amount = used["cpu_limit_millicores"], used["cpu_millicores"]
            was = quantity.cpu_millicores(limit["cpu"]) if "cpu" in limit else None
        else:
            now, amount = used["memory_limit_bytes"], used["memory_bytes"]
            was = quantity.memory_bytes(limit["memory"]) if "memory" in limit else None
        if now is None and was is not None:
            return False, "", f"{name} has no {unit} limit any more"
        if now is not None and 100 * amount / now > highest:
            highest, who = 100 * amount / now, name
    if not who:
        raise UnmeasuredError(f"no container of {check.service} has a {unit} limit")
    good = highest < check.max_percent
    return good, f"{highest:.0f}% of the limit", "" if good else f"{who} uses that much {unit}"


async def throttled_below(check: ThrottledBelow, context: CaseContext) -> tuple[bool, str, str]:
    """Return whether containers are throttled seldom enough, the highest share, and why not."""
    highest, who = -1.0, ""
    for name, used, limit in await _used(context, check.service):
        if used["cpu_limit_millicores"] is None and "cpu" in limit:
            return False, "", f"{name} has no cpu limit any more"
        share = 100 * used["throttled_periods"] / used["periods"] if used["periods"] else 0.0
        if share > highest:
            highest, who = share, name
    good = highest < check.max_percent
    return good, f"throttled in {highest:.0f}% of periods", "" if good else f"{who} is throttled"


async def memory_flat(
    check: MemoryFlat, context: CaseContext, growth: Growth
) -> tuple[bool, str, str]:
    """Return whether memory stays as it is, the fastest growth, and why not.

    `growth` remembers between measurements: over a longer time less of it is chance.
    """
    read = await _read(context, check.service)
    if not any(key in growth for key, _ in read):
        growth |= dict(read)
        await asyncio.sleep(_FLAT_SECONDS)
        read = await _read(context, check.service)
    fastest = 0.0
    for key, (moment, amount) in read:
        since, first = growth.setdefault(key, (moment, amount))
        if moment > since:
            fastest = max(fastest, (amount - first) / _MEBIBYTE / (moment - since) * 60)
    good = fastest <= check.max_mebibytes_per_minute
    return good, f"{fastest:.1f} MiB/min", "" if good else f"{check.service} still grows"


async def _read(context: CaseContext, name: str) -> list[tuple[str, tuple[float, float]]]:
    used = await _used(context, name)
    moment = asyncio.get_running_loop().time()
    return [(u["id"], (moment, float(u["memory_bytes"]))) for _, u, _ in used]


async def disk_above(check: DiskAbove, context: CaseContext) -> tuple[bool, str, str]:
    """Return whether every pod's own volume takes synced writes fast enough, the slowest, why not.

    Raises:
        UnmeasuredError: the service has no volume of its own.
    """
    found = await service(context, check.service)
    container = found.before["spec"]["template"]["spec"]["containers"][0]
    folder = folder_of(found.before["spec"]["template"]["spec"], container)
    if not found.ready:
        return False, "", "no pod is ready"
    slowest = float("inf")
    for pod in found.ready:
        target = containers(pod).get(container["name"])
        if target is None:
            return False, "", f"{container['name']} does not run"
        got = await context.agents.disk(target, folder, size=_DISK_BYTES, seconds=_DISK_SECONDS)
        slowest = min(slowest, got["bytes_per_second"] / _MEBIBYTE)
    good = slowest >= check.min_mebibytes_per_second
    return good, f"{slowest:.1f} MiB/s", "" if good else "writes are slow"


def folder_of(spec: Object, container: Object) -> str:
    """Return the folder of a container that is a volume on a disk; UnmeasuredError without one."""
    volumes = {
        v["name"]
        for v in spec.get("volumes") or ()
        if "persistentVolumeClaim" in v or (v.get("emptyDir") or {}).get("medium") != "Memory"
        if "emptyDir" in v or "persistentVolumeClaim" in v
    }
    for mount in container.get("volumeMounts") or ():
        if mount["name"] in volumes and not mount.get("readOnly"):
            return str(mount["mountPath"])
    raise UnmeasuredError(f"{container['name']} has no volume to write to")


async def _used(
    context: CaseContext, name: str
) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """Return name, use and earlier limits of each container of the service's pods.

    Raises:
        UnmeasuredError: none of its containers runs.
    """
    found = await service(context, name)
    template = found.before["spec"]["template"]["spec"]
    limits = {
        c["name"]: (c.get("resources") or {}).get("limits") or {} for c in template["containers"]
    }
    asked = [
        (container, target)
        for pod in found.pods
        for container, target in containers(pod).items()
        if container in limits
    ]
    if not asked:
        raise UnmeasuredError(f"no container of {name} runs")
    used = await asyncio.gather(
        *(context.agents.usage(target, _USAGE_SECONDS) for _, target in asked)
    )
    return [
        (container, {**u, "id": target.container_id}, limits[container])
        for (container, target), u in zip(asked, used, strict=True)
    ]

"""Whether the containers of some pods stay below a share of their limits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.probes import Resource, ResourceUsageProbe
from reme_kube.resources import Json
from reme_operator.probes.sample import Sample
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes

STALE = timedelta(seconds=90)
"""Older measurements say nothing about now: metrics are taken every 15 to 60 s."""


class _Reading(NamedTuple):
    where: str
    percent: float


def usage_sample(
    probe: ResourceUsageProbe, pods: Sequence[Json], metrics: Sequence[Json], now: datetime
) -> Sample:
    """Return whether every container is below; one above is enough to fail, one unknown to wait."""
    running = [pod for pod in pods if _running(pod)]
    if not running:
        return Sample(None, "", "no pod of the target is running")
    by_pod = {item["metadata"]["name"]: item for item in metrics}
    readings: list[_Reading] = []
    unknown: list[str] = []
    for pod in running:
        name = pod["metadata"]["name"]
        usage, why = _fresh_usage(by_pod.get(name), now)
        if why:
            unknown.append(f"pod {name}: {why}")
            continue
        for container in pod["spec"]["containers"]:
            if probe.container in (None, container["name"]):
                reading, why = _reading(probe.resource, name, container, usage)
                readings += [reading] if reading else []
                unknown += [f"pod {name}: {why}"] if why else []
    if not readings and not unknown:
        return Sample(None, "", f"no container is called {probe.container}")
    highest = max(readings, key=lambda reading: reading.percent, default=None)
    value = f"{highest.where}: {highest.percent:.0f}% of its limit" if highest else ""
    if highest and highest.percent > probe.max_percent:
        return Sample(False, value, f"{probe.resource} is above {probe.max_percent}%")
    if unknown:
        return Sample(None, value, unknown[0])
    return Sample(True, value, "")


def _running(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") == "Running" and not pod["metadata"].get(
        "deletionTimestamp"
    )


def _fresh_usage(metrics: Json | None, now: datetime) -> tuple[Mapping[str, Json], str]:
    """Return usage by container, or why there is none."""
    if metrics is None:
        return {}, "has no metrics yet"
    try:
        age = now - datetime.fromisoformat(str(metrics.get("timestamp")))
    except (ValueError, TypeError):
        return {}, "has metrics without a time"
    if age > STALE:
        return {}, f"has metrics that are {age.total_seconds():.0f} s old"
    return {c["name"]: c.get("usage") or {} for c in metrics.get("containers") or ()}, ""


def _reading(
    resource: Resource, pod: str, container: Json, usage: Mapping[str, Json]
) -> tuple[_Reading | None, str]:
    name = container["name"]
    limit = ((container.get("resources") or {}).get("limits") or {}).get(resource.value)
    if not limit:
        return None, f"container {name} has no {resource} limit to compare with"
    used = (usage.get(name) or {}).get(resource.value)
    if used is None:
        return None, f"container {name} has no {resource} metric"
    amount = cpu_millicores if resource is Resource.CPU else memory_bytes
    try:
        most = amount(limit)
        share = amount(used) * 100 / most
    except (ValueError, ZeroDivisionError):
        return None, f"container {name} has a {resource} amount that cannot be read"
    return _Reading(f"{pod}/{name}", share), ""

"""Resource usage probe: whether the containers of a target stay below a share of their limits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.probes import Resource, ResourceUsageProbe
from reme_kube.resources import Json
from reme_operator.probes.sample import Sample
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes

STALE = timedelta(seconds=90)
"""Older metrics say nothing about now: they are taken every 15 to 60 s."""


class _Share(NamedTuple):
    container: str
    percent: float


def usage_sample(
    probe: ResourceUsageProbe, pods: Sequence[Json], metrics: Sequence[Json], now: datetime
) -> Sample:
    """Return whether every container is below the share.

    One container above it is a failure; otherwise one that is unknown makes the sample unknown.
    """
    running = [pod for pod in pods if _running(pod)]
    if not running:
        return Sample(None, "", "no pod of the target is running")
    by_pod = {item["metadata"]["name"]: item for item in metrics}
    shares: list[_Share] = []
    unknown: list[str] = []
    for pod in running:
        name = pod["metadata"]["name"]
        usage, problem = _fresh_usage(by_pod.get(name), now)
        if problem:
            unknown.append(f"pod {name}: {problem}")
            continue
        for container in pod["spec"]["containers"]:
            if probe.container in (None, container["name"]):
                share, problem = _share_of_limit(probe.resource, name, container, usage)
                shares += [share] if share else []
                unknown += [f"pod {name}: {problem}"] if problem else []
    if not shares and not unknown:
        return Sample(None, "", f"no container is called {probe.container}")
    highest = max(shares, key=lambda share: share.percent, default=None)
    value = f"{highest.container}: {highest.percent:.0f}% of its limit" if highest else ""
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


def _share_of_limit(
    resource: Resource, pod: str, container: Json, usage: Mapping[str, Json]
) -> tuple[_Share | None, str]:
    name = container["name"]
    limit = ((container.get("resources") or {}).get("limits") or {}).get(resource.value)
    if not limit:
        return None, f"container {name} has no {resource} limit to compare with"
    amount = (usage.get(name) or {}).get(resource.value)
    if amount is None:
        return None, f"container {name} has no {resource} metric"
    parse = cpu_millicores if resource is Resource.CPU else memory_bytes
    try:
        percent = parse(amount) * 100 / parse(limit)
    except (ValueError, ZeroDivisionError):
        return None, f"container {name} has a {resource} amount that cannot be read"
    return _Share(f"{pod}/{name}", percent), ""

"""Compares the availability of all workloads of a namespace, and the state of its pods."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scoring.snapshot import WORKLOADS, Pod, Snapshot, available_of, key_of, pod_of


@dataclass(frozen=True)
class NamespaceHealth:
    """Available pods by workload (Kind/name), and the pods by uid."""

    available: Mapping[str, int]
    pods: Mapping[str, Pod]


async def read_health(cluster: Cluster, namespace: str) -> NamespaceHealth:
    """Return the health of a namespace; cheap enough to call every second."""
    *lists, pods = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in WORKLOADS),
        cluster.list("Pod", namespace),
    )
    return NamespaceHealth(
        {key_of(w): available_of(w) for workloads in lists for w in workloads},
        {pod.uid: pod for item in pods if (pod := pod_of(item))},
    )


def less_available(before: Snapshot, now: NamespaceHealth) -> list[str]:
    """Return which workloads have fewer available pods than before."""
    return [
        f"{key}: {now.available.get(key, 0)} of {available} pods are available"
        for key, available in sorted(before.available.items())
        if now.available.get(key, 0) < available
    ]


def disrupted_pods(start: NamespaceHealth, now: NamespaceHealth) -> list[str]:
    """Return which ready pods were deleted, restarted, or became unready since the start."""
    disruptions = []
    for uid, pod in start.pods.items():
        current = now.pods.get(uid)
        if not pod.ready:
            continue
        if current is None:
            disruptions.append(f"pod {pod.name} was deleted")
        elif current.restarts > pod.restarts:
            disruptions.append(f"pod {pod.name} was restarted")
        elif not current.ready:
            disruptions.append(f"pod {pod.name} is not ready any more")
    return disruptions

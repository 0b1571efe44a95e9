"""Whether what is beside the target is as healthy as before."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scoring.snapshot import WORKLOADS, Pod, Snapshot, available_of, key_of, pod_of


@dataclass(frozen=True)
class Health:
    """How many pods are available by workload (Kind/name), and the pods themselves by uid."""

    available: Mapping[str, int]
    pods: Mapping[str, Pod]


async def health(cluster: Cluster, namespace: str) -> Health:
    """Return how healthy a namespace is: little enough to be asked every second."""
    *lists, found = await asyncio.gather(
        *(cluster.list(kind, namespace) for kind in WORKLOADS),
        cluster.list("Pod", namespace),
    )
    return Health(
        {key_of(w): available_of(w) for workloads in lists for w in workloads},
        {pod.uid: pod for item in found if (pod := pod_of(item))},
    )


def lacking(before: Snapshot, now: Health) -> list[str]:
    """Return which workloads are less available than before."""
    return [
        f"{key}: {now.available.get(key, 0)} of {available} pods are available"
        for key, available in sorted(before.available.items())
        if now.available.get(key, 0) < available
    ]


def became_unsteady(begun: Health, now: Health) -> list[str]:
    """Return which pods were replaced, started anew, or are no longer ready since it began."""
    why = []
    for uid, pod in begun.pods.items():
        found = now.pods.get(uid)
        if not pod.ready:
            continue
        if found is None:
            why.append(f"pod {pod.name} is gone")
        elif found.restarts > pod.restarts:
            why.append(f"pod {pod.name} was started anew")
        elif not found.ready:
            why.append(f"pod {pod.name} is not ready any more")
    return why

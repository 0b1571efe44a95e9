"""A read-only cluster client over a world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reme_kube.errors import NotFoundError
from reme_kube.resources import Resource
from reme_lab.simulator import World
from reme_lab.simulator.api_objects import (
    pod_object,
    related_object,
    serving_container,
    workload_object,
)
from reme_lab.simulator.dependencies import selected_pods
from reme_lab.simulator.events import events
from reme_lab.simulator.health import replica_counts
from reme_lab.simulator.network import network_of
from reme_lab.simulator.revisions import api_time, template_hash
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Json = dict[str, Any]


@dataclass
class WorldCluster:
    """Reads a world as the operator reads a cluster."""

    world: World
    usage: ClusterSnapshot

    def _key(self, kind: str, name: str) -> ObjectRef:
        return ObjectRef(kind, "" if kind == "Node" else self.world.namespace, name)  # type: ignore[arg-type]

    async def workload(self, kind: str, namespace: str, name: str) -> Any:
        key = self._key(kind, name)
        return workload_object(self.world, key, replica_counts(network_of(self.world), key))

    async def list_objects(self, kind: type, namespace: str) -> list[Any]:
        return []  # no remediation was there before

    async def workloads(self, namespace: str) -> list[Any]:
        return [await self.workload(k.kind, namespace, k.name) for k in self.world.workloads]

    async def pods(self, workload: Mapping[str, Any]) -> list[Any]:
        world, key = self.world, self.world.target
        lives = network_of(world).pod_statuses(key)
        pairs = zip(world.pods.get(key, ()), lives, strict=True)
        return [pod_object(world, pod, life, serving_container(world, pod)) for pod, life in pairs]

    async def revisions(self, workload: Mapping[str, Any]) -> list[Any]:
        return [self._revision(one) for one in self.world.revisions[self.world.target]]

    def _revision(self, one: Any) -> Json:
        if self.world.target.kind != "Deployment":
            return {
                "metadata": {"name": f"cart-{one.number}", "creationTimestamp": one.created},
                "revision": one.number,
                "data": {"spec": {"template": one.template}},
            }
        annotations = {"deployment.kubernetes.io/revision": str(one.number)}
        if one.replicas is not None:
            annotations["deployment.kubernetes.io/desired-replicas"] = str(one.replicas)
        return {
            "metadata": {
                "name": f"cart-{template_hash(one.template)}",
                "creationTimestamp": one.created,
                "annotations": annotations,
            },
            "spec": {"template": one.template},
        }

    async def services(self, namespace: str) -> list[Any]:
        return [stored for _, stored in self.world.of_kind("Service")]

    async def events(self, namespace: str, names: Sequence[str]) -> list[Any]:
        stored = events(network_of(self.world), self.world.target)
        return [
            {
                "involvedObject": {"kind": one.kind, "name": one.name},
                "reason": one.reason,
                "message": one.message,
                "count": one.count,
                "type": "Warning" if one.warning else "Normal",
                "lastTimestamp": api_time(self.world.clock - (one.age_seconds or 0)),
            }
            for one in stored
            if one.name in names
        ]

    async def pod_metrics(self, namespace: str, labels: Mapping[str, str]) -> list[Any]:
        by_pod: dict[str, list[Json]] = {}
        for (pod, container), used in self.usage.usage.items():
            amounts = {"cpu": f"{used.cpu_millicores}m", "memory": str(used.memory_bytes)}
            by_pod.setdefault(pod, []).append({"name": container, "usage": amounts})
        stamp = api_time(self.world.clock)
        return [
            {"metadata": {"name": pod}, "timestamp": stamp, "containers": stored}
            for pod, stored in by_pod.items()
        ]

    async def get(self, resource: Resource, namespace: str, name: str) -> Any:
        stored = self.world.named(resource.kind, name)
        if stored is None:
            raise NotFoundError(f"{resource.kind} {name}")
        return stored

    async def list_resource(
        self, resource: Resource, namespace: str | None = None, labels: Any = None
    ) -> list[Any]:
        network = network_of(self.world)
        if resource.kind == "Pod":
            return [dict(pod) for pod in selected_pods(network, labels)]
        return [related_object(network, k, f) for k, f in self.world.of_kind(resource.kind)]

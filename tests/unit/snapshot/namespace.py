"""Builds a namespace of plain workloads and Services, and the snapshot around one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependencies import dependencies
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision

Json = dict[str, Any]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment(
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    port: int | None = 8080,
    replicas: int = 1,
    ready: int | None = None,
    created: datetime | None = None,
    env: Mapping[str, str] | None = None,
    **container: Any,
) -> Json:
    ports = [{"name": "http", "containerPort": port}] if port else []
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "creationTimestamp": stamp(created or ago(days=1))},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels or {"app": name})},
            "template": {
                "metadata": {"labels": dict(labels or {"app": name})},
                "spec": {
                    "containers": [
                        {
                            "name": name,
                            "ports": ports,
                            "env": [{"name": k, "value": v} for k, v in (env or {}).items()],
                            **container,
                        }
                    ]
                },
            },
        },
        "status": {
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas if ready is None else ready,
            "conditions": [
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
            ],
        },
    }


def service(
    name: str,
    selector: Mapping[str, str] | None = None,
    *,
    port: int = 80,
    target: int | str = 8080,
    changed: datetime | None = None,
    **spec: Any,
) -> Json:
    metadata: Json = {"name": name, "creationTimestamp": stamp(ago(days=1))}
    if changed is not None:
        fields: Json = {"f:spec": {"f:selector": {}}}
        metadata["managedFields"] = [
            {"manager": "kubectl", "time": stamp(changed), "fieldsV1": fields}
        ]
    ports = [{"port": port, "targetPort": target}]
    selected = {"app": name} if selector is None else dict(selector)
    return {"metadata": metadata, "spec": {"selector": selected, "ports": ports, **spec}}


def pods_of(workload: Json, *, waiting: str = "", terminated: str = "") -> list[Json]:
    """Return the pods of a workload; the last ones are not ready."""
    template, name = workload["spec"]["template"], workload["metadata"]["name"]
    ready = workload["status"]["readyReplicas"]
    return [
        {
            "metadata": {"name": f"{name}-{n}", "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": str(n < ready)}],
                "containerStatuses": [
                    {
                        "name": name,
                        "ready": n < ready,
                        "state": {"waiting": {"reason": waiting}} if n >= ready else {},
                        "lastState": {"terminated": {"reason": terminated}} if terminated else {},
                    }
                ],
            },
        }
        for n in range(workload["spec"]["replicas"])
    ]


@dataclass
class Namespace:
    """The target is the first workload."""

    workloads: list[Json]
    services: list[Json] = field(default_factory=list)
    config_maps: dict[str, Json] = field(default_factory=dict)
    earlier: list[tuple[Json, datetime]] = field(default_factory=list)  # templates, oldest first
    related: dict[ObjectRef, Json] = field(default_factory=dict)
    pods: dict[str, list[Json]] = field(default_factory=dict)  # by workload, if they are special
    texts: Sequence[str] = ()
    name: str = "shop"
    released: datetime = field(default_factory=lambda: ago(days=1))  # the present revision
    fault_start: datetime | None = None
    observed: bool = True

    def live(self) -> ClusterSnapshot:
        target = self.workloads[0]
        ref = self._ref("Deployment", target)
        objects = {ref: target, **self.related}
        objects |= {self._ref("Service", item): item for item in self.services}
        for name, data in self.config_maps.items():
            objects[ObjectRef("ConfigMap", self.name, name)] = {
                "metadata": {"name": name, "creationTimestamp": stamp(self.released)},
                "data": data,
            }
        for pod in self._pods(target):
            objects[self._ref("Pod", pod)] = pod
        history = [*self.earlier, (target["spec"]["template"], self.released)]
        revisions = [Revision(n, t, stamp(at)) for n, (t, at) in enumerate(history, 1)]
        snapshot = ClusterSnapshot(
            target=ref,
            objects=objects,
            neighbours={
                self._ref("Deployment", w): w["spec"]["template"]["metadata"]["labels"]
                for w in self.workloads[1:]
            },
            revisions=tuple(reversed(revisions)),
            service_names=tuple(sorted(s["metadata"]["name"] for s in self.services)),
            fault_start=self.fault_start,
            fault_start_observed=self.observed and self.fault_start is not None,
            collected_at=NOW,
        )
        return replace(snapshot, dependencies=self._dependencies(snapshot))

    def _dependencies(self, snapshot: ClusterSnapshot) -> tuple[Dependency, ...]:
        every = [pod for workload in self.workloads for pod in self._pods(workload)]
        pods = {
            s["metadata"]["name"]: [
                p for p in every if views.selects(selector, p["metadata"]["labels"])
            ]
            for s in self.services
            if (selector := unstructured.strings(s, "spec", "selector"))
        }
        return dependencies(snapshot, self.services, self.workloads, pods, self.texts)

    def _pods(self, workload: Json) -> list[Json]:
        own = self.pods.get(workload["metadata"]["name"])
        return pods_of(workload) if own is None else own

    def _ref(self, kind: str, item: Json) -> ObjectRef:
        return ObjectRef(kind, self.name, item["metadata"]["name"])  # type: ignore[arg-type]

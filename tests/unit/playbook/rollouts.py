"""Workloads as the API server shows them: revisions, pods with their times, and a fault."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine, Revision, Usage

Json = dict[str, Any]
NAMESPACE = "shop"
START = datetime(2026, 1, 10, 12, tzinfo=UTC)
"""When the fault began; other times are minutes before or after."""


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def container(name: str = "server", image: str = "cart:2", **more: Any) -> Json:
    return {
        "name": name,
        "image": image,
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}},
        **more,
    }


def template(*containers: Json, **spec: Any) -> Json:
    return {
        "metadata": {"labels": {"app": "cart"}},
        "spec": {"containers": list(containers or (container(),)), **spec},
    }


@dataclass
class Pod:
    """One pod: of which revision, since when, and how it is."""

    revision: int = 0  # counted from the end: 0 is the present one
    started: float = -120  # minutes
    changed: float | None = None  # when it became ready or unready; at its start by default
    ready: bool = True
    states: Mapping[str, Json] = field(default_factory=dict)  # by container
    restarts: int = 0
    unscheduled: str = ""
    image: str = ""
    name: str = ""


def crash(reason: str = "Error", code: int = 1) -> Json:
    return {
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"reason": reason, "exitCode": code}},
    }


def waiting(reason: str) -> Json:
    return {"state": {"waiting": {"reason": reason}}}


@dataclass
class Rollout:
    """A workload `cart`; `live()` takes the snapshot."""

    kind: str = "Deployment"
    template: Json = field(default_factory=template)
    earlier: Sequence[Json] = ()  # oldest first
    pods: Sequence[Pod] = (Pod(), Pod())
    replicas: int | None = None
    released: float = -120  # minutes: when the present template came
    complete: float | None = -110  # minutes: when the rollout was complete
    status: Json = field(default_factory=dict)
    spec: Json = field(default_factory=dict)
    objects: Mapping[ObjectRef, Json] = field(default_factory=dict)
    events: tuple[EventLine, ...] = ()
    usage: Mapping[tuple[str, str], Usage] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    named_pods: tuple[str, ...] = ()
    fault_start: datetime | None = START
    observed: bool = True
    selector: Mapping[str, str] = field(default_factory=lambda: {"app": "cart"})
    service_port: int = 8080
    earlier_replicas: int | None = None

    @property
    def target(self) -> ObjectRef:
        return ObjectRef(self.kind, NAMESPACE, "cart")  # type: ignore[arg-type]

    def live(self) -> ClusterSnapshot:
        desired = len(self.pods) if self.replicas is None else self.replicas
        ready = sum(pod.ready for pod in self.pods)
        conditions = []
        if self.kind == "Deployment" and self.complete is not None:
            conditions.append(
                {
                    "type": "Progressing",
                    "status": "True",
                    "reason": "NewReplicaSetAvailable",
                    "lastUpdateTime": at(self.complete),
                }
            )
        status = {
            "replicas": len(self.pods),
            "updatedReplicas": sum(pod.revision == 0 for pod in self.pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions,
            **({} if self.kind == "Deployment" else {"updateRevision": self.hash(0)}),
            **self.status,
        }
        workload = {
            "kind": self.kind,
            "metadata": {"name": "cart", "namespace": NAMESPACE, "uid": "u"},
            "spec": {
                "replicas": desired,
                "selector": {"matchLabels": {"app": "cart"}},
                "template": self.template,
                **self.spec,
            },
            "status": status,
        }
        service = {
            "metadata": {"name": "cart"},
            "spec": {
                "selector": self.selector,
                "ports": [{"port": 80, "targetPort": self.service_port}],
            },
        }
        objects: dict[ObjectRef, Json] = {
            self.target: workload,
            ObjectRef("Service", NAMESPACE, "cart"): service,
            **self.objects,
        }
        for number, pod in enumerate(self.pods):
            manifest = self._pod(pod, number)
            objects[ObjectRef("Pod", NAMESPACE, manifest["metadata"]["name"])] = manifest
        return ClusterSnapshot(
            target=self.target,
            objects=copy.deepcopy(objects),
            neighbours={ObjectRef("Deployment", NAMESPACE, "stock"): {"app": "stock"}},
            revisions=tuple(reversed(self._revisions())),
            events=self.events,
            usage=self.usage,
            service_names=("cart", "stock"),
            findings=self.findings,
            fault_start=self.fault_start,
            fault_start_observed=self.observed,
            collected_at=START + timedelta(minutes=3),
            named_pods=self.named_pods,
            dependencies=self.dependencies,
        )

    def hash(self, back: int) -> str:
        return f"h{len(self.earlier) + 1 - back}"

    def pod_name(self, number: int) -> str:
        pod = self.pods[number]
        if pod.name or self.kind == "StatefulSet":
            return pod.name or f"cart-{number}"
        return f"cart-{self.hash(pod.revision)}-{number}"

    def _revisions(self) -> list[Revision]:
        revisions = []
        for number, manifest in enumerate([*self.earlier, self.template], 1):
            stored = copy.deepcopy(manifest)
            if self.kind == "Deployment":
                stored["metadata"]["labels"]["pod-template-hash"] = f"h{number}"
            created = at(self.released - 60 * (len(self.earlier) + 1 - number))
            revisions.append(Revision(number, stored, created, self.earlier_replicas))
        return revisions

    def _pod(self, pod: Pod, number: int) -> Json:
        templates = [*self.earlier, self.template]
        spec = copy.deepcopy(templates[len(templates) - 1 - pod.revision]["spec"])
        if pod.image:
            spec["containers"][0]["image"] = pod.image
        label = {
            "Deployment": "pod-template-hash",
            "StatefulSet": "controller-revision-hash",
            "DaemonSet": "controller-revision-hash",
        }[self.kind]
        started = any("restarts" in s or "lastState" in s for s in pod.states.values())
        waits = any("waiting" in s.get("state", {}) for s in pod.states.values())
        status: Json = {
            "phase": "Pending" if pod.unscheduled or (waits and not started) else "Running"
        }
        if pod.unscheduled:
            scheduled = {"type": "PodScheduled", "status": "False", "message": pod.unscheduled}
            status["conditions"] = [scheduled]
        else:
            changed = pod.started if pod.changed is None else pod.changed
            ready = {"type": "Ready", "status": str(pod.ready), "lastTransitionTime": at(changed)}
            status["conditions"] = [ready]
            status["startTime"] = at(pod.started)
            status["containerStatuses"] = [
                {
                    "name": c["name"],
                    "image": c["image"],
                    "ready": pod.ready,
                    "restartCount": pod.restarts if not place else 0,
                    **pod.states.get(c["name"], {"state": {"running": {}}}),
                }
                for place, c in enumerate(spec["containers"])
            ]
        return {
            "metadata": {
                "name": self.pod_name(number),
                "creationTimestamp": at(pod.started),
                "labels": {"app": "cart", label: self.hash(pod.revision)},
                "ownerReferences": [{**self._owner(pod), "controller": True}],
            },
            "spec": spec,
            "status": status,
        }

    def _owner(self, pod: Pod) -> Json:
        if self.kind == "Deployment":
            return {"kind": "ReplicaSet", "name": f"cart-{self.hash(pod.revision)}"}
        return {"kind": self.kind, "name": "cart"}

"""Small clusters to describe: a workload called cart in shop, with one fault."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reme_api.actions import ActionName
from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.policy import RemediationPolicySpec
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine, Revision, Usage

Json = dict[str, Any]
QUIET = Usage(30, 40 * 2**20)


@dataclass
class Shop:
    """How the shop differs from a healthy one; `live()` is the snapshot."""

    name: str = "cart"
    namespace: str = "shop"
    kind: str = "Deployment"
    replicas: int = 2
    ready: int = 2
    paused: bool = False
    image: str = "registry.example/cart:1.4.2"
    env: dict[str, str] = field(default_factory=lambda: {"DB_HOST": "postgres"})
    limits: dict[str, str] = field(default_factory=lambda: {"cpu": "300m", "memory": "128Mi"})
    probe_path: str = "/healthz"
    labels: dict[str, str] = field(default_factory=lambda: {"app": "cart", "tier": "web"})
    earlier: list[Mapping[str, Any]] = field(default_factory=list)
    earlier_replicas: int | None = None
    selector: dict[str, str] = field(default_factory=lambda: {"app": "cart"})
    target_port: int | str = 8080
    config: dict[str, str] = field(default_factory=dict)
    usage: Usage | None = QUIET
    state: Json = field(default_factory=lambda: {"state": {"running": {}}})
    init_states: list[Json] = field(default_factory=list)
    phase: str = "Pending"
    restarts: int = 0
    events: list[EventLine] = field(default_factory=list)

    def template(self, **changes: Any) -> Json:
        """Return the pod template, with other values for image, env, limits or probe_path."""
        value = {**self.__dict__, **changes}
        env = [{"name": k, "value": v} for k, v in value["env"].items()]
        spec: Json = {
            "containers": [
                {
                    "name": "server",
                    "image": value["image"],
                    "env": env,
                    "ports": [{"containerPort": 8080, "name": "http"}],
                    "resources": {"limits": value["limits"], "requests": {"cpu": "50m"}},
                    "readinessProbe": {"httpGet": {"path": value["probe_path"], "port": 8080}},
                }
            ]
        }
        if self.config:
            spec["containers"][0]["envFrom"] = [{"configMapRef": {"name": "cart-config"}}]
        return {"metadata": {"labels": dict(self.labels)}, "spec": spec}

    def live(self) -> ClusterSnapshot:
        """Return the snapshot."""
        key = self.key
        objects: dict[ObjectRef, Mapping[str, Any]] = {
            key: {
                "apiVersion": "apps/v1",
                "kind": self.kind,
                "metadata": {"name": self.name, "namespace": self.namespace, "uid": "u1"},
                "spec": {
                    "replicas": self.replicas,
                    "selector": {"matchLabels": {"app": "cart"}},
                    "template": self.template(),
                    **({"paused": True} if self.paused else {}),
                },
                "status": {"replicas": self.replicas, "readyReplicas": self.ready},
            },
            self.other("Service", self.name): {
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {
                    "selector": self.selector,
                    "ports": [{"port": 80, "targetPort": self.target_port}],
                },
            },
        }
        for number in range(self.replicas):
            name = f"{self.name}-6d5f7-{number}abc"
            objects[self.other("Pod", name)] = self._pod(name, ready=number < self.ready)
        if self.config:
            objects[self.other("ConfigMap", "cart-config")] = {
                "metadata": {"name": "cart-config", "namespace": self.namespace},
                "data": self.config,
            }
        usage = {}
        if self.usage:
            usage = {(f"{self.name}-6d5f7-{n}abc", "server"): self.usage for n in range(self.ready)}
        return ClusterSnapshot(
            target=key,
            objects=objects,
            neighbours={},
            revisions=self._revisions(),
            events=tuple(self.events),
            usage=usage,
            service_names=("cart", "postgres", "redis"),
        )

    def _revisions(self) -> tuple[Revision, ...]:
        count = len(self.earlier)
        current = Revision(count + 1, self.template(), f"2026-01-0{count + 1}T00:00:00Z")
        older = [
            Revision(
                count - place,
                self.template(**changes),
                f"2026-01-0{count - place}T00:00:00Z",
                self.earlier_replicas,
            )
            for place, changes in enumerate(self.earlier)
        ]
        return (current, *older)

    def _pod(self, name: str, *, ready: bool) -> Json:
        owner: Json = {"kind": self.kind, "name": self.name, "controller": True}
        if self.kind == "Deployment":
            owner |= {"kind": "ReplicaSet", "name": f"{self.name}-6d5f7"}
        state = {"state": {"running": {}}} if ready else copy.deepcopy(self.state)
        return {
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {"app": "cart", "tier": "web", "pod-template-hash": "6d5f7"},
                "ownerReferences": [owner],
            },
            "status": {
                "phase": "Running" if ready else self.phase,
                "conditions": [{"type": "Ready", "status": str(ready)}],
                "containerStatuses": [
                    {
                        "name": "server",
                        "image": self.image,
                        "ready": ready,
                        "restartCount": self.restarts,
                        **state,
                    }
                ],
                **({"initContainerStatuses": self.init_states} if self.init_states else {}),
            },
        }

    @property
    def key(self) -> ObjectRef:
        """The target."""
        return self.other(self.kind, self.name)

    def other(self, kind: str, name: str) -> ObjectRef:
        """Return the key of another object of the namespace."""
        return ObjectRef(kind, self.namespace, name)  # type: ignore[arg-type]


def report_about(
    fault: str, summary: str = "", *evidence: str, **target: str
) -> DiagnosisReportSpec:
    """Return a report about cart."""
    return DiagnosisReportSpec.model_validate(
        {
            "target": {"kind": "Deployment", "name": "cart", **target},
            "fault": {"type": fault, "summary": summary},
            "evidence": [{"kind": "Text", "source": "test", "text": text} for text in evidence],
        }
    )


def policy_of(*names: ActionName) -> RemediationPolicySpec:
    """Return a policy that allows these actions, or all."""
    return RemediationPolicySpec.model_validate(
        {"actions": [{"name": name, "maxIncreasePercent": 100} for name in names or ActionName]}
    )

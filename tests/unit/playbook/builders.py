"""A small shop: the workload `cart` with its Service, pods, ConfigMap and history."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reme_api.actions import ActionName
from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import (
    LAST_APPLIED,
    Callee,
    ClusterSnapshot,
    EventLine,
    Revision,
)

Json = dict[str, Any]
NAMESPACE = "shop"
CART = ObjectRef("Deployment", NAMESPACE, "cart")
SERVICE = ObjectRef("Service", NAMESPACE, "cart")
CONFIG = ObjectRef("ConfigMap", NAMESPACE, "cart-config")
STOCK = ObjectRef("Deployment", NAMESPACE, "stock")
FRONT = ObjectRef("Deployment", NAMESPACE, "front")
UNPLACED = ({"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"},)


def key(kind: str, name: str, namespace: str = NAMESPACE) -> ObjectRef:
    namespace = "" if kind == "Node" else namespace
    return ObjectRef(kind, namespace, name)  # type: ignore[arg-type]


def everything(**bounds: Any) -> RemediationPolicySpec:
    """Return a policy that allows every action, with the bounds given."""
    return RemediationPolicySpec(actions=[ActionRule(name=name, **bounds) for name in ActionName])


def only(name: ActionName, **rule: Any) -> RemediationPolicySpec:
    return RemediationPolicySpec(actions=[ActionRule(name=name, **rule)])


def container(**changes: Any) -> Json:
    manifest: Json = {
        "name": "server",
        "image": "registry.example/cart:2",
        "command": ["/cart", "{{serve}}"],
        "env": [
            {"name": "STOCK_URL", "value": "http://stock:8080/items"},
            {"name": "LEVEL", "value": "info"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "cart", "key": "key"}}},
        ],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {
            "limits": {"cpu": "300m", "memory": "128Mi"},
            "requests": {"cpu": "50m", "memory": "64Mi"},
        },
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"},
            "periodSeconds": 4,
            "timeoutSeconds": 1,
            "failureThreshold": 3,
            "successThreshold": 1,
        },
    }
    for name, value in changes.items():
        if value is None:
            manifest.pop(name, None)
        else:
            manifest[name] = value
    return manifest


def template(*containers: Json, **spec: Any) -> Json:
    return {
        "metadata": {"creationTimestamp": None, "labels": {"app": "cart", "tier": "web"}},
        "spec": {
            "containers": [*(containers or (container(),)), {"name": "proxy", "image": "proxy:1"}],
            "volumes": [{"name": "config", "configMap": {"name": "cart-config"}}],
            **spec,
        },
    }


def revision(number: int, manifest: Json, **more: Any) -> Revision:
    manifest = copy.deepcopy(manifest)
    manifest["metadata"]["labels"]["pod-template-hash"] = f"hash{number}"
    return Revision(number, manifest, created=f"2026-01-0{number}T00:00:00Z", **more)


@dataclass
class Shop:
    """The shop as it is; `live()` takes the snapshot."""

    kind: str = "Deployment"
    template: Json = field(default_factory=template)
    earlier: list[Json] = field(default_factory=list)  # oldest first
    earlier_replicas: int | None = None
    replicas: int = 2
    spec: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    selector: dict[str, str] = field(default_factory=lambda: {"app": "cart"})
    ports: list[Json] = field(
        default_factory=lambda: [{"name": "http", "port": 80, "targetPort": 8080}]
    )
    service: str = "cart"
    data: dict[str, str] = field(default_factory=lambda: {"color": "red", "stock": "stock:8080"})
    config: Json = field(default_factory=dict)
    applied: Mapping[ObjectRef, Json] = field(default_factory=dict)
    neighbours: dict[ObjectRef, dict[str, str]] = field(
        default_factory=lambda: {STOCK: {"app": "stock", "tier": "web"}}
    )
    service_names: tuple[str, ...] = ("cart", "stock", "front")
    ready: bool = True
    status: Json = field(default_factory=dict)
    related: dict[ObjectRef, Json] = field(default_factory=dict)
    unplaced: bool = False
    pod_spec: Json = field(default_factory=dict)
    events: tuple[EventLine, ...] = ()
    callers: tuple[ObjectRef, ...] = ()
    callees: tuple[Callee, ...] = ()
    node_labels: frozenset[tuple[str, str]] | None = None

    @property
    def target(self) -> ObjectRef:
        return key(self.kind, "cart")

    def live(self) -> ClusterSnapshot:
        objects: dict[ObjectRef, Json] = {
            self.target: {
                "metadata": {"name": "cart", "namespace": NAMESPACE, "uid": "u", **self.metadata},
                "spec": {
                    "replicas": self.replicas,
                    "selector": {"matchLabels": {"app": "cart"}},
                    "template": self.template,
                    **self.spec,
                },
                "status": self.status,
            },
            key("Service", self.service): {
                "metadata": {"name": self.service},
                "spec": {"selector": self.selector, "ports": self.ports},
            },
            CONFIG: {"metadata": {"name": "cart-config"}, "data": self.data, **self.config},
            **{
                key: {"metadata": {"name": key.name}, **manifest}
                for key, manifest in self.related.items()
            },
        }
        for number in range(2):
            objects[key("Pod", f"cart-6d-{number}")] = self.pod(number)
        for where, applied in self.applied.items():
            annotations = objects[where]["metadata"].setdefault("annotations", {})
            annotations[LAST_APPLIED] = json.dumps(applied)
        history = [*self.earlier, self.template]
        revisions = [
            revision(n, manifest, replicas=self.earlier_replicas if n < len(history) else None)
            for n, manifest in enumerate(history, 1)
        ]
        return ClusterSnapshot(
            target=self.target,
            objects=copy.deepcopy(objects),
            neighbours=self.neighbours,
            revisions=tuple(reversed(revisions)),
            service_names=self.service_names,
            events=self.events,
            callers=self.callers,
            callees=self.callees,
            node_labels=self.node_labels,
        )

    def pod(self, number: int) -> Json:
        owner = (
            {"kind": "ReplicaSet", "name": "cart-6d"}
            if self.kind == "Deployment"
            else {"kind": self.kind, "name": "cart"}
        )
        return {
            "metadata": {
                "name": f"cart-6d-{number}",
                "labels": {"app": "cart", "tier": "web", "pod-template-hash": "6d"},
                "ownerReferences": [{**owner, "controller": True, "uid": "r"}],
            },
            "spec": self.pod_spec,
            "status": {
                "phase": "Running",
                "conditions": [
                    {"type": "Ready", "status": "True" if self.ready else "False"},
                    *(UNPLACED if self.unplaced else ()),
                ],
            },
        }

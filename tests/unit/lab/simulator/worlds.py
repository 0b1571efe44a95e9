"""A small healthy world: users call front, front calls cart, cart calls db; on two nodes."""

from collections.abc import Mapping, Sequence
from typing import Any

from reme_api.actions import ActionName
from reme_api.policy import RemediationPolicySpec
from reme_api.probes import HttpProbe, Probe, ResourceUsageProbe, RolloutProbe
from reme_lab.simulator import (
    Behaviour,
    Call,
    EntryPoint,
    GroundTruth,
    NumericSetting,
    Program,
    World,
    make_world,
)
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision

Json = Mapping[str, Any]
NAMESPACE = "lab"
EVERYTHING = RemediationPolicySpec.model_validate(
    {"actions": [{"name": name, "maxIncreasePercent": 100} for name in ActionName]}
)
MIB = 2**20


def key(kind: str, name: str) -> ObjectRef:
    """Return a reference in the test namespace."""
    return ObjectRef(kind, "" if kind == "Node" else NAMESPACE, name)  # type: ignore[arg-type]


def meta(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}


def workload(name: str, replicas: int, *, kind: str = "Deployment", **container: Any) -> Json:
    """Return a workload that serves on port 8080; keywords are fields of its container."""
    server = {
        "name": "server",
        "image": f"lab/{name}:1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {
            "limits": {"cpu": "300m", "memory": "128Mi"},
            "requests": {"cpu": "100m", "memory": "64Mi"},
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": 8080},
            "initialDelaySeconds": 5,
        },
        **container,
    }
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [server]}},
    }
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    return {**meta(kind, name), "spec": spec}


def service(name: str) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {**meta("Service", name), "spec": {"selector": {"app": name}, "ports": ports}}


def node(name: str, cpu: str = "4", memory: str = "8Gi") -> Json:
    return {
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name},
        },
        "spec": {},
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


CART_ENV = [
    {"name": "DB_URL", "value": "http://db:80/"},
    {"name": "POOL", "value": "8"},
    {"name": "PORT", "value": "8080"},
]


def cart(kind: str = "Deployment") -> ObjectRef:
    return key(kind, "cart")


FRONT, DB = key("Deployment", "front"), key("Deployment", "db")


def lab(
    kind: str = "Deployment", *, replicas: int = 2, nodes: int = 2, more: Sequence[Json] = ()
) -> World:
    """Return the healthy world; cart has two revisions and reads MODE from a ConfigMap."""
    settings = {**meta("ConfigMap", "cart-settings"), "data": {"MODE": "normal"}}
    source = [{"configMapRef": {"name": "cart-settings"}}]
    target = workload("cart", replicas, kind=kind, env=CART_ENV, envFrom=source)
    older = workload("cart", replicas, kind=kind, env=CART_ENV, envFrom=source, image="lab/cart:0")[
        "spec"
    ]["template"]
    objects = [
        *(node(f"n{n + 1}") for n in range(nodes)),
        settings,
        workload("front", 1, env=[{"name": "CART_URL", "value": "http://cart:80/"}]),
        target,
        workload("db", 1),
        *(service(name) for name in ("front", "cart", "db")),
        *more,
    ]
    programs = {
        cart(kind): Program(
            default=Behaviour(memory_bytes=40 * MIB, writes_disk=True),
            calls=(Call("DB_URL"),),
            numeric_settings=(NumericSetting("port", "PORT"),),
        ),
        FRONT: Program(calls=(Call("CART_URL"),)),
    }
    return make_world(
        cart(kind),
        objects,
        GroundTruth(programs=programs, entry_points=(EntryPoint("front"),)),
        revisions={cart(kind): [Revision(1, older, "2026-01-01T00:00:00Z", replicas)]},
    )


ANSWERS = Probe(name="answers", http=HttpProbe(service="cart", port=80))
QUICK = Probe(name="quick", http=HttpProbe(service="cart", port=80, max_milliseconds=400))


def rollout(replicas: int = 2) -> Probe:
    return Probe(name="rollout", rollout=RolloutProbe(min_replicas=replicas))


def below(resource: str, percent: int) -> Probe:
    return Probe(
        name=resource,
        resource_usage=ResourceUsageProbe(resource=resource, max_percent=percent),
    )

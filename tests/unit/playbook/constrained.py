"""Shops whose workload is held back by what is around it: a way to break for each action."""

from typing import Any

from reme_playbook.snapshot.snapshot import Callee
from tests.unit.playbook.builders import FRONT, STOCK, Json, Shop, container, key, template

HPA = key("HorizontalPodAutoscaler", "cart")
QUOTA = key("ResourceQuota", "all")
BUDGET = key("PodDisruptionBudget", "cart")
JOB = key("Job", "cart-migration")
INGRESS = key("Ingress", "shop")
POLICY = key("NetworkPolicy", "cart")
NODE = key("Node", "n1")
NEIGHBOURS = {STOCK: {"app": "stock", "tier": "web"}, FRONT: {"app": "front", "tier": "web"}}
STOCK_PODS = Callee("stock", {"app": "stock"}, (8080,))


def autoscaler(
    least: int = 1, most: int = 2, *, limited: bool = True, scales: str = "cart"
) -> Json:
    manifest = {
        "type": "ScalingLimited",
        "status": "True" if limited else "False",
        "reason": "TooManyReplicas" if limited else "DesiredWithinRange",
    }
    return {
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": scales},
            "minReplicas": least,
            "maxReplicas": most,
        },
        "status": {"conditions": [manifest]},
    }


def quota(hard: dict[str, str], used: dict[str, str]) -> Json:
    return {"spec": {"hard": hard}, "status": {"used": used}}


def budget(**spec: Any) -> Json:
    return {"spec": {"selector": {"matchLabels": {"app": "cart"}}, **spec}}


def path(service: str, port: int | str = 80, where: str = "/") -> Json:
    named = {"number" if isinstance(port, int) else "name": port}
    return {"path": where, "backend": {"service": {"name": service, "port": named}}}


def ingress(*paths: Json, host: str = "shop.example") -> Json:
    rule: Json = {"http": {"paths": list(paths)}}
    return {"spec": {"rules": [{"host": host, **rule} if host else rule]}}


def network_policy(**spec: Any) -> Json:
    types = [kind for kind in ("Ingress", "Egress") if kind.lower() in spec]
    rules = {side: rules for side, rules in spec.items() if rules or side == "podSelector"}
    base = {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": types}
    return {"spec": {**base, **rules}}


def peers(port: int | str = 8080, **labels: str) -> Json:
    selector = {"podSelector": {"matchLabels": labels}}
    return {"from": [selector], "ports": [{"protocol": "TCP", "port": port}]}


def node(*taints: Json, ready: bool = True, labels: Json | None = None, **spec: Any) -> Json:
    return {
        "metadata": {"name": "n1", "labels": labels or {"disk": "hdd"}},
        "spec": {**({"taints": list(taints)} if taints else {}), **spec},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


DEDICATED = {"key": "dedicated", "value": "batch", "effect": "NoSchedule"}
MISSING = {"replicas": 1, "updatedReplicas": 1}
LIMITED = Shop(related={HPA: autoscaler()})
FULL = Shop(status=MISSING, related={QUOTA: quota({"pods": "4"}, {"pods": "4"})})
FULL_TWICE = Shop(
    status=MISSING,
    related={
        QUOTA: quota(
            {"pods": "4", "limits.memory": "512Mi", "requests.cpu": "4"},
            {"pods": "4", "limits.memory": "512Mi", "requests.cpu": "200m"},
        )
    },
)
GUARDED = Shop(replicas=4, related={BUDGET: budget(minAvailable="100%")})
HELD = Shop(related={JOB: {"spec": {"suspend": True}}})
ASTRAY = Shop(
    related={INGRESS: ingress(path("front"), path("cartt", where="/cart"))},
    service_names=("cart", "front", "stock"),
)
SHUT = Shop(
    neighbours=NEIGHBOURS,
    callers=(FRONT,),
    callees=(STOCK_PODS,),
    related={POLICY: network_policy(ingress=[peers(app="fornt")], egress=[])},
)
CORDONED = Shop(unplaced=True, related={NODE: node(unschedulable=True)}, node_labels=frozenset())
TAINTED = Shop(unplaced=True, related={NODE: node(DEDICATED)}, node_labels=frozenset())
NO_PORT = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."


def surge_pod(message: str = NO_PORT, **spec: Any) -> Json:
    """Return a pod of a newer template that no node takes."""
    unplaced = {"type": "PodScheduled", "status": "False", "message": message}
    return {
        "metadata": {
            "name": "cart-7e-0",
            "creationTimestamp": "2026-01-03T00:00:00Z",
            "labels": {"app": "cart", "tier": "web", "pod-template-hash": "7e"},
        },
        "spec": {
            "containers": [container(ports=[{"containerPort": 8080, "hostPort": 80}])],
            **spec,
        },
        "status": {"phase": "Pending", "conditions": [unplaced]},
    }


STUCK = Shop(
    replicas=1,
    pod_spec={"containers": [container(ports=[{"containerPort": 8080, "hostPort": 80}])]},
    related={key("Pod", "cart-7e-0"): surge_pod()},
    status={"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1},
    spec={"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
)
MISPLACED = Shop(
    unplaced=True,
    template=template(nodeSelector={"disk": "ssd"}),
    earlier=[template(nodeSelector={"disk": "hdd"})],
    node_labels=frozenset({("disk", "hdd")}),
)
COMMANDED = Shop(
    template=template(container(command=["/crat"], args=["--fast"])),
    earlier=[template(container(command=["/cart"]))],
)
ALL = (
    LIMITED,
    FULL,
    FULL_TWICE,
    GUARDED,
    HELD,
    ASTRAY,
    SHUT,
    CORDONED,
    TAINTED,
    STUCK,
    MISPLACED,
    COMMANDED,
)

"""A small healthy system on the cluster in memory, and a case in it."""

import copy
from collections.abc import Mapping
from typing import Any

from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.systems.model import Service, System
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.snapshot import Snapshot
from tests.doubles.bench_cluster import (
    NAMESPACE,
    FakeAgents,
    FakeCluster,
    FakeLoadGenerator,
    Object,
    QuickClock,
)

STARTED = "2025-12-31T23:00:00Z"


def deployment(name: str, replicas: int = 1, namespace: str = NAMESPACE) -> Object:
    container = {
        "name": name,
        "image": "shop:1",
        "env": [{"name": "NAME", "value": name}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "resources": {
            "requests": {"cpu": "20m", "memory": "32Mi"},
            "limits": {"cpu": "300m", "memory": "64Mi"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "scratch", "emptyDir": {}}],
                },
            },
        },
    }


def service(name: str, namespace: str = NAMESPACE) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "clusterIP": "10.0.0.1",
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def pod(name: str, owner: Object, namespace: str = NAMESPACE) -> Object:
    """Return a ready pod of a ReplicaSet."""
    template = copy.deepcopy(owner["spec"]["template"])
    container = template["spec"]["containers"][0]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "podIP": "10.1.0.1",
            "hostIP": "10.2.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": container,
                    "restartCount": 0,
                    "ready": True,
                    "containerID": "containerd://" + "a" * 64,
                    "state": {"running": {"startedAt": STARTED}},
                }
            ],
        },
    }


def deploy(cluster: FakeCluster, name: str, replicas: int = 1, namespace: str = NAMESPACE) -> None:
    """Put a Deployment with its ReplicaSet, pods, Service and endpoints, all of them healthy."""
    workload = cluster.put(
        deployment(name, replicas, namespace),
        observedGeneration=1,
        replicas=replicas,
        updatedReplicas=replicas,
        availableReplicas=replicas,
    )
    workload["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    owner = {
        "kind": "Deployment",
        "name": name,
        "uid": workload["metadata"]["uid"],
        "controller": True,
    }
    replica_set = cluster.put(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{name}-1",
                "namespace": namespace,
                "labels": {"app": name},
                "annotations": {"deployment.kubernetes.io/revision": "1"},
                "ownerReferences": [{"apiVersion": "apps/v1", **owner}],
            },
            "spec": {"replicas": replicas, "template": workload["spec"]["template"]},
        },
        replicas=replicas,
    )
    names = [f"{name}-1-{number}" for number in range(replicas)]
    for pod_name in names:
        cluster.put(pod(pod_name, replica_set, namespace))
    cluster.put(service(name, namespace))
    cluster.put(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-1",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "controller": True}],
            },
            "endpoints": [{"targetRef": {"name": n}, "conditions": {"ready": True}} for n in names],
        }
    )


def shop() -> FakeCluster:
    """Return a cluster with front -> cart, their users, and the injector."""
    cluster = FakeCluster()
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0"}, "spec": {}}
    cluster.put(node)
    cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    deploy(cluster, "front")
    deploy(cluster, "cart", 2)
    deploy(cluster, "users", namespace=f"{NAMESPACE}-users")
    agent = deployment("fault-agent", namespace="reme-faults") | {"kind": "DaemonSet"}
    daemon_set = cluster.put(agent, desiredNumberScheduled=1, numberAvailable=1)
    cluster.put(pod("fault-agent-1", daemon_set, "reme-faults"))
    return cluster


def system() -> System:
    amounts = {
        "cpu_request": "20m",
        "memory_request": "32Mi",
        "cpu_limit": "300m",
        "memory_limit": "64Mi",
    }
    return System(
        name="shop",
        title="Shop",
        source="tests",
        front="front",
        rate=4,
        services=(
            Service(name="front", role="front", port=80, calls=("cart",), **amounts),
            Service(name="cart", port=80, replicas=2, **amounts),
        ),
    )


def context(
    cluster: FakeCluster,
    before: Snapshot,
    fault: Fault | None,
    *,
    clock: QuickClock | None = None,
    **case: Any,
) -> CaseContext:
    """Return the case of a fault in `cart`."""
    values: dict[str, Any] = {
        "id": "t-1",
        "system": "shop",
        "fault": fault.id if fault else None,
        "service": "cart",
        "reported_service": "cart",
    }
    return CaseContext(
        cluster=cluster,  # type: ignore[arg-type]
        agents=FakeAgents(),  # type: ignore[arg-type]
        users=FakeLoadGenerator(clock or QuickClock()),  # type: ignore[arg-type]
        namespace=NAMESPACE,
        system=system(),
        case=Case.model_validate(values | case),
        fault=fault,
        before=before,
        values={"service": "cart", "kind": "Deployment", "container": "cart"},
    )


def fault(*effect: Mapping[str, Any], **oracle: Any) -> Fault:
    """Return a fault that is judged by these checks."""
    published = oracle.pop("published", None)
    return Fault.model_validate(
        {
            "id": "some-fault",
            "group": "microremed",
            "title": "t",
            "description": "d",
            "why_not_restart": "w",
            "inject": [{"pause": {"seconds": 0}}],
            "oracle": {"effect": list(effect), "settle_seconds": 20, "window_seconds": 5, **oracle},
            "published": published,
            "report": {
                "type": "t",
                "summary": "s",
                "terse": "t",
                "misleading": "m",
                "misleading_type": "m",
                "probes": [{"name": "p"}],
            },
        }
    )

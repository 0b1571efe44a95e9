"""A system as Kubernetes objects: its own namespace, and another for its users."""

import json
from typing import Any, Literal

from reme_benchmark.scenarios.systems import pods, upstream
from reme_benchmark.scenarios.systems.model import Service, System
from reme_cluster.kubectl import Object

Flavour = Literal["workload", "upstream"]
IMAGE = "localhost/reme-tools:dev"
PULL_POLICY = "IfNotPresent"
USERS = "users"
USERS_PORT = 8080
# What a project's own load generator asks a second: the users outside are the ones who count.
_INNER_RATE = 0.5


def manifests(
    system: System,
    namespace: str,
    *,
    flavour: Flavour = "workload",
    image: str = IMAGE,
    pull_policy: str = PULL_POLICY,
) -> list[Object]:
    """Return the Namespace, and per service its ConfigMap, workload and Service.

    `image` and `pull_policy` are for the flavour `workload`; `upstream` runs the images that the
    project publishes.
    """
    objects = [_namespace(system, namespace)]
    if flavour == "upstream":
        objects += upstream.extras(system, namespace)
    for service in system.services:
        labels = _labels(system, service.name)
        replicas, ports = service.replicas, [service.port]
        if flavour == "upstream":
            pod = upstream.pod(system, service)
            replicas = upstream.replicas(system, service)
            ports += upstream.more_ports(system, service)
        elif service.role == "load":
            front = system.service(system.front)
            url = f"http://{front.name}:{front.port}{system.path}"
            pod = pods.asking(
                service,
                url,
                (system.path,),
                _INNER_RATE,
                image,
                pull_policy,
                requests_scale=system.requests_scale,
            )
        else:
            pod = pods.serving(system, service, image, pull_policy)
            if service.config:
                objects.append(_config(service, namespace, labels))
        objects += [
            _workload(service, replicas, namespace, labels, pod),
            _service(service, ports, namespace, labels),
        ]
    return _apart(objects)


def users(
    system: System,
    namespace: str,
    *,
    flavour: Flavour = "workload",
    image: str = IMAGE,
    pull_policy: str = PULL_POLICY,
) -> list[Object]:
    """Return the load generator, in the namespace NAMESPACE-users, asking at the front door."""
    home = users_namespace(namespace)
    front = system.service(system.front)
    paths = upstream.paths(system) if flavour == "upstream" else system.user_paths()
    load = Service(
        name=USERS,
        port=USERS_PORT,
        cpu_request="10m",
        memory_request="24Mi",
        cpu_limit="300m",
        memory_limit="64Mi",
    )
    url = f"http://{front.name}.{namespace}:{front.port}{paths[0]}"
    labels = _labels(system, USERS)
    pod = pods.asking(load, url, paths, system.rate, image, pull_policy)
    return _apart(
        [
            _namespace(system, home),
            _workload(load, 1, home, labels, pod),
            _service(load, [USERS_PORT], home, labels),
        ]
    )


def _apart(objects: list[Object]) -> list[Object]:
    """Return copies that share nothing, so that who changes one changes no other."""
    copies: list[Object] = json.loads(json.dumps(objects))
    return copies


def users_namespace(namespace: str) -> str:
    """Return where the users of a system's namespace live."""
    return f"{namespace}-users"


def _labels(system: System, name: str) -> dict[str, str]:
    return {"app": name, "app.kubernetes.io/part-of": system.name}


def _namespace(system: System, name: str) -> Object:
    labels = {"app.kubernetes.io/part-of": system.name}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _config(service: Service, namespace: str, labels: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": pods.config_name(service), "namespace": namespace, "labels": labels},
        "data": dict(service.config),
    }


def _service(service: Service, ports: list[int], namespace: str, labels: dict[str, str]) -> Object:
    first, *more = ports
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name, "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"app": service.name},
            "ports": [
                {"name": "http", "port": first, "targetPort": service.container_port},
                *({"name": f"port-{port}", "port": port, "targetPort": port} for port in more),
            ],
        },
    }


def _workload(
    service: Service,
    replicas: int,
    namespace: str,
    labels: dict[str, str],
    pod: dict[str, Any],
) -> Object:
    spec: dict[str, Any] = {
        "replicas": replicas,
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": {"app": service.name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if service.kind == "StatefulSet":
        spec |= {"serviceName": service.name, "podManagementPolicy": "Parallel"}
    return {
        "apiVersion": "apps/v1",
        "kind": service.kind,
        "metadata": {"name": service.name, "namespace": namespace, "labels": labels},
        "spec": spec,
    }

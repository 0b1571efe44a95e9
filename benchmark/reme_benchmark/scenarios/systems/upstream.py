"""The flavour `upstream`: the images, variables and probes that the projects publish.

For clusters that can pull them; it is not run where reme is tested. Names, Services, labels and
limits are those of the flavour `workload`, requests are the published ones.
"""

from functools import cache
from typing import Any

from reme_benchmark.scenarios.systems import catalog
from reme_benchmark.scenarios.systems.model import Resources, Service, System
from reme_cluster.kubectl import Object


def paths(system: System) -> tuple[str, ...]:
    """Return what users ask of the project's own front door."""
    return tuple(_data(system)["paths"])


def extras(system: System, namespace: str) -> list[Object]:
    """Return the ConfigMaps and Secrets that the project's services read."""
    content = _data(system)
    named: list[tuple[str, str, dict[str, str]]] = [
        (kind, name, values)
        for kind, objects in content.get("extras", {}).items()
        for name, values in objects.items()
    ]
    if databases := content.get("databases"):
        named += [
            ("Secret", _secret_name(owner), _credentials(owner, databases))
            for owner in databases["of"]
        ]
    return [
        {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "stringData" if kind == "Secret" else "data": dict(values),
        }
        for kind, name, values in named
    ]


def replicas(system: System, service: Service) -> int:
    """Return how many instances there are of a service."""
    return int(_of(system, service).get("replicas", service.replicas))


def more_ports(system: System, service: Service) -> tuple[int, ...]:
    """Return further ports of a service's Service."""
    return tuple(_of(system, service).get("more_ports", ()))


def pod(system: System, service: Service) -> dict[str, Any]:
    """Return the pod of a service as the project publishes it."""
    given = _of(system, service)
    main = _container(service, given)
    sidecars = [
        {
            "name": sidecar.name,
            "image": given["sidecar"],
            "command": ["sleep", "2147483647"],
            "resources": _resources(sidecar),
        }
        for sidecar in service.sidecars
    ]
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [main, *sidecars],
    }
    if service.writes_disk:
        main["volumeMounts"] = [{"name": "scratch", "mountPath": given.get("data", "/data")}]
        spec["volumes"] = [{"name": "scratch", "emptyDir": {}}]
    return spec


def _data(system: System) -> dict[str, Any]:
    content: dict[str, Any] = _published()[system.name]
    return content


@cache
def _published() -> dict[str, Any]:
    return catalog.data("upstream.yaml")


def _of(system: System, service: Service) -> dict[str, Any]:
    """Return what is published of one service, over what is said of all of the system."""
    content = _data(system)
    own = content.get("services", {}).get(service.name) or {}
    databases = content.get("databases", {}).get("of", ())
    owner = service.name.removeprefix("ts-").removesuffix("-service")
    secrets = [_secret_name(owner)] if owner in databases else []
    # An image of its own has a tag of its own, or none.
    shared = {k: v for k, v in content.items() if k != "tag" or "image" not in own}
    return {"secrets": secrets, **shared, **own}


def _secret_name(owner: str) -> str:
    return f"ts-{owner}-mysql"


def _credentials(owner: str, databases: dict[str, Any]) -> dict[str, str]:
    prefix = f"{owner}-mysql".replace("-", "_").upper()
    return {
        f"{prefix}_HOST": databases["host"],
        f"{prefix}_PORT": "3306",
        f"{prefix}_DATABASE": databases["database"],
        f"{prefix}_USER": databases["user"],
        f"{prefix}_PASSWORD": databases["password"],
    }


def _container(service: Service, given: dict[str, Any]) -> dict[str, Any]:
    env = [{"name": key, "value": str(value)} for key, value in given.get("env", {}).items()]
    if name := given.get("host_ip"):
        env.append({"name": name, "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}})
    image = given["image"].format(name=service.name)
    container: dict[str, Any] = {
        "name": service.container_name,
        "image": f"{image}:{given['tag']}" if "tag" in given else image,
        "env": env,
        "envFrom": [
            *({"configMapRef": {"name": name}} for name in given.get("config_maps", ())),
            *({"secretRef": {"name": name}} for name in given["secrets"]),
        ],
        "ports": [{"containerPort": service.container_port}],
        "resources": _resources(service),
    }
    if "command" in given:
        container["command"] = list(given["command"])
    if probe := given.get("probe"):
        container["readinessProbe"] = _probe(probe, service.container_port)
        if service.liveness:
            container["livenessProbe"] = _probe(probe, service.container_port)
    return container


def _probe(given: dict[str, Any], port: int) -> dict[str, Any]:
    times = {key: value for key, value in given.items() if key not in ("path", "grpc")}
    if "path" in given:
        return {"httpGet": {"path": given["path"], "port": port}, **times}
    return {"grpc" if given.get("grpc") else "tcpSocket": {"port": port}, **times}


def _resources(given: Resources) -> dict[str, Any]:
    return {
        "requests": {"cpu": given.cpu_request, "memory": given.memory_request},
        "limits": {"cpu": given.cpu_limit, "memory": given.memory_limit},
    }

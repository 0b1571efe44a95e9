"""The pod of a service in the flavour `workload`: what runs in it, and what holds it back."""

from decimal import Decimal
from typing import Any

from reme_benchmark.scenarios.systems.model import Resources, Service, Sidecar, System

_HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_UNPRIVILEGED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# One arena: sixty processes of few threads each need no memory of their own per thread.
_FRUGAL = {"MALLOC_ARENA_MAX": "1"}


def serving(system: System, service: Service, image: str, pull_policy: str) -> dict[str, Any]:
    """Return the pod of a service that answers."""
    env = _environment(system, service)
    container = _container(service, image, pull_policy, "reme_benchmark.workload", env)
    _give_config(service, container)
    scale = system.requests_scale
    container["resources"] = _resources(service, scale)
    period, timeout = system.probe_period_seconds, system.probe_timeout_seconds
    container["readinessProbe"] = _probe("/ready", service.container_port, period, timeout)
    if service.liveness:
        container["livenessProbe"] = _probe("/healthz", service.container_port, 10, timeout)
    pod = _spec([container, *(_sidecar(s, scale, image, pull_policy) for s in service.sidecars)])
    if service.writes_disk:
        container["volumeMounts"] = [{"name": "scratch", "mountPath": "/scratch"}]
        size = f"{service.scratch_mebibytes}Mi"
        pod["volumes"] = [{"name": "scratch", "emptyDir": {"sizeLimit": size}}]
    return pod


def asking(
    service: Service,
    url: str,
    paths: tuple[str, ...],
    rate: float,
    image: str,
    pull_policy: str,
    *,
    requests_scale: float = 1,
) -> dict[str, Any]:
    """Return the pod of a load generator that asks the paths at the URL, so often a second."""
    env = {
        "URL": url,
        "PATHS": ",".join(paths),
        "RATE": f"{rate:g}",
        "PORT": str(service.container_port),
        **_FRUGAL,
    }
    container = _container(
        service, image, pull_policy, "reme_benchmark.workload.load_generator", env
    )
    container["resources"] = _resources(service, requests_scale)
    container["readinessProbe"] = _probe("/ready", service.container_port, 5, 2)
    return _spec([container])


def config_name(service: Service) -> str:
    """Return the name of a service's ConfigMap."""
    return f"{service.name}-config"


def _spec(containers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": _UNPRIVILEGED,
        "containers": containers,
    }


def _environment(system: System, service: Service) -> dict[str, str]:
    def urls(names: tuple[str, ...]) -> str:
        end = "/*" if service.passes_path else "/"
        return ",".join(f"http://{name}:{system.service(name).port}{end}" for name in names)

    env = {
        "NAME": service.name,
        "PORT": str(service.container_port),
        "CALLS": urls(service.calls),
        "ROUTES": ";".join(f"{path}={urls(names)}" for path, names in service.routes.items()),
        "CPU_MILLISECONDS": f"{service.cpu_milliseconds:g}",
        "MEMORY_MEBIBYTES": str(service.memory_mebibytes),
        "DISK_KIBIBYTES": str(service.disk_kibibytes) if service.writes_disk else "",
        "REQUIRED": ",".join(service.config),
        "VERSION": "1",
        **_FRUGAL,
    }
    # A variable of the container would win over the same one of the ConfigMap.
    return {key: value for key, value in env.items() if value and key not in service.config}


def _give_config(service: Service, container: dict[str, Any]) -> None:
    if not service.config:
        return
    name = config_name(service)
    if service.config_from == "envFrom":
        container["envFrom"] = [{"configMapRef": {"name": name}}]
        return
    container["env"] += [
        {"name": key, "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}}
        for key in service.config
    ]


def _container(
    service: Service, image: str, pull_policy: str, module: str, env: dict[str, str]
) -> dict[str, Any]:
    return {
        "name": service.container_name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["python", "-m", module],
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "ports": [{"name": "http", "containerPort": service.container_port}],
        "securityContext": _HARDENED,
    }


def _sidecar(sidecar: Sidecar, scale: float, image: str, pull_policy: str) -> dict[str, Any]:
    return {
        "name": sidecar.name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["sleep", "infinity"],
        "resources": _resources(sidecar, scale),
        "securityContext": _HARDENED,
    }


def _probe(path: str, port: int, period: int, timeout: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": 3,
    }


def _resources(given: Resources, scale: float) -> dict[str, Any]:
    return {
        "requests": {
            "cpu": scaled(given.cpu_request, scale),
            "memory": scaled(given.memory_request, scale),
        },
        "limits": {"cpu": given.cpu_limit, "memory": given.memory_limit},
    }


def scaled(quantity: str, scale: float) -> str:
    """Return that share of a quantity, in its own unit, rounded and never nothing.

    Raises:
        ValueError: the unit is not one of m, Mi and Gi.
    """
    if scale == 1:
        return quantity
    for unit in ("m", "Mi"):
        if quantity.endswith(unit):
            value = Decimal(quantity.removesuffix(unit)) * Decimal(str(scale))
            return f"{max(1, round(value))}{unit}"
    if quantity.endswith("Gi"):
        return scaled(f"{int(Decimal(quantity.removesuffix('Gi')) * 1024)}Mi", scale)
    raise ValueError(f"cannot scale {quantity}")

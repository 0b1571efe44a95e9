"""Probes of a report that brings none, derived from the workload and its Services. Pure.

They go to the Services that select the pods, each at a port that the readiness probe or the name of
the port explains. A readiness probe that passes does not prove that requests work, so a Service
that speaks HTTP also gets a GET of `/`, where any answer below 500 passes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from reme_api.probes import GrpcProbe, HttpProbe, Probe, RolloutProbe, ServiceProbe, TcpProbe
from reme_operator.probes.reported_requests import ReportedRequest
from reme_playbook.snapshot import unstructured, views

Json = Mapping[str, Any]

MAX_DERIVED = 8
TIMEOUT_SECONDS = 5
_MAX_SERVICES = 2
_MAX_PORTS = 2
_MAX_REPORTED = 2
_MAX_STATUS = 499
_HTTP_NAMES = re.compile(r"(http|web|http2?-.*|.*-http)\Z")
_HTTP_PORTS = frozenset({80, 8080})
_ENCRYPTED_PORTS = frozenset({443, 8443})
_HEALTH_PROGRAM = "grpc_health_probe"
_HEALTH_ADDRESS = re.compile(r"-addr[= ]\S*?:([0-9]{1,5})\b")


class Readiness(NamedTuple):
    """How a container says that it is ready."""

    handler: str  # httpGet, grpc or tcpSocket
    port: int
    path: str = ""
    health_service: str = ""
    encrypted: bool = False


class WorkloadPorts(NamedTuple):
    """What derived probes need of a workload; `kubelet_paths` are those of its own probes."""

    name: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]
    readiness: tuple[Readiness, ...]
    kubelet_paths: frozenset[str] = frozenset()


def workload_ports(workload: Json) -> WorkloadPorts:
    """Return what derived probes need of a workload."""
    template = unstructured.mapping(workload, "spec", "template")
    containers = unstructured.items(template, "spec", "containers")
    ports = {
        port.name: port.number
        for container in views.template_containers(template)
        for port in container.ports
        if port.name
    }
    checks = (_readiness(container, ports) for container in containers)
    return WorkloadPorts(
        name=unstructured.text(workload, "metadata", "name"),
        labels=unstructured.strings(template, "metadata", "labels"),
        ports=ports,
        readiness=tuple(check for check in checks if check),
        kubelet_paths=frozenset(
            probe.path
            for container in views.template_containers(template)
            for probe in container.probes.values()
            if probe.path
        ),
    )


def derived_probes(
    workload: WorkloadPorts,
    services: Sequence[Json],
    requests: Sequence[ReportedRequest] = (),
) -> list[Probe]:
    """Return at most 8 probes: of the Services of the workload, and of its rollout.

    `requests` are those that the report names: a GET that it says fails is sent as well.
    """
    by_name: dict[str, ServiceProbe] = {}
    fronts: list[HttpProbe] = []
    for service in _own_services(workload, services):
        for port in _ports(service, workload):
            for name, request in _requests(service, port, workload):
                _add(by_name, name, request)
                if isinstance(request, HttpProbe):
                    fronts.append(request)
    if fronts:
        for request in _reported(requests, fronts):
            _add(by_name, "reported", request)
    probes = [_probe(name, request) for name, request in by_name.items()][: MAX_DERIVED - 1]
    return [*probes, Probe(name="rollout", rollout=RolloutProbe())]


def describe(probe: Probe) -> str:
    """Return what a probe asks in a few words, such as `GET / of checkout:80`."""
    if probe.request is None:
        return probe.name
    place = f"{probe.request.service}:{probe.request.port}"
    if probe.http:
        return f"{probe.http.method} {probe.http.path} of {place}"
    return f"{'gRPC health' if probe.grpc else 'a connection'} of {place}"


def _add(by_name: dict[str, ServiceProbe], name: str, request: ServiceProbe) -> None:
    if request in by_name.values():
        return
    number = 1
    unique = name
    while unique in by_name:
        number += 1
        unique = f"{name}-{number}"
    by_name[unique] = request


def _probe(name: str, request: ServiceProbe) -> Probe:
    kind = {HttpProbe: "http", GrpcProbe: "grpc", TcpProbe: "tcp"}[type(request)]
    return Probe.model_validate({"name": name, kind: request, "timeoutSeconds": TIMEOUT_SECONDS})


def _own_services(workload: WorkloadPorts, services: Sequence[Json]) -> list[Json]:
    """Return the Services that select the pods; else the one with the workload's name.

    That one may have lost its pods, which is a fault to be seen.
    """
    known = [s for s in services if unstructured.text(s, "spec", "type") != "ExternalName"]
    own = [
        service
        for service in known
        if (selector := unstructured.strings(service, "spec", "selector"))
        and views.selects(selector, workload.labels)
    ]
    if not own:
        own = [s for s in known if _name(s) == workload.name]
    own.sort(key=lambda service: (_name(service) != workload.name, _name(service)))
    return own[:_MAX_SERVICES]


class _Port(NamedTuple):
    """A port of a Service, and the number that it leads to; 0 where that is not known."""

    number: int
    target: int
    name: str
    protocol: str


def _ports(service: Json, workload: WorkloadPorts) -> list[_Port]:
    """Return the first TCP ports, those that a readiness probe explains before others."""
    ports = [
        _Port(
            number=int(port.get("port") or 0),
            target=_target(port, workload),
            name=unstructured.text(port, "name").lower(),
            protocol=unstructured.text(port, "appProtocol").lower(),
        )
        for port in unstructured.items(service, "spec", "ports")
        if port.get("protocol", "TCP") == "TCP" and isinstance(port.get("port"), int)
    ]
    ready = {check.port for check in workload.readiness}
    ports.sort(key=lambda port: (port.target not in ready, not _speaks_http(port)))
    return ports[:_MAX_PORTS]


def _target(port: Json, workload: WorkloadPorts) -> int:
    target = port.get("targetPort", port.get("port"))
    if isinstance(target, str):
        return workload.ports.get(target, 0)
    return target if isinstance(target, int) else 0


def _requests(
    service: Json, port: _Port, workload: WorkloadPorts
) -> Iterator[tuple[str, ServiceProbe]]:
    """Yield what to send to one port, by the name of the probe."""
    name = _name(service)
    headless = unstructured.text(service, "spec", "clusterIP") in ("", "None")
    number = port.target if headless and port.target else port.number
    check = next((check for check in workload.readiness if check.port == port.target), None)
    try:
        if check is not None and check.handler == "grpc":
            yield (
                "health",
                GrpcProbe(service=name, port=number, health_service=check.health_service),
            )
        elif check is not None and check.handler == "httpGet" and not check.encrypted:
            if check.path != "/":
                yield "ready", HttpProbe(service=name, port=number, path=check.path)
            yield "answers", HttpProbe(service=name, port=number, max_status=_MAX_STATUS)
        elif check is None and _speaks_http(port):
            yield "answers", HttpProbe(service=name, port=number, max_status=_MAX_STATUS)
        else:
            yield "connects", TcpProbe(service=name, port=number)
    except ValidationError:
        return  # a path or a name that no probe can have


def _speaks_http(port: _Port) -> bool:
    if port.number in _ENCRYPTED_PORTS or port.name.startswith("https"):
        return False
    if port.protocol:
        return port.protocol == "http"
    if port.name:
        return bool(_HTTP_NAMES.match(port.name))
    return port.number in _HTTP_PORTS


def _reported(
    requests: Sequence[ReportedRequest], fronts: Sequence[HttpProbe]
) -> Iterator[HttpProbe]:
    """Yield a GET of each path that the report says fails; one that only a log names is not sent.

    Whoever sends requests chooses what stands in a log.
    """
    paths = [r.path for r in requests if r.method in ("GET", "") and r.path and not r.in_log]
    front = fronts[0]
    for path in list(dict.fromkeys(paths))[:_MAX_REPORTED]:
        client_error = any(r.path == path and 400 <= r.status < 500 for r in requests)
        limit = 399 if client_error else _MAX_STATUS
        try:
            yield HttpProbe(service=front.service, port=front.port, path=path, max_status=limit)
        except ValidationError:
            continue


def _readiness(container: Json, ports: Mapping[str, int]) -> Readiness | None:
    view = views.probe(container, "readiness")
    if view is None:
        return None
    manifest = unstructured.mapping(container, "readinessProbe", view.handler)
    port = ports.get(view.port, 0) if isinstance(view.port, str) else view.port or 0
    if view.handler == "exec":
        command = " ".join(str(word) for word in manifest.get("command") or ())
        address = _HEALTH_ADDRESS.search(command)
        if _HEALTH_PROGRAM not in command or not address:
            return None
        return Readiness("grpc", int(address[1]))
    return Readiness(
        view.handler,
        port,
        view.path or "",
        unstructured.text(manifest, "service") if view.handler == "grpc" else "",
        encrypted=unstructured.text(manifest, "scheme") == "HTTPS",
    )


def _name(service: Json) -> str:
    return unstructured.text(service, "metadata", "name")

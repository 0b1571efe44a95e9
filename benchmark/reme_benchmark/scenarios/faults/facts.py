"""What `${name}` can stand for: facts of the target and of what is around it, before the fault.

Amounts that a fault needs as half, as double or as a share are here as values of their own.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.quantity import cpu_millicores, format_cpu, format_memory, memory_bytes

if TYPE_CHECKING:
    from reme_benchmark.kube.cluster import Object
    from reme_benchmark.scenarios.cases.model import Case
    from reme_benchmark.scenarios.systems.model import System

MEBIBYTE = 2**20
_HOST = re.compile(r"//([a-z0-9-]+):")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_AMOUNTS = {
    "cpu_limit": ("limits", "cpu"),
    "memory_limit": ("limits", "memory"),
    "cpu_request": ("requests", "cpu"),
    "memory_request": ("requests", "memory"),
}


class TargetError(LookupError):
    """The system has no such workload; the message says which."""


def values(
    workload: "Object",
    service_object: "Object | None" = None,
    case_parameters: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what `${name}` means for one target, as it was before the fault.

    Parameters of the case and the extra values come last: they win.
    """
    parameters = dict(case_parameters or {})
    facts: dict[str, Any] = {"namespace": unstructured.text(workload, "metadata", "namespace")}
    facts |= _workload(workload)
    facts |= {f"original_{name}": facts[name] for name in _ORIGINALS if name in facts}
    facts |= _port(service_object)
    facts |= _shares(facts, parameters)
    if "moved_port" in parameters:
        facts["moved_port_text"] = str(parameters["moved_port"])
    variable = str(parameters.get("variable", "")).lower()
    if f"env_{variable}" in facts:
        facts["variable_value"] = facts[f"env_{variable}"]
    if host := _HOST.search(str(facts.get("env_calls", ""))):
        facts["dependency"] = host[1]
        facts["calls_mistaken"] = facts["env_calls"].replace(host[0], f"//{host[1]}-svc:", 1)
    return {**facts, **parameters, **(extra or {})}


def case_values(
    case: "Case",
    system: "System",
    objects: Iterable["Object"],
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what `${name}` means in one case; `objects` are the namespace's before the fault.

    Besides the target's own facts: `front_*`, `callee_*` (the first service that the target calls)
    and `caller_*` (the first that calls it). `pod` is only known once the fault is in a pod.

    Raises:
        TargetError: a workload of the case is not among the objects.
    """
    known = _Known(objects)
    services = {service.name: service for service in system.services}
    if case.service not in services:
        raise TargetError(f"system {system.name} has no service {case.service}")
    own = services[case.service]
    related: dict[str, Any] = {
        "system": system.name,
        "pods_total": sum(int(s.replicas) for s in system.services),
        "too_little_memory": f"{own.memory_mebibytes + 4}Mi",
    }
    related["pods_total_minus_1"] = related["pods_total"] - 1
    related["pods_total_x2"] = related["pods_total"] * 2
    if case.service == system.front:
        related["overload_milliseconds"] = _overload(own.cpu_limit, system.rate)
    callee = next(iter(callees(system, case.service)), None)
    caller = next(iter(system.callers(case.service)), None)
    for prefix, name in (("front", system.front), ("callee", callee), ("caller", caller)):
        if name is not None:
            related |= known.facts_of(prefix, name)
    related |= known.config(case.service)
    if nodes := known.names("Node"):
        related["node"] = nodes[0]
    return values(
        known.workload(case.service),
        known.find("Service", case.service),
        case.parameters,
        {**related, **(extra or {})},
    )


def callees(system: "System", service: str) -> tuple[str, ...]:
    """Return whom a service calls: what can be rolled out anew first, then what keeps data."""
    names = dict.fromkeys(system.service(service).asks())
    return tuple(sorted(names, key=lambda name: system.service(name).kind != "Deployment"))


def _overload(cpu_limit: str, rate: float) -> str:
    """Return how many milliseconds of CPU per request are a third more than one pod has."""
    return str(round(1.3 * cpu_millicores(cpu_limit) / rate))


class _Known:
    def __init__(self, objects: Iterable["Object"]) -> None:
        self._objects = {
            (unstructured.text(item, "kind"), unstructured.text(item, "metadata", "name")): item
            for item in objects
        }

    def find(self, kind: str, name: str) -> "Object | None":
        return self._objects.get((kind, name))

    def names(self, kind: str) -> list[str]:
        return sorted(name for of, name in self._objects if of == kind)

    def workload(self, name: str) -> "Object":
        workload = next((w for kind in _WORKLOADS if (w := self.find(kind, name))), None)
        if workload is None:
            raise TargetError(f"there is no workload {name}")
        return workload

    def facts_of(self, prefix: str, name: str) -> dict[str, Any]:
        """Return the facts of another service, under the prefix."""
        facts = _workload(self.workload(name)) | _port(self.find("Service", name))
        named = {f"{prefix}_{key}": value for key, value in facts.items() if key != "service"}
        return {prefix: name, **named}

    def config(self, name: str) -> dict[str, Any]:
        """Return which ConfigMap the service reads, and what it holds: `config_KEY` in small."""
        container = _container(self.workload(name))
        references = [
            unstructured.text(entry, "valueFrom", "configMapKeyRef", "name")
            for entry in unstructured.items(container, "env")
        ]
        references += [
            unstructured.text(source, "configMapRef", "name")
            for source in unstructured.items(container, "envFrom")
        ]
        config = next((name for name in references if name), "")
        data = unstructured.strings(self.find("ConfigMap", config), "data")
        if not data:
            return {}
        key = min(data)
        named = {f"config_{key.lower()}": value for key, value in data.items()}
        return {**named, "config_map": config, "config_key": key, "config_value": data[key]}


_ORIGINALS = ("image", "replicas", *_AMOUNTS)


def _container(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = unstructured.items(workload, "spec", "template", "spec", "containers")
    if not containers:
        raise TargetError(f"{unstructured.text(workload, 'metadata', 'name')} has no container")
    return containers[0]


def _workload(workload: "Object") -> dict[str, Any]:
    container = _container(workload)
    replicas = unstructured.number(workload, "spec", "replicas", default=1)
    facts: dict[str, Any] = {
        "service": unstructured.text(workload, "metadata", "name"),
        "kind": unstructured.text(workload, "kind"),
        "container": unstructured.text(container, "name"),
        "image": unstructured.text(container, "image"),
        "replicas": replicas,
        "replicas_plus_1": replicas + 1,
        "replicas_x2": replicas * 2,
    }
    for name, path in _AMOUNTS.items():
        amount = unstructured.at(container, "resources", *path)
        if amount is not None:
            facts[name] = str(amount)
    for entry in unstructured.items(container, "env"):
        if "valueFrom" not in entry:
            facts[f"env_{unstructured.text(entry, 'name').lower()}"] = unstructured.text(
                entry, "value"
            )
    return facts


def _port(service: "Object | None") -> dict[str, Any]:
    ports = unstructured.items(service, "spec", "ports")
    if not ports:
        return {}
    port = unstructured.number(ports[0], "port")
    return {"port": port, "target_port": ports[0].get("targetPort", port)}


def _shares(facts: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return amounts derived from the target's own."""
    shares: dict[str, Any] = {}
    for name in ("memory_limit", "memory_request"):
        if name in facts:
            amount = memory_bytes(facts[name])
            shares[f"half_{name}"] = _memory(amount / 2)
            shares[f"{name}_x2"] = _memory(amount * 2)
    for name in ("cpu_limit", "cpu_request"):
        if name in facts:
            millicores = cpu_millicores(facts[name])
            shares[f"half_{name}"] = format_cpu(max(1, millicores // 2))
            shares[f"{name}_x2"] = format_cpu(millicores * 2)
    percent = parameters.get("leak_percent")
    if percent is not None and "memory_limit" in facts:
        leaked = memory_bytes(facts["memory_limit"]) * percent / 100
        shares["leak_kibibytes"] = str(max(1, round(leaked / 1024)))
    return shares


def _memory(amount: float) -> str:
    """Return an amount in whole mebibytes, at least one."""
    return format_memory(max(1, round(amount / MEBIBYTE)) * MEBIBYTE)

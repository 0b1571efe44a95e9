"""Derived facts of a pod template, computed once for each template."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from reme_lab.simulator.identity_cache import cache_by_identity
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.snapshot import config_map_references

Json = Mapping[str, Any]

_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?(?P<host>[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)"
    r"(?P<domain>(?:\.[-a-z0-9]+)*)(?::(?P<port>[0-9]{1,5}))?(?:[/?].*)?"
)
_URL = re.compile(
    r"://(?:[^@/\s,;]*@)?(?P<host>[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)(?P<domain>(?:\.[-a-z0-9]+)*)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_POD_RUNTIME_FIELDS = frozenset({"hostAliases", "securityContext", "shareProcessNamespace"})
_CONTAINER_RUNTIME_FIELDS = frozenset({"name", "lifecycle", "securityContext", "workingDir"})


class Amounts(NamedTuple):
    """CPU in millicores, memory in bytes."""

    cpu: int = 0
    memory: int = 0


class Address(NamedTuple):
    """A host and port that a setting names; the port may be missing."""

    host: str
    port: int | None


@dataclass(frozen=True, eq=False)
class TemplateFacts:
    """What the simulator needs to know of a pod template."""

    labels: Mapping[str, str]
    containers: tuple[views.ContainerView, ...]
    requests: Amounts
    limits: Amounts
    config_maps: tuple[str, ...]
    node_selector: Mapping[str, str]
    awaited_words: tuple[str, ...]
    """Words of init containers' commands: what they wait for may be among them."""
    secret_keys: tuple[tuple[str, str], ...]
    cluster_dns: bool
    memory_volume_limits: tuple[int, ...]
    """Size limits in bytes."""
    runtime_settings: str
    """Fields that no action but a rollback changes, as JSON."""
    host_ports: frozenset[int]
    """Ports of the node that the pod takes."""

    def container(self, name: str) -> views.ContainerView | None:
        """Return the container of that name; an empty name means the first one."""
        if not name:
            return self.containers[0] if self.containers else None
        return next((c for c in self.containers if c.name == name), None)


@cache_by_identity
def template_facts(template: Json) -> TemplateFacts:
    """Return the facts of a pod template."""
    spec = unstructured.mapping(template, "spec")
    containers = views.template_containers(template)
    inits = unstructured.items(spec, "initContainers")
    return TemplateFacts(
        labels=unstructured.strings(template, "metadata", "labels"),
        containers=containers,
        requests=_sum(containers, "request"),
        limits=_sum(containers, "limit"),
        config_maps=tuple(dict.fromkeys(n for n in config_map_references(template) if n)),
        node_selector=unstructured.strings(spec, "nodeSelector"),
        awaited_words=tuple(word for init in inits for word in _words(init)),
        secret_keys=tuple(_secrets(spec)),
        cluster_dns=unstructured.text(spec, "dnsPolicy") != "None",
        memory_volume_limits=tuple(
            memory_or_zero(unstructured.text(volume, "emptyDir", "sizeLimit"))
            for volume in unstructured.items(spec, "volumes")
            if unstructured.text(volume, "emptyDir", "sizeLimit")
        ),
        runtime_settings=_runtime_settings(spec),
        host_ports=frozenset(
            number
            for container in unstructured.items(spec, "containers")
            for port in unstructured.items(container, "ports")
            if (number := unstructured.number(port, "hostPort"))
        ),
    )


def _runtime_settings(spec: Json) -> str:
    containers = [
        {key: value for key, value in container.items() if key in _CONTAINER_RUNTIME_FIELDS}
        for container in unstructured.items(spec, "containers")
    ]
    pod_fields = {key: value for key, value in spec.items() if key in _POD_RUNTIME_FIELDS}
    return json.dumps([pod_fields, containers], sort_keys=True, separators=(",", ":"))


def _secrets(spec: Json) -> list[tuple[str, str]]:
    entries = [
        e for c in unstructured.items(spec, "containers") for e in unstructured.items(c, "env")
    ]
    references = [unstructured.mapping(e, "valueFrom", "secretKeyRef") for e in entries]
    return [
        (unstructured.text(f, "name"), unstructured.text(f, "key"))
        for f in references
        if f and f.get("optional") is not True
    ]


def _words(container: Json) -> list[str]:
    lists = [container.get("command"), container.get("args")]
    words = [str(w) for part in lists if isinstance(part, list | tuple) for w in part]
    # A shell script is one word that contains many.
    return [part for word in words for part in word.split()]


def _sum(containers: tuple[views.ContainerView, ...], side: str) -> Amounts:
    cpu_sum, memory_sum = 0, 0
    for container in containers:
        amounts = container.resources
        fallback = (
            amounts if side == "request" else None
        )  # without a request, the limit is requested
        for_cpu = getattr(amounts, f"cpu_{side}") or (fallback and fallback.cpu_limit)
        for_memory = getattr(amounts, f"memory_{side}") or (fallback and fallback.memory_limit)
        cpu_sum += cpu_or_zero(for_cpu or "")
        memory_sum += memory_or_zero(for_memory or "")
    return Amounts(cpu_sum, memory_sum)


@lru_cache(maxsize=4096)
def cpu_or_zero(text: str) -> int:
    """Return millicores; 0 for an invalid quantity."""
    try:
        return cpu_millicores(text) if text else 0
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def memory_or_zero(text: str) -> int:
    """Return bytes; 0 for an invalid quantity."""
    try:
        return memory_bytes(text) if text else 0
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def addresses(value: str) -> tuple[Address, ...]:
    """Return the addresses in a setting: of all its URLs, or separated by commas."""
    if "://" in value:
        return tuple(
            Address(match["host"] + match["domain"], int(match["port"]) if match["port"] else None)
            for match in _URL.finditer(value)
        )
    results = []
    for part in value.split(","):
        match = _ADDRESS.fullmatch(part.strip())
        if match:
            port = match["port"]
            results.append(Address(match["host"] + match["domain"], int(port) if port else None))
    return tuple(results)


@lru_cache(maxsize=4096)
def service_of(host: str, namespace: str) -> str:
    """Return the Service of the namespace that a host names; empty for other hosts."""
    name, _, rest = host.partition(".")
    return name if not rest or rest.split(".")[0] == namespace else ""


def port_number(container: views.ContainerView | None, port: int | str | None) -> int | None:
    """Return the number of a container port, given by name or number."""
    if port is None or isinstance(port, int):
        return port
    ports = container.ports if container else ()
    return next((p.number for p in ports if p.name == port), None)


@cache_by_identity
def service_view(service: Json) -> views.ServiceView:
    """Return the view of a Service."""
    return views.service(service, {})

"""What a pod template says, worked out once for each template."""

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
_AROUND_A_POD = frozenset({"hostAliases", "securityContext", "shareProcessNamespace"})
_AROUND_A_CONTAINER = frozenset({"name", "lifecycle", "securityContext", "workingDir"})


class Amounts(NamedTuple):
    """CPU in millicores, memory in bytes."""

    cpu: int = 0
    memory: int = 0


class Address(NamedTuple):
    """A host and a port that a setting names; no port where it names none."""

    host: str
    port: int | None


@dataclass(frozen=True, eq=False)
class TemplateFacts:
    """What a template says, in the form that the simulation needs."""

    labels: Mapping[str, str]
    containers: tuple[views.ContainerView, ...]
    requests: Amounts
    limits: Amounts
    config_maps: tuple[str, ...]
    node_selector: Mapping[str, str]
    awaited_words: tuple[str, ...]
    """Words of init containers that may name what they wait for."""
    secret_keys: tuple[tuple[str, str], ...]
    cluster_dns: bool
    memory_volume_limits: tuple[int, ...]
    """Their limits in bytes."""
    runtime_settings: str
    """How its containers run: all that no action but a rollback changes, as JSON."""

    def container(self, name: str) -> views.ContainerView | None:
        """Return the container of that name; the first for an empty name."""
        if not name:
            return self.containers[0] if self.containers else None
        return next((c for c in self.containers if c.name == name), None)


@cache_by_identity
def template_facts(template: Json) -> TemplateFacts:
    """Return what a pod template says."""
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
        runtime_settings=_surroundings(spec),
    )


def _surroundings(spec: Json) -> str:
    containers = [
        {key: value for key, value in one.items() if key in _AROUND_A_CONTAINER}
        for one in unstructured.items(spec, "containers")
    ]
    around = {key: value for key, value in spec.items() if key in _AROUND_A_POD}
    return json.dumps([around, containers], sort_keys=True, separators=(",", ":"))


def _secrets(spec: Json) -> list[tuple[str, str]]:
    entries = [
        e for c in unstructured.items(spec, "containers") for e in unstructured.items(c, "env")
    ]
    found = [unstructured.mapping(e, "valueFrom", "secretKeyRef") for e in entries]
    return [
        (unstructured.text(f, "name"), unstructured.text(f, "key"))
        for f in found
        if f and f.get("optional") is not True
    ]


def _words(container: Json) -> list[str]:
    lists = [container.get("command"), container.get("args")]
    words = [str(w) for one in lists if isinstance(one, list | tuple) for w in one]
    # A shell's script is one word with many in it.
    return [part for word in words for part in word.split()]


def _sum(containers: tuple[views.ContainerView, ...], side: str) -> Amounts:
    cpu_sum, memory_sum = 0, 0
    for container in containers:
        amounts = container.resources
        fallback = amounts if side == "request" else None  # what requests nothing gets its limit
        for_cpu = getattr(amounts, f"cpu_{side}") or (fallback and fallback.cpu_limit)
        for_memory = getattr(amounts, f"memory_{side}") or (fallback and fallback.memory_limit)
        cpu_sum += cpu_or_zero(for_cpu or "")
        memory_sum += memory_or_zero(for_memory or "")
    return Amounts(cpu_sum, memory_sum)


@lru_cache(maxsize=4096)
def cpu_or_zero(text: str) -> int:
    """Return millicores; 0 for what is no amount."""
    try:
        return cpu_millicores(text) if text else 0
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def memory_or_zero(text: str) -> int:
    """Return bytes; 0 for what is no amount."""
    try:
        return memory_bytes(text) if text else 0
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def addresses(value: str) -> tuple[Address, ...]:
    """Return the hosts that a setting names: those of all its URLs, or separated by commas."""
    if "://" in value:
        return tuple(
            Address(match["host"] + match["domain"], int(match["port"]) if match["port"] else None)
            for match in _URL.finditer(value)
        )
    found = []
    for part in value.split(","):
        match = _ADDRESS.fullmatch(part.strip())
        if match:
            port = match["port"]
            found.append(Address(match["host"] + match["domain"], int(port) if port else None))
    return tuple(found)


@lru_cache(maxsize=4096)
def service_of(host: str, namespace: str) -> str:
    """Return the Service of the namespace that a host name means; empty for one elsewhere."""
    name, _, rest = host.partition(".")
    return name if not rest or rest.split(".")[0] == namespace else ""


def port_number(container: views.ContainerView | None, port: int | str | None) -> int | None:
    """Return the number of a port that is named, or itself."""
    if port is None or isinstance(port, int):
        return port
    ports = container.ports if container else ()
    return next((p.number for p in ports if p.name == port), None)


@cache_by_identity
def service_view(found: Json) -> views.ServiceView:
    """Return what a Service says."""
    return views.service(found, {})

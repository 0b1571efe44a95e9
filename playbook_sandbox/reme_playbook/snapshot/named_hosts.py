"""Every host that the target's environment names: where it is written, and where it leads."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependency import Mention, Place
from reme_playbook.snapshot.hosts import Host, hosts_in, hosts_of_words
from reme_playbook.snapshot.sensitive import sensitive_name
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Json = Mapping[str, Any]

_MAX_HOSTS = 32
_ORDINAL = re.compile(r"(.+)-[0-9]{1,4}")


class NamedHost(NamedTuple):
    """A host, and everything that its name says."""

    host: Host
    mentions: tuple[Mention, ...]
    place: Place
    namespace: str  # empty outside
    service: str  # empty outside


def named_hosts(snapshot: ClusterSnapshot, services: Sequence[Json]) -> tuple[NamedHost, ...]:
    """Return the hosts that containers, init containers and ConfigMaps of the target name.

    At most 32, in the order of their appearance. `services` are those of the namespace.
    """
    addresses = {unstructured.text(s, "spec", "clusterIP"): _name(s) for s in services}
    names = frozenset(addresses.values()) | frozenset(map(_name, services))
    mentions: dict[Host, list[Mention]] = {}
    aliases = host_aliases(snapshot)
    for mention, host in _mentions(snapshot, names):
        if host.name not in aliases:
            mentions.setdefault(host, []).append(mention)
    resolved = (
        NamedHost(host, tuple(where), *_resolve(host, snapshot, names, addresses))
        for host, where in mentions.items()
    )
    return tuple(resolved)[:_MAX_HOSTS]


def host_aliases(snapshot: ClusterSnapshot) -> frozenset[str]:
    """Return the names that the pods have in their own file of hosts."""
    return frozenset(
        str(name)
        for alias in unstructured.items(snapshot.template, "spec", "hostAliases")
        for name in alias.get("hostnames") or ()
    )


def _name(service: Json) -> str:
    return unstructured.text(service, "metadata", "name")


def _mentions(
    snapshot: ClusterSnapshot, services: frozenset[str]
) -> Iterator[tuple[Mention, Host]]:
    earlier = [_all_containers(template) for template in snapshot.earlier_templates]
    for container in _all_containers(snapshot.template).values():
        before = [same.env for c in earlier if (same := c.get(container.name)) is not None]
        for variable, value in container.env.items():
            if value and not sensitive_name(variable):
                resolved = any(env.get(variable) in services for env in before)
                for host in hosts_in(variable, value, resolved=resolved):
                    yield Mention(container.name, variable), host
        for field, words in (("command", container.command), ("args", container.args)):
            for host in hosts_of_words(words):
                yield Mention(container.name, field), host
    for name in snapshot.config_map_names:
        applied = unstructured.strings(snapshot.last_applied_config(name), "data")
        for key, value in sorted(snapshot.config_map(name).items()):
            if not sensitive_name(key):
                for host in hosts_in(key, value, resolved=applied.get(key) in services):
                    yield Mention("", key, name), host


def _all_containers(template: Json) -> dict[str, views.ContainerView]:
    kinds = ("containers", "initContainers")
    return {v.name: v for kind in kinds for v in views.template_containers(template, kind)}


def _resolve(
    host: Host, snapshot: ClusterSnapshot, services: frozenset[str], addresses: Mapping[str, str]
) -> tuple[Place, str, str]:
    """Return the place, the namespace and the Service that a host names."""
    own = snapshot.target.namespace
    if host.name in addresses:
        return Place.NAMESPACE, own, addresses[host.name]
    labels = host.name.removesuffix(".cluster.local").removesuffix(".svc").split(".")
    if len(labels) == 1:
        return Place.NAMESPACE, own, labels[0]
    if host.name.endswith((".svc", ".svc.cluster.local")):
        # With the name of a pod of a StatefulSet before it, or not.
        place = Place.NAMESPACE if labels[-1] == own else Place.OTHER_NAMESPACE
        return place, labels[-1], labels[-2]
    if labels[-1] == own and len(labels) <= 3:
        return Place.NAMESPACE, own, labels[-2]
    if len(labels) == 2 and labels[1] in services and _ORDINAL.fullmatch(labels[0]):
        return Place.NAMESPACE, own, labels[1]
    return Place.OUTSIDE, "", ""

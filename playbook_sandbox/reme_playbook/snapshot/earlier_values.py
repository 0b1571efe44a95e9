"""Where new values may come from: no text of a model becomes a value of the cluster.

What is written was there before: in an earlier revision, in what its owner applied, or as the name
of something that exists. Only numbers are new, and those have bounds.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.sensitive import sensitive_command, sensitive_name, sensitive_value
from reme_playbook.snapshot.service_hosts import replaced_hosts
from reme_playbook.snapshot.snapshot import ClusterSnapshot, config_map_references


def _distinct(values: Iterable[Any], current: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(v for v in values if v is not None and v != current))


def earlier_containers(live: ClusterSnapshot, name: str) -> tuple[views.ContainerView, ...]:
    """Return that container as earlier templates had it, newest first."""
    return live.earlier_containers.get(name, ())


def images(live: ClusterSnapshot, container: str) -> tuple[str, ...]:
    """Return the images that the container had before."""
    now = live.container(container)
    found = (view.image or None for view in earlier_containers(live, container))
    return _distinct(found, now.image if now else None)


def resources(live: ClusterSnapshot, container: str, field: str) -> tuple[str, ...]:
    """Return the amounts that a limit or request had before."""
    now = live.container(container)
    found = (getattr(v.resources, field) for v in earlier_containers(live, container))
    return _distinct(found, getattr(now.resources, field) if now else None)


def env_values(live: ClusterSnapshot, container: str, variable: str) -> tuple[str, ...]:
    """Return the literal values that a variable had before, without what looks secret."""
    if sensitive_name(variable):
        return ()
    now = live.container(container)
    found = (view.env.get(variable) for view in earlier_containers(live, container))
    return tuple(
        value
        for value in _distinct(found, now.env.get(variable) if now else None)
        if not sensitive_value(value)
    )


def env_hosts(live: ClusterSnapshot, container: str, variable: str) -> tuple[str, ...]:
    """Return the current value with hosts that exist, where it names some that do not."""
    now = live.container(container)
    value = now.env.get(variable) if now else None
    if not value or sensitive_name(variable) or sensitive_value(value):
        return ()
    return replaced_hosts(variable, value, live.service_names, live.target.namespace)


def config_values(live: ClusterSnapshot, name: str, key: str) -> tuple[str, ...]:
    """Return the values that a key had before: as applied, or where earlier templates looked."""
    if sensitive_name(key):
        return ()
    now = live.config_map(name)
    current_names = set(live.config_map_names)
    earlier = dict.fromkeys(
        other
        for template in live.earlier_templates
        for other in config_map_references(template)
        if other and other not in current_names
    )
    found: list[Mapping[str, str]] = [unstructured.strings(live.last_applied_config(name), "data")]
    found += [live.config_map(other) for other in earlier]
    return tuple(
        value
        for value in _distinct((data.get(key) for data in found), now.get(key))
        if not sensitive_value(value)
    )


def config_hosts(live: ClusterSnapshot, name: str, key: str) -> tuple[str, ...]:
    """Return the current value with hosts that exist, where it names some that do not."""
    value = live.config_map(name).get(key)
    if not value or sensitive_name(key) or sensitive_value(value):
        return ()
    return replaced_hosts(key, value, live.service_names, live.target.namespace)


def replica_counts(live: ClusterSnapshot) -> tuple[int, ...]:
    """Return the numbers of replicas, above zero, that were wanted before."""
    applied = unstructured.number(live.last_applied(live.target), "spec", "replicas")
    found = (*(r.replicas for r in live.revisions), applied)
    return tuple(n for n in _distinct(found, live.replicas.desired) if n > 0)


def probe_values(live: ClusterSnapshot, container: str, kind: str, field: str) -> tuple[Any, ...]:
    """Return the values that one field of a probe had before; for a port also what is declared."""
    now = live.container(container)
    probe = now.probes.get(kind) if now else None
    if (
        now is None
        or probe is None
        or (field not in views.PROBE_TIMINGS and probe.handler == "exec")
    ):
        return ()
    found = [
        getattr(view.probes[kind], field)
        for view in earlier_containers(live, container)
        if kind in view.probes and view.probes[kind].handler == probe.handler
    ]
    if field == "port":
        found += [port.number for port in now.ports]
    return _distinct(found, getattr(probe, field))


def target_ports(live: ClusterSnapshot) -> tuple[int | str, ...]:
    """Return the ports that the target's containers declare, by number and by name."""
    ports = [port for view in live.containers for port in view.ports]
    names = [port.name for port in ports if port.name]
    return tuple(dict.fromkeys([*(port.number for port in ports), *names]))


def autoscaling(live: ClusterSnapshot, key: ObjectRef) -> dict[str, int]:
    """Return the bounds that the owner of an autoscaler last applied, by field."""
    applied = live.last_applied(key)
    found = {
        "min_replicas": unstructured.number(applied, "spec", "minReplicas"),
        "max_replicas": unstructured.number(applied, "spec", "maxReplicas"),
    }
    return {name: value for name, value in found.items() if value > 0}


def quota(live: ClusterSnapshot, key: ObjectRef, name: str) -> str | None:
    """Return the amount that the owner of a quota last applied."""
    found = unstructured.mapping(live.last_applied(key), "spec", "hard").get(name)
    return None if found is None else views.quota(name, found)


def selector_of(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that a node must have for the pods of a template."""
    return unstructured.strings(template, "spec", "nodeSelector")


def node_labels(live: ClusterSnapshot, key: str) -> tuple[str | None, ...]:
    """Return what a label of the node selector may become; None means that it is left out.

    What earlier templates asked for, and nothing where no node has what is asked for now.
    """
    now = live.node_selector.get(key)
    found = [selector_of(template).get(key) for template in live.earlier_templates]
    if now is not None and live.node_labels is not None and (key, now) not in live.node_labels:
        found.append(None)
    return tuple(value for value in dict.fromkeys(found) if value != now)


def commands(live: ClusterSnapshot, container: str, field: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands or arguments that a container had before, without what looks secret."""
    now = live.container(container)
    current = getattr(now, field) if now else None
    found = (getattr(view, field) for view in earlier_containers(live, container))
    return tuple(words for words in _distinct(found, current) if not sensitive_command(words))

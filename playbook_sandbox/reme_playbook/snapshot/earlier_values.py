"""Where new values may come from: no text of a model becomes a value in the cluster.

A value is written if an earlier revision had it, if its owner applied it, or if it is the name of
something that exists. Only numbers are new, and those have bounds. A revision that was abandoned as
bad gives no values, and neither does what was applied to make it; but the number of replicas is no
part of a revision, so that the applied one counts in any case.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.missing_hosts import repaired_values
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.sensitive import sensitive_command, sensitive_name, sensitive_value
from reme_playbook.snapshot.snapshot import ClusterSnapshot, config_map_references


def _distinct(values: Iterable[Any], current: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(v for v in values if v is not None and v != current))


def in_none(snapshot: ClusterSnapshot) -> str:
    """Return, for messages, where a value that may not be written does not come from."""
    excluded = " that was not abandoned as bad" if snapshot.abandoned else ""
    return f"in no earlier revision{excluded}"


def earlier_containers(snapshot: ClusterSnapshot, name: str) -> tuple[views.ContainerView, ...]:
    """Return that container in earlier templates, newest first."""
    return snapshot.earlier_containers.get(name, ())


def images(snapshot: ClusterSnapshot, container: str) -> tuple[str, ...]:
    """Return the images that the container had before."""
    view = snapshot.container(container)
    earlier = (e.image or None for e in earlier_containers(snapshot, container))
    return _distinct(earlier, view.image if view else None)


def resources(snapshot: ClusterSnapshot, container: str, field: str) -> tuple[str, ...]:
    """Return the amounts that a limit or request had before."""
    view = snapshot.container(container)
    earlier = (getattr(e.resources, field) for e in earlier_containers(snapshot, container))
    return _distinct(earlier, getattr(view.resources, field) if view else None)


def env_values(snapshot: ClusterSnapshot, container: str, variable: str) -> tuple[str, ...]:
    """Return the literal values that a variable had before, without possible secrets."""
    if sensitive_name(variable):
        return ()
    view = snapshot.container(container)
    earlier = (e.env.get(variable) for e in earlier_containers(snapshot, container))
    values = _distinct(earlier, view.env.get(variable) if view else None)
    return tuple(value for value in values if not sensitive_value(value))


def env_hosts(snapshot: ClusterSnapshot, container: str, variable: str) -> tuple[str, ...]:
    """Return the current value with existing Services in place of missing ones."""
    return repaired_values(snapshot, Mention(container, variable))


def config_values(snapshot: ClusterSnapshot, name: str, key: str) -> tuple[str, ...]:
    """Return earlier values of a key: as applied, or of ConfigMaps of earlier templates."""
    if sensitive_name(key):
        return ()
    current_names = set(snapshot.config_map_names)
    earlier_names = dict.fromkeys(
        other
        for template in snapshot.earlier_templates
        for other in config_map_references(template)
        if other and other not in current_names
    )
    earlier: list[Mapping[str, str]] = [
        unstructured.strings(snapshot.last_applied_config(name), "data"),
        *(snapshot.config_map(other) for other in earlier_names),
    ]
    values = _distinct((data.get(key) for data in earlier), snapshot.config_map(name).get(key))
    return tuple(value for value in values if not sensitive_value(value))


def config_hosts(snapshot: ClusterSnapshot, name: str, key: str) -> tuple[str, ...]:
    """Return the current value with existing Services in place of missing ones."""
    return repaired_values(snapshot, Mention("", key, name))


def replica_counts(snapshot: ClusterSnapshot) -> tuple[int, ...]:
    """Return the numbers of replicas above zero that were desired before."""
    applied = unstructured.number(snapshot.last_applied(snapshot.target), "spec", "replicas")
    good = (r for r in snapshot.revisions if digest(r.template) not in snapshot.abandoned)
    earlier = (*(r.replicas for r in good), applied)
    return tuple(n for n in _distinct(earlier, snapshot.replicas.desired) if n > 0)


def probe_values(
    snapshot: ClusterSnapshot, container: str, kind: str, field: str
) -> tuple[Any, ...]:
    """Return earlier values of a field of a probe; for a port also the declared ports."""
    view = snapshot.container(container)
    probe = view.probes.get(kind) if view else None
    if view is None or probe is None:
        return ()
    if field not in views.PROBE_TIMINGS and probe.handler == "exec":
        return ()
    values = [
        getattr(earlier.probes[kind], field)
        for earlier in earlier_containers(snapshot, container)
        if kind in earlier.probes and earlier.probes[kind].handler == probe.handler
    ]
    if field == "port":
        values += [port.number for port in view.ports]
    return _distinct(values, getattr(probe, field))


def target_ports(snapshot: ClusterSnapshot) -> tuple[int | str, ...]:
    """Return the ports that the target's containers declare, by number and by name."""
    ports = [port for container in snapshot.containers for port in container.ports]
    names = [port.name for port in ports if port.name]
    return tuple(dict.fromkeys([*(port.number for port in ports), *names]))


def autoscaling(snapshot: ClusterSnapshot, key: ObjectRef) -> dict[str, int]:
    """Return the bounds that the owner of an autoscaler last applied, by field."""
    applied = snapshot.last_applied(key)
    bounds = {
        "min_replicas": unstructured.number(applied, "spec", "minReplicas"),
        "max_replicas": unstructured.number(applied, "spec", "maxReplicas"),
    }
    return {name: value for name, value in bounds.items() if value > 0}


def quota(snapshot: ClusterSnapshot, key: ObjectRef, name: str) -> str | None:
    """Return the amount that the owner of a quota last applied."""
    amount = unstructured.mapping(snapshot.last_applied(key), "spec", "hard").get(name)
    return None if amount is None else views.quota(name, amount)


def selector_of(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the node selector of a pod template."""
    return unstructured.strings(template, "spec", "nodeSelector")


def node_labels(snapshot: ClusterSnapshot, key: str) -> tuple[str | None, ...]:
    """Return earlier values of a label of the node selector; None means to remove the label.

    It may be removed if no node has the present value.
    """
    current = snapshot.node_selector.get(key)
    values = [selector_of(template).get(key) for template in snapshot.earlier_templates]
    labels = snapshot.node_labels
    if current is not None and labels is not None and (key, current) not in labels:
        values.append(None)
    return tuple(value for value in dict.fromkeys(values) if value != current)


def commands(snapshot: ClusterSnapshot, container: str, field: str) -> tuple[tuple[str, ...], ...]:
    """Return earlier commands or arguments of a container, without possible secrets."""
    view = snapshot.container(container)
    earlier = (getattr(e, field) for e in earlier_containers(snapshot, container))
    values = _distinct(earlier, getattr(view, field) if view else None)
    return tuple(words for words in values if not sensitive_command(words))

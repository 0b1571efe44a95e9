"""Which Services and workloads are related to a target: by labels, or by name."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Callee, ClusterSnapshot

Json = Mapping[str, Any]

_MAX_SERVICES = 32


def related_services(
    services: Sequence[Json], labels: Mapping[str, str], target: str, text: str
) -> list[Json]:
    """Return the Services that share a label with these pods, or that the text names.

    `text` is what the target's template and report say.
    """

    def is_related(service: Json) -> bool:
        selector = unstructured.strings(service, "spec", "selector")
        name = unstructured.text(service, "metadata", "name")
        shared = any(labels.get(key) == value for key, value in selector.items())
        return shared or name in text or name.startswith(target) or target in name

    return [service for service in services if is_related(service)][:_MAX_SERVICES]


def callers(
    workloads: Sequence[Json], services: Sequence[Json], snapshot: ClusterSnapshot
) -> tuple[ObjectRef, ...]:
    """Return the workloads whose templates name a Service of the target."""
    own = [
        unstructured.text(s, "metadata", "name")
        for s in services
        if _selects(s, snapshot.pod_labels)
    ]
    workload_refs = [
        key
        for item in workloads
        for key in _key(unstructured.text(item, "kind"), snapshot.target.namespace, item)
        if key != snapshot.target and any(_names(_settings(item), [name]) for name in own)
    ]
    return tuple(sorted(workload_refs))


def callees(services: Sequence[Json], snapshot: ClusterSnapshot) -> tuple[Callee, ...]:
    """Return the Services that the target's template or ConfigMaps name, and where these lead."""
    config = [
        text for name in snapshot.config_map_names for text in snapshot.config_map(name).values()
    ]
    settings = " ".join([_settings(snapshot.workload), *config])
    named = []
    for item in services:
        view = views.service(item, {})
        if (
            view.selector
            and not _selects(item, snapshot.pod_labels)
            and _names(settings, [view.name])
        ):
            ports = tuple(dict.fromkeys(port.target_port for port in view.ports))
            named.append(Callee(view.name, view.selector, ports))
    return tuple(sorted(named, key=lambda callee: callee.service))


def _settings(workload: Json) -> str:
    """Return command, arguments and variables of a workload, as one text to search in."""
    spec = unstructured.mapping(workload, "spec", "template", "spec")
    settings = [
        {key: container.get(key) for key in ("command", "args", "env")}
        for container in (
            *unstructured.items(spec, "containers"),
            *unstructured.items(spec, "initContainers"),
        )
    ]
    return json.dumps(settings)


def _names(text: str, names: Iterable[str]) -> bool:
    # Whole words only: `cart-db` does not name `cart`.
    return any(re.search(rf"(?<![-A-Za-z0-9]){re.escape(n)}(?![-A-Za-z0-9])", text) for n in names)


def _selects(service: Json, labels: Mapping[str, str]) -> bool:
    return views.selects(unstructured.strings(service, "spec", "selector"), labels)


def _key(kind: str, namespace: str, item: Json) -> Iterator[ObjectRef]:
    try:
        yield ObjectRef(kind, namespace, unstructured.text(item, "metadata", "name"))  # type: ignore[arg-type]
    except ValidationError:
        return  # no action can name it

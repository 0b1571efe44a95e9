"""Which Services and workloads have to do with a target: by labels, and by what names what."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Callee, ClusterSnapshot

Json = Mapping[str, Any]

_MOST_SERVICES = 32


def related_services(
    services: Sequence[Json], labels: Mapping[str, str], target: str, words: str
) -> list[Json]:
    """Return the Services that reach pods with these labels, nearly do, or are spoken of."""

    def close(service: Json) -> bool:
        selector = unstructured.strings(service, "spec", "selector")
        name = unstructured.text(service, "metadata", "name")
        shared = any(labels.get(key) == value for key, value in selector.items())
        return shared or name in words or name.startswith(target) or target in name

    return [service for service in services if close(service)][:_MOST_SERVICES]


def callers(
    workloads: Sequence[Json], services: Sequence[Json], live: ClusterSnapshot
) -> tuple[ObjectRef, ...]:
    """Return the workloads whose templates name a Service of the target."""
    own = [
        unstructured.text(s, "metadata", "name") for s in services if _leads_to(s, live.pod_labels)
    ]
    found = [
        key
        for item in workloads
        for key in _key(unstructured.text(item, "kind"), live.target.namespace, item)
        if key != live.target and any(_names(_settings(item), [name]) for name in own)
    ]
    return tuple(sorted(found))


def callees(services: Sequence[Json], live: ClusterSnapshot) -> tuple[Callee, ...]:
    """Return the Services that the target's template or ConfigMaps name, and where they lead."""
    config = [text for name in live.config_map_names for text in live.config_map(name).values()]
    said = " ".join([_settings(live.workload), *config])
    found = []
    for item in services:
        view = views.service(item, {})
        if view.selector and not _leads_to(item, live.pod_labels) and _names(said, [view.name]):
            ports = tuple(dict.fromkeys(port.target_port for port in view.ports))
            found.append(Callee(view.name, view.selector, ports))
    return tuple(sorted(found, key=lambda callee: callee.service))


def _settings(workload: Json) -> str:
    """Return what the containers of a workload are told, as one text to look names up in."""
    spec = unstructured.mapping(workload, "spec", "template", "spec")
    told = [
        {key: container.get(key) for key in ("command", "args", "env")}
        for container in (
            *unstructured.items(spec, "containers"),
            *unstructured.items(spec, "initContainers"),
        )
    ]
    return json.dumps(told)


def _names(text: str, names: Iterable[str]) -> bool:
    # As a whole word: `cart` is not named by `cart-db`.
    return any(re.search(rf"(?<![-A-Za-z0-9]){re.escape(n)}(?![-A-Za-z0-9])", text) for n in names)


def _leads_to(service: Json, labels: Mapping[str, str]) -> bool:
    return views.selects(unstructured.strings(service, "spec", "selector"), labels)


def _key(kind: str, namespace: str, item: Json) -> Iterator[ObjectRef]:
    try:
        yield ObjectRef(kind, namespace, unstructured.text(item, "metadata", "name"))  # type: ignore[arg-type]
    except ValidationError:
        return  # a name that no action could be about

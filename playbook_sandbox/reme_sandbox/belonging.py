"""Whether an object belongs to the target: what is not its own, a run leaves alone."""

import re
from collections.abc import Mapping

from reme_sandbox import raw, views
from reme_sandbox.hosts import similarity
from reme_sandbox.keys import ObjectKey
from reme_sandbox.live import LiveState

_ALIKE = 0.6
_NEARLY_EQUAL = 0.75


def belongs(key: ObjectKey, live: LiveState) -> bool:
    """Return whether the object is the target, or a pod, Service or ConfigMap of it."""
    if key.namespace != live.target.namespace:
        return False
    match key.kind:
        case "Pod":
            return _owns_pod(live, key)
        case "ConfigMap":
            return key.name in live.config_map_names
        case "Service":
            return _is_service_of(live, key.name)
        case _:
            return key == live.target


def _owns_pod(live: LiveState, key: ObjectKey) -> bool:
    pod = live.objects.get(key, {})
    wanted = raw.strings(live.workload, "spec", "selector", "matchLabels")
    labels = raw.strings(pod, "metadata", "labels")
    if not wanted or any(labels.get(name) != value for name, value in wanted.items()):
        return False
    owner = next(
        (o for o in raw.items(pod, "metadata", "ownerReferences") if o.get("controller") is True),
        {},
    )
    kind, name = raw.text(owner, "kind"), raw.text(owner, "name")
    if live.target.kind == "Deployment":
        # Its pods belong to a ReplicaSet, which is named after it and the hash of the template.
        hashed = labels.get("pod-template-hash", "")
        return kind == "ReplicaSet" and bool(hashed) and name == f"{live.target.name}-{hashed}"
    return kind == live.target.kind and name == live.target.name


def reached(selector: Mapping[str, str], live: LiveState) -> tuple[ObjectKey, ...]:
    """Return the workloads beside the target that a Service with this selector reaches."""
    return tuple(
        sorted(
            key
            for key, labels in live.neighbours.items()
            if key != live.target and views.selects(selector, labels)
        )
    )


def _is_service_of(live: LiveState, name: str) -> bool:
    """Return whether the Service reaches the target alone, or evidently should."""
    service = live.service(name)
    if service is None or service.type == "ExternalName" or not service.selector:
        # Without a selector somebody else keeps the endpoints.
        return False
    if reached(service.selector, live):
        return False
    return service.selects_target or _named_after(live, name) or _nearly(live, service.selector)


def _named_after(live: LiveState, name: str) -> bool:
    own = _likeness(name, live.target.name)
    others = [_likeness(name, key.name) for key in live.neighbours if key != live.target]
    return own >= _ALIKE and all(own > other for other in others)


def _likeness(service: str, workload: str) -> float:
    plain = re.sub(r"-?(svc|service|headless|external|internal|lb)$", "", service) or service
    return max(similarity(service, workload), similarity(plain, workload))


def _nearly(live: LiveState, selector: Mapping[str, str]) -> bool:
    def likeness(labels: Mapping[str, str]) -> float:
        return max(
            (similarity(v, labels[k]) for k, v in selector.items() if k in labels), default=0
        )

    own = likeness(live.pod_labels)
    others = [likeness(labels) for key, labels in live.neighbours.items() if key != live.target]
    return own >= _NEARLY_EQUAL and all(own > other for other in others)

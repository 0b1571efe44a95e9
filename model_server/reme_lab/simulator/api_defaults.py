"""What the API server fills in, as far as actions write it or an undo brings it back."""

from collections.abc import Mapping
from typing import Any

from reme_lab.simulator.identity_cache import cache_by_identity
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.views import PROBE_KEYS

Json = Mapping[str, Any]

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


@cache_by_identity
def with_defaults(template: Json) -> Json:
    """Return a pod template with its defaults; the same object where there is nothing to add."""
    containers = unstructured.items(template, "spec", "containers")
    filled = [_container(container) for container in containers]
    if all(new is old for new, old in zip(filled, containers, strict=True)):
        return template
    return {**template, "spec": {**unstructured.mapping(template, "spec"), "containers": filled}}


def _container(container: Json) -> Json:
    changes: dict[str, Any] = {}
    ports = unstructured.items(container, "ports")
    if any("protocol" not in port for port in ports):
        changes["ports"] = [{"protocol": "TCP", **port} for port in ports]
    for key in PROBE_KEYS.values():
        probe = unstructured.mapping(container, key)
        if probe and not _PROBE.keys() <= probe.keys():
            changes[key] = {**_PROBE, **probe}
    return {**container, **changes} if changes else container


def workload_with_defaults(kind: str, found: Json) -> Json:
    """Return a workload with the defaults of its spec and its template."""
    spec = dict(unstructured.mapping(found, "spec"))
    if kind == "Deployment":
        spec.setdefault("strategy", _ROLLING)
    if kind != "DaemonSet":
        spec.setdefault("replicas", 1)
    spec["template"] = with_defaults(unstructured.mapping(spec, "template"))
    return {**found, "spec": spec}

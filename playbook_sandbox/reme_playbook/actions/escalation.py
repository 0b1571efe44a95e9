"""Whether a pod template has more privilege than another: no repair needs that."""

from collections.abc import Mapping
from typing import Any

from reme_playbook.snapshot import unstructured

_UNCHANGEABLE = (
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostUsers",
    "nodeName",
    "runtimeClassName",
    "priorityClassName",
)


def escalated_privilege(present: Mapping[str, Any], earlier: Mapping[str, Any]) -> str:
    """Return which privilege an earlier template has and the present one lacks; empty for none.

    The run admission policy refuses the same; this says so before a run, and in words.
    """
    old, new = unstructured.mapping(present, "spec"), unstructured.mapping(earlier, "spec")
    for key in _UNCHANGEABLE:
        if old.get(key) != new.get(key):
            return f"another {key}"
    volumes = unstructured.items(old, "volumes")
    if any(
        "hostPath" in volume and volume not in volumes
        for volume in unstructured.items(new, "volumes")
    ):
        return "a volume of the node"
    before = {unstructured.text(c, "name"): c.get("securityContext") for c in _containers(old)}
    for container in _containers(new):
        context = container.get("securityContext")
        name = unstructured.text(container, "name")
        if _is_privileged(context) and not (name in before and before[name] == context):
            return f"more privilege for container {name}"
    return ""


def _containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*unstructured.items(spec, "containers"), *unstructured.items(spec, "initContainers")]


def _is_privileged(context: Any) -> bool:
    return (
        unstructured.at(context, "privileged") is True
        or bool(unstructured.at(context, "capabilities", "add"))
        or unstructured.at(context, "procMount") not in (None, "Default")
    )

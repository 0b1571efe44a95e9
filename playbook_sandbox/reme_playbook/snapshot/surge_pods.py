"""A new pod that waits for the place of an older one, so that a rollout stands still.

With a surge the new pod is made first. Where only one pod can have a place, such as a port of the
node or a volume, it waits for ever: the older pod goes only when the new one is ready. Where the
older pod would not make room, as for a node selector that no node has, nothing is returned.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.quantity import cpu_millicores, memory_bytes
from reme_playbook.snapshot.snapshot import ClusterSnapshot

HASH_LABEL = "pod-template-hash"
_MULTI_ATTACH = "Multi-Attach error"


class WaitingSurge(NamedTuple):
    """A new pod that waits, the older pod that holds its place, and what that place is."""

    pod: str
    holder: str
    place: str


def waiting_surge(snapshot: ClusterSnapshot) -> WaitingSurge | None:
    """Return the first new pod of a Deployment that waits for what an older pod of it holds."""
    if snapshot.target.kind != "Deployment":
        return None
    pods = [
        pod
        for key, pod in sorted(snapshot.objects.items())
        if key.kind == "Pod" and not unstructured.text(pod, "metadata", "deletionTimestamp")
    ]
    for pod in pods:
        older = [
            other
            for other in pods
            if _hash(other) != _hash(pod)
            and views.pod(other).ready
            and _created(other) <= _created(pod)
        ]
        for holder in older:
            for place in _places(pod, holder, snapshot):
                return WaitingSurge(_name(pod), _name(holder), place)
    return None


def rolls_out(snapshot: ClusterSnapshot) -> bool:
    """Return whether pods of an older template are still there."""
    hashes = {_hash(pod) for key, pod in snapshot.objects.items() if key.kind == "Pod"}
    return snapshot.replicas.current > snapshot.replicas.updated or len(hashes - {""}) > 1


def _places(
    pod: Mapping[str, Any], holder: Mapping[str, Any], snapshot: ClusterSnapshot
) -> Iterator[str]:
    """Yield what the pod waits for and the holder has."""
    message = views.pod(pod).unscheduled
    if not message:
        if any(
            event.name == _name(pod) and _MULTI_ATTACH in event.message for event in snapshot.events
        ):
            yield "its volume"
        return
    if _node_rules(pod) != _node_rules(holder):
        return  # the node of the older pod may not suit the new one
    if "free ports" in message:
        for port in sorted(_host_ports(pod) & _host_ports(holder)):
            yield f"hostPort {port}"
    if "anti-affinity" in message:
        yield "the place that anti-affinity leaves"
    if "ReadWriteOncePod" in message or "already in-use by another pod" in message:
        yield "its volume"
    if "Too many pods" in message:
        yield "the last place for a pod"
    for resource in ("cpu", "memory"):
        needed = _requested(pod, resource)
        if f"Insufficient {resource}" in message and 0 < needed <= _requested(holder, resource):
            yield f"the {resource} of its node"


def _node_rules(pod: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        unstructured.at(pod, "spec", "nodeSelector") or None,
        unstructured.at(pod, "spec", "affinity", "nodeAffinity") or None,
        unstructured.at(pod, "spec", "tolerations") or None,
    )


def _host_ports(pod: Mapping[str, Any]) -> set[int]:
    return {
        number
        for container in _containers(pod)
        for port in unstructured.items(container, "ports")
        if (number := unstructured.number(port, "hostPort"))
    }


def _requested(pod: Mapping[str, Any], resource: str) -> int:
    amounts = (views.resources(container) for container in _containers(pod))
    texts = (
        getattr(a, f"{resource}_request") or getattr(a, f"{resource}_limit") or "0" for a in amounts
    )
    return sum((cpu_millicores if resource == "cpu" else memory_bytes)(text) for text in texts)


def _containers(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return unstructured.items(pod, "spec", "containers")


def _hash(pod: Mapping[str, Any]) -> str:
    return unstructured.text(pod, "metadata", "labels", HASH_LABEL)


def _name(pod: Mapping[str, Any]) -> str:
    return unstructured.text(pod, "metadata", "name")


def _created(pod: Mapping[str, Any]) -> str:
    return unstructured.text(pod, "metadata", "creationTimestamp")

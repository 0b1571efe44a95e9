"""Reads the state of pods and their endpoints."""

from collections.abc import Iterable, Mapping
from typing import Any

from reme_benchmark.kube.cluster import Object
from reme_benchmark.scoring import field_paths
from reme_benchmark.scoring.snapshot import controller, ready

_STARTING = frozenset(("ContainerCreating", "PodInitializing"))


def restarts(pod: Object) -> int:
    """Return how often the containers of a pod restarted."""
    return sum(int(s.get("restartCount") or 0) for s in statuses(pod))


def statuses(pod: Object) -> list[Object]:
    """Return the statuses of a pod's containers."""
    return (pod.get("status") or {}).get("containerStatuses") or []


def stuck(pod: Object) -> bool:
    """Return whether a pod cannot be scheduled, or a container waits although it should run."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    if any(c.get("type") == "PodScheduled" and c.get("status") == "False" for c in conditions):
        return True
    waiting = ((s.get("state") or {}).get("waiting") for s in statuses(pod))
    return any(w and w.get("reason") not in _STARTING for w in waiting)


def differs_from_template(pod: Object, template: Object) -> bool:
    """Return whether a pod has other images or resources than its owner's template."""
    expected = {c["name"]: c for c in template["spec"]["containers"]}
    actual = {c["name"]: c for c in pod["spec"]["containers"]}
    if pod["spec"].get("ephemeralContainers"):
        return True
    return any(
        name in actual
        and (
            actual[name].get("image") != container.get("image")
            or _resources(actual[name]) != _resources(container)
        )
        for name, container in expected.items()
        # A LimitRange may set resources of pods whose template has none.
        if container.get("resources") or actual.get(name, {}).get("image") != container.get("image")
    )


def _resources(container: Object) -> dict[field_paths.Path, Any]:
    return field_paths.flatten(container.get("resources") or {}, ("resources",))


def not_ready_reason(pod: Object) -> str:
    """Return why a pod is not ready, as its status tells."""
    for status in statuses(pod):
        state = status.get("state") or {}
        if waiting := state.get("waiting") or state.get("terminated"):
            return f"{status['name']}: {waiting.get('reason')} {waiting.get('message', '')}".strip()
    conditions = (pod.get("status") or {}).get("conditions") or ()
    failing = [c for c in conditions if c.get("status") != "True" and c.get("message")]
    return str(failing[0]["message"]) if failing else "its status gives no reason"


def owner_uid(pod: Object) -> str:
    """Return the uid of a pod's controller; empty without one."""
    reference = controller(pod)
    return str(reference["uid"]) if reference else ""


def matches(pod: Object, selector: Mapping[str, str] | None) -> bool:
    """Return whether a selector selects the pod; an empty selector selects none."""
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(k) == v for k, v in (selector or {}).items())


def selected(pods: Iterable[Object], service: Object) -> set[str]:
    """Return the names of the ready pods that a Service selects."""
    selector = (service.get("spec") or {}).get("selector")
    return {p["metadata"]["name"] for p in pods if ready(p) and matches(p, selector)}


def endpoints(slices: Iterable[Object], service: str) -> set[str]:
    """Return the names of the pods that are ready endpoints of a Service."""
    return {
        str((endpoint.get("targetRef") or {}).get("name"))
        for item in slices
        if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service
        for endpoint in item.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
    }

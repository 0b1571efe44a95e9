"""What pods tell about themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

from reme_benchmark.kube.cluster import Object
from reme_benchmark.scoring import field_paths
from reme_benchmark.scoring.snapshot import controller, ready

_STARTING = frozenset(("ContainerCreating", "PodInitializing"))


def restarts(pod: Object) -> int:
    """Return how often its containers were started again."""
    return sum(int(s.get("restartCount") or 0) for s in statuses(pod))


def statuses(pod: Object) -> list[Object]:
    """Return the states of its containers."""
    return (pod.get("status") or {}).get("containerStatuses") or []


def stuck(pod: Object) -> bool:
    """Whether it found no node, or a container waits for more than its turn."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    if any(c.get("type") == "PodScheduled" and c.get("status") == "False" for c in conditions):
        return True
    waiting = ((s.get("state") or {}).get("waiting") for s in statuses(pod))
    return any(w and w.get("reason") not in _STARTING for w in waiting)


def swapped(pod: Object, template: Object) -> bool:
    """Whether a pod runs other images or with other resources than its owner asks for."""
    asked = {c["name"]: c for c in template["spec"]["containers"]}
    found = {c["name"]: c for c in pod["spec"]["containers"]}
    if pod["spec"].get("ephemeralContainers"):
        return True
    return any(
        name in found
        and (
            found[name].get("image") != container.get("image")
            or _resources(found[name]) != _resources(container)
        )
        for name, container in asked.items()
        # A range may give resources to pods whose template says nothing.
        if container.get("resources") or found.get(name, {}).get("image") != container.get("image")
    )


def _resources(container: Object) -> dict[field_paths.Path, Any]:
    return field_paths.flatten(container.get("resources") or {}, ("resources",))


def trouble(pod: Object) -> str:
    """Return why a pod is not ready, as far as it says so."""
    for status in statuses(pod):
        state = status.get("state") or {}
        if waiting := state.get("waiting") or state.get("terminated"):
            return f"{status['name']}: {waiting.get('reason')} {waiting.get('message', '')}".strip()
    conditions = (pod.get("status") or {}).get("conditions") or ()
    bad = [c for c in conditions if c.get("status") != "True" and c.get("message")]
    return str(bad[0]["message"]) if bad else "it says nothing"


def owner(pod: Object) -> str:
    """Return the uid of what controls it, or nothing."""
    found = controller(pod)
    return str(found["uid"]) if found else ""


def matches(pod: Object, selector: Mapping[str, str] | None) -> bool:
    """Whether labels select the pod; no labels select none."""
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(k) == v for k, v in (selector or {}).items())


def selected(found: Iterable[Object], service: Object) -> set[str]:
    """Return the names of the ready pods that a Service selects."""
    selector = (service.get("spec") or {}).get("selector")
    return {p["metadata"]["name"] for p in found if ready(p) and matches(p, selector)}


def endpoints(slices: Iterable[Object], service: str) -> set[str]:
    """Return the names of the pods that a Service leads to and that are ready."""
    return {
        str((endpoint.get("targetRef") or {}).get("name"))
        for item in slices
        if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service
        for endpoint in item.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready", True)
    }

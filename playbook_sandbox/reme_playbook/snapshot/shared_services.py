"""Services that select pods of several workloads: by design, or because a label is missing.

Variants of one program share a Service by design: a canary, a blue and a green version. Another
component does not: it has another name in its labels, another image, or not the port that the
Service leads to. A headless Service may span components to let them discover each other.
"""

from collections.abc import Mapping

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.siblings import Sibling, repository
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ServiceView

_COMPONENT_LABELS = (
    "app.kubernetes.io/component",
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "component",
)


def selected_workloads(
    selector: Mapping[str, str], snapshot: ClusterSnapshot
) -> tuple[ObjectRef, ...]:
    """Return the neighbours of the target whose pods this selector of a Service selects."""
    return tuple(
        sorted(
            key
            for key, labels in snapshot.neighbours.items()
            if key != snapshot.target and views.selects(selector, labels)
        )
    )


def unintended_workloads(service: ServiceView, snapshot: ClusterSnapshot) -> tuple[ObjectRef, ...]:
    """Return the other workloads that a Service of the target selects too, if by mistake.

    Empty if it selects only the target, does not select it, or one of them may be meant.
    """
    others = selected_workloads(service.selector, snapshot)
    if not service.selects_target or not others or _spans_workloads_by_design(service, snapshot):
        return ()
    mistaken = all(_is_another_component(other, service, snapshot) for other in others)
    return others if mistaken else ()


def narrowing_labels(service: ServiceView, snapshot: ClusterSnapshot) -> dict[str, str]:
    """Return the fewest labels of the target with which the Service selects no other workload.

    Empty if there are none.
    """
    own = snapshot.pod_labels
    matched = unstructured.strings(snapshot.workload, "spec", "selector", "matchLabels")
    order = dict.fromkeys([*_COMPONENT_LABELS, *sorted(matched), *sorted(own)])
    new = [key for key in order if key in own and key not in service.selector]
    for key in new:
        if not selected_workloads({**service.selector, key: own[key]}, snapshot):
            return {key: own[key]}
    together = {key: own[key] for key in new if key in matched}
    if together and not selected_workloads({**service.selector, **together}, snapshot):
        return together
    return {}


def _spans_workloads_by_design(service: ServiceView, snapshot: ClusterSnapshot) -> bool:
    key = ObjectRef("Service", snapshot.target.namespace, service.name)
    spec = unstructured.mapping(snapshot.objects.get(key, {}), "spec")
    return spec.get("clusterIP") == "None" or spec.get("publishNotReadyAddresses") is True


def _is_another_component(ref: ObjectRef, service: ServiceView, snapshot: ClusterSnapshot) -> bool:
    own, theirs = snapshot.pod_labels, snapshot.neighbours[ref]
    if any(key in own and key in theirs and own[key] != theirs[key] for key in _COMPONENT_LABELS):
        return True
    sibling = snapshot.siblings.get(ref)
    if sibling is None:
        return False
    images = {repository(container.image) for container in snapshot.containers}
    if not any(repository(container.image) in images for container in sibling.containers):
        return True
    ports = [port.target_port for port in service.ports]
    target = Sibling(snapshot.containers, healthy=True)
    return (
        bool(ports)
        and any(_declares(target, p) for p in ports)
        and not any(_declares(sibling, port) for port in ports)
    )


def _declares(sibling: Sibling, port: int | str) -> bool:
    return any(
        port in (declared.number, declared.name)
        for container in sibling.containers
        for declared in container.ports
    )

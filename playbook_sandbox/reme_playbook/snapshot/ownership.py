"""Which objects belong to the target: a run changes no others."""

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.service_hosts import similarity
from reme_playbook.snapshot.shared_services import selected_workloads, unintended_workloads
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_SIMILAR = 0.6
_NEARLY_EQUAL = 0.75


def belongs_to_target(key: ObjectRef, snapshot: ClusterSnapshot) -> bool:
    """Return whether the object is the target, one of its own, or one that constrains it."""
    if key.kind != "Node" and key.namespace != snapshot.target.namespace:
        return False
    return _scope(key.kind).contains(snapshot, key)


def scope_of_kind(kind: str) -> str:
    """Return in words which objects of a kind belong to a target."""
    return _scope(kind).description


def distinguishing_labels(snapshot: ClusterSnapshot, workload: ObjectRef) -> Mapping[str, str]:
    """Return the fewest labels that select this neighbour's pods and those of no other."""
    labels = snapshot.neighbours[workload]
    for key in ("app.kubernetes.io/name", "app", *sorted(labels)):
        if key in labels and selected_workloads({key: labels[key]}, snapshot) == (workload,):
            return {key: labels[key]}
    return dict(labels)


def named_after(snapshot: ClusterSnapshot, name: str) -> bool:
    """Return whether a name is similar to the target's, and more so than to any neighbour's."""
    own = _similarity(name, snapshot.target.name)
    others = [_similarity(name, key.name) for key in snapshot.neighbours if key != snapshot.target]
    return own >= _SIMILAR and all(own > other for other in others)


def _similarity(service: str, workload: str) -> float:
    plain = re.sub(r"-?(svc|service|headless|external|internal|lb)$", "", service) or service
    return max(similarity(service, workload), similarity(plain, workload))


def _controls_pod(snapshot: ClusterSnapshot, key: ObjectRef) -> bool:
    pod = snapshot.objects.get(key, {})
    selector = unstructured.strings(snapshot.workload, "spec", "selector", "matchLabels")
    labels = unstructured.strings(pod, "metadata", "labels")
    if not selector or any(labels.get(name) != value for name, value in selector.items()):
        return False
    owners = unstructured.items(pod, "metadata", "ownerReferences")
    owner = next((o for o in owners if o.get("controller") is True), {})
    kind, name = unstructured.text(owner, "kind"), unstructured.text(owner, "name")
    target = snapshot.target
    if target.kind == "Deployment":
        # Its pods belong to a ReplicaSet, which is named after it and the hash of the template.
        template_hash = labels.get("pod-template-hash", "")
        return (
            kind == "ReplicaSet"
            and bool(template_hash)
            and name == (f"{target.name}-{template_hash}")
        )
    return kind == target.kind and name == target.name


def _is_service_of(snapshot: ClusterSnapshot, key: ObjectRef) -> bool:
    service = snapshot.service(key.name)
    if service is None or service.type == "ExternalName" or not service.selector:
        # Without a selector somebody else maintains the endpoints.
        return False
    if selected_workloads(service.selector, snapshot):
        mistaken = unintended_workloads(service, snapshot)
        return bool(mistaken) and named_after(snapshot, key.name)
    return (
        service.selects_target
        or named_after(snapshot, key.name)
        or _nearly_selects(snapshot, service.selector)
    )


def _nearly_selects(snapshot: ClusterSnapshot, selector: Mapping[str, str]) -> bool:
    def closeness(labels: Mapping[str, str]) -> float:
        return max(
            (similarity(v, labels[k]) for k, v in selector.items() if k in labels), default=0
        )

    neighbours = snapshot.neighbours.items()
    own = closeness(snapshot.pod_labels)
    others = [closeness(labels) for key, labels in neighbours if key != snapshot.target]
    return own >= _NEARLY_EQUAL and all(own > other for other in others)


def _scales_target(snapshot: ClusterSnapshot, key: ObjectRef) -> bool:
    scaled = (snapshot.target.kind, snapshot.target.name)
    return any(a.name == key.name and (a.kind, a.scales) == scaled for a in snapshot.autoscalers)


def _selects_target_alone(snapshot: ClusterSnapshot, key: ObjectRef) -> bool:
    budget = next((b for b in snapshot.budgets if b.name == key.name), None)
    return (
        budget is not None
        and budget.selector.matches(snapshot.pod_labels)
        and not any(budget.selector.matches(labels) for labels in snapshot.neighbours.values())
    )


def _is_job_of(snapshot: ClusterSnapshot, key: ObjectRef) -> bool:
    name = key.name
    if not any(job.name == name for job in snapshot.jobs):
        return False
    template = json.dumps(snapshot.template)
    mentioned = re.search(rf"(?<![-a-z0-9]){re.escape(name)}(?![-a-z0-9])", template)
    # As `cart-migration` is cart's, unless there is a workload `cart-migration` too.
    others = [neighbour.name for neighbour in snapshot.neighbours]
    prefixed = name.startswith(f"{snapshot.target.name}-") and not any(map(name.startswith, others))
    return mentioned is not None or prefixed or named_after(snapshot, name)


class _Scope(NamedTuple):
    contains: Callable[[ClusterSnapshot, ObjectRef], bool]
    description: str


def _scope(kind: str) -> _Scope:
    return _SCOPES.get(kind, _TARGET)


_TARGET = _Scope(
    lambda snapshot, key: key == snapshot.target,
    "of workloads, only the target itself may be changed",
)
_SCOPES: Mapping[str, _Scope] = {
    "Pod": _Scope(_controls_pod, "only pods that it controls may be deleted"),
    "ConfigMap": _Scope(
        lambda snapshot, key: key.name in snapshot.config_map_names,
        "only ConfigMaps that its pod template refers to may be changed",
    ),
    "Service": _Scope(
        _is_service_of,
        "only Services that select no other workload, and that select its pods or evidently "
        "should, may be changed; of a Service that is named after it and also selects another "
        "component by mistake, only the selector",
    ),
    "HorizontalPodAutoscaler": _Scope(
        _scales_target, "only an autoscaler that scales it may be changed"
    ),
    # Whether a quota limits the target, and which paths of an Ingress lead to it, is checked by
    # the actions on them.
    "ResourceQuota": _Scope(
        lambda snapshot, key: any(quota.name == key.name for quota in snapshot.quotas),
        "only quotas of its namespace may be changed",
    ),
    "Ingress": _Scope(
        lambda snapshot, key: any(ingress.name == key.name for ingress in snapshot.ingresses),
        "only Ingresses of its namespace may be changed",
    ),
    "PodDisruptionBudget": _Scope(
        _selects_target_alone, "only budgets that select its pods and no others may be changed"
    ),
    "NetworkPolicy": _Scope(
        lambda snapshot, key: any(policy.name == key.name for policy in snapshot.network_policies),
        "only policies that select its pods may be changed",
    ),
    "Job": _Scope(
        _is_job_of, "only Jobs that its template names, or that are named after it, may be changed"
    ),
    "Node": _Scope(
        lambda snapshot, key: (
            snapshot.has_unschedulable_pods
            and any(node.name == key.name for node in snapshot.nodes)
        ),
        "only nodes that refuse pods may be changed, while no node takes pods of it",
    ),
}

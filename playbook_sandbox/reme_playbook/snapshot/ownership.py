"""Whether an object belongs to the target: what is not its own, a run leaves alone."""

import json
import re
from collections.abc import Callable, Mapping

from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.service_hosts import similarity
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_ALIKE = 0.6
_NEARLY_EQUAL = 0.75


def belongs_to_target(key: ObjectRef, live: ClusterSnapshot) -> bool:
    """Return whether the object is the target, one of its own, or one that holds it back."""
    if key.kind == "Node":
        # Nobody owns a node: it is near while the target has pods that no node takes.
        return live.has_unschedulable_pods and any(node.name == key.name for node in live.nodes)
    if key.namespace != live.target.namespace:
        return False
    if key.kind in _AROUND:
        return _AROUND[key.kind](live, key.name)
    match key.kind:
        case "Pod":
            return _owns_pod(live, key)
        case "ConfigMap":
            return key.name in live.config_map_names
        case "Service":
            return _is_service_of(live, key.name)
        case _:
            return key == live.target


def _owns_pod(live: ClusterSnapshot, key: ObjectRef) -> bool:
    pod = live.objects.get(key, {})
    wanted = unstructured.strings(live.workload, "spec", "selector", "matchLabels")
    labels = unstructured.strings(pod, "metadata", "labels")
    if not wanted or any(labels.get(name) != value for name, value in wanted.items()):
        return False
    owner = next(
        (
            o
            for o in unstructured.items(pod, "metadata", "ownerReferences")
            if o.get("controller") is True
        ),
        {},
    )
    kind, name = unstructured.text(owner, "kind"), unstructured.text(owner, "name")
    if live.target.kind == "Deployment":
        # Its pods belong to a ReplicaSet, which is named after it and the hash of the template.
        hashed = labels.get("pod-template-hash", "")
        return kind == "ReplicaSet" and bool(hashed) and name == f"{live.target.name}-{hashed}"
    return kind == live.target.kind and name == live.target.name


def selected_workloads(selector: Mapping[str, str], live: ClusterSnapshot) -> tuple[ObjectRef, ...]:
    """Return the workloads beside the target that a Service with this selector reaches."""
    return tuple(
        sorted(
            key
            for key, labels in live.neighbours.items()
            if key != live.target and views.selects(selector, labels)
        )
    )


def _is_service_of(live: ClusterSnapshot, name: str) -> bool:
    """Return whether the Service reaches the target alone, or evidently should."""
    service = live.service(name)
    if service is None or service.type == "ExternalName" or not service.selector:
        # Without a selector somebody else keeps the endpoints.
        return False
    if selected_workloads(service.selector, live):
        return False
    return service.selects_target or named_after(live, name) or _nearly(live, service.selector)


def named_after(live: ClusterSnapshot, name: str) -> bool:
    """Return whether something is called like the target, and more so than like any other."""
    own = _likeness(name, live.target.name)
    others = [_likeness(name, key.name) for key in live.neighbours if key != live.target]
    return own >= _ALIKE and all(own > other for other in others)


def _likeness(service: str, workload: str) -> float:
    plain = re.sub(r"-?(svc|service|headless|external|internal|lb)$", "", service) or service
    return max(similarity(service, workload), similarity(plain, workload))


def _nearly(live: ClusterSnapshot, selector: Mapping[str, str]) -> bool:
    def likeness(labels: Mapping[str, str]) -> float:
        return max(
            (similarity(v, labels[k]) for k, v in selector.items() if k in labels), default=0
        )

    own = likeness(live.pod_labels)
    others = [likeness(labels) for key, labels in live.neighbours.items() if key != live.target]
    return own >= _NEARLY_EQUAL and all(own > other for other in others)


def _scales_target(live: ClusterSnapshot, name: str) -> bool:
    scaled = (live.target.kind, live.target.name)
    return any(a.name == name and (a.kind, a.scales) == scaled for a in live.autoscalers)


def _is_quota(live: ClusterSnapshot, name: str) -> bool:
    # It holds for the whole namespace; whether it holds the target back, the gate asks.
    return any(quota.name == name for quota in live.quotas)


def _guards_target_alone(live: ClusterSnapshot, name: str) -> bool:
    budget = next((b for b in live.budgets if b.name == name), None)
    return (
        budget is not None
        and budget.selector.matches(live.pod_labels)
        and not any(budget.selector.matches(labels) for labels in live.neighbours.values())
    )


def _selects_target(live: ClusterSnapshot, name: str) -> bool:
    return any(policy.name == name for policy in live.network_policies)


def _is_awaited(live: ClusterSnapshot, name: str) -> bool:
    if not any(job.name == name for job in live.jobs):
        return False
    spoken = re.search(rf"(?<![-a-z0-9]){re.escape(name)}(?![-a-z0-9])", json.dumps(live.template))
    # As `cart-migration` is cart's, unless there is a workload `cart-migration` too.
    others = [key.name for key in live.neighbours]
    own = name.startswith(f"{live.target.name}-") and not any(map(name.startswith, others))
    return spoken is not None or own or named_after(live, name)


def _is_ingress(live: ClusterSnapshot, name: str) -> bool:
    # Which of its paths are the target's, the gate asks of each.
    return any(ingress.name == name for ingress in live.ingresses)


_AROUND: Mapping[str, Callable[[ClusterSnapshot, str], bool]] = {
    "HorizontalPodAutoscaler": _scales_target,
    "ResourceQuota": _is_quota,
    "PodDisruptionBudget": _guards_target_alone,
    "NetworkPolicy": _selects_target,
    "Ingress": _is_ingress,
    "Job": _is_awaited,
}

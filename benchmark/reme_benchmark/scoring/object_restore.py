"""Builds the objects that restore an earlier desired state."""

from collections.abc import Iterable

from reme_benchmark.kube.cluster import Object
from reme_benchmark.scoring.snapshot import compared_fields, manual_taints, meaningful_annotations
from reme_playbook.snapshot.snapshot import LAST_APPLIED

# Objects that may prevent pods from starting are restored first.
_ORDER = (
    "Node",
    "Namespace",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Service",
    "Ingress",
)


def restore_order(keys: Iterable[str]) -> list[str]:
    """Return the keys in the order in which their objects are restored."""

    def place(key: str) -> tuple[int, str]:
        kind = key.partition("/")[0]
        return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), key)

    return sorted(keys, key=place)


def same_desired_state(one: Object, other: Object) -> bool:
    """Return whether two objects have the same desired state and last-applied annotation."""

    def applied(item: Object) -> str:
        return str((item["metadata"].get("annotations") or {}).get(LAST_APPLIED))

    return (
        compared_fields(one) == compared_fields(other)
        and applied(one) == applied(other)
        and not address_changed(other, one)
    )


def address_changed(current: Object, desired: Object) -> bool:
    """Return whether a Service has another address, while clients may still use the old one."""
    if desired["kind"] != "Service":
        return False
    return bool(current["spec"].get("clusterIP") != desired["spec"].get("clusterIP"))


def with_desired_state(current: Object, desired: Object) -> Object:
    """Return the current object with its desired state replaced."""
    metadata = dict(current["metadata"])
    noise = {
        k: v
        for k, v in (metadata.get("annotations") or {}).items()
        if k not in meaningful_annotations(metadata.get("annotations"))
    }
    retained = metadata.get("annotations") if desired["kind"] == "Node" else noise
    metadata["annotations"] = {**(retained or {}), **desired["metadata"].get("annotations", {})}
    metadata["labels"] = dict(desired["metadata"].get("labels", {}))
    body = {k: v for k, v in desired.items() if k not in ("apiVersion", "kind", "metadata")}
    head = {"apiVersion": desired["apiVersion"], "kind": desired["kind"], "metadata": metadata}
    match desired["kind"]:
        case "Node":
            spec = dict(current.get("spec") or {})
            automatic = [t for t in spec.get("taints") or () if t not in manual_taints([t])]
            spec.pop("unschedulable", None)
            spec["taints"] = [*automatic, *desired["spec"].get("taints", ())]
            if desired["spec"].get("unschedulable"):
                spec["unschedulable"] = True
            else:
                # The node controller would remove this taint a moment later.
                spec["taints"] = [
                    t for t in spec["taints"] if t["key"] != "node.kubernetes.io/unschedulable"
                ]
            return {**head, "spec": spec, "status": current.get("status") or {}}
        case "Namespace":
            return {**head, "spec": current.get("spec") or {}}
        case "ServiceAccount" if "secrets" in current:
            return {**head, **body, "secrets": current["secrets"]}
    return {**head, **body}

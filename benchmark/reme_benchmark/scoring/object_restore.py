"""Objects as they were, to be written over what they are now."""

from collections.abc import Iterable

from reme_benchmark.kube.cluster import Object
from reme_benchmark.scoring.snapshot import compared, lasting, telling
from reme_playbook.snapshot.snapshot import LAST_APPLIED

# What keeps pods from coming is taken away before anything else is put back.
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


def ordered(keys: Iterable[str]) -> list[str]:
    """Return the keys in the order in which their objects are to be put back."""

    def place(key: str) -> tuple[int, str]:
        kind = key.partition("/")[0]
        return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), key)

    return sorted(keys, key=place)


def same(one: Object, other: Object) -> bool:
    """Whether two objects are told the same; what a later `kubectl apply` goes by counts too."""

    def applied(item: Object) -> str:
        return str((item["metadata"].get("annotations") or {}).get(LAST_APPLIED))

    return (
        compared(one) == compared(other)
        and applied(one) == applied(other)
        and not reborn(other, one)
    )


def reborn(found: Object, wanted: Object) -> bool:
    """Whether a Service got another address: clients may still know the one before."""
    if wanted["kind"] != "Service":
        return False
    return bool(found["spec"].get("clusterIP") != wanted["spec"].get("clusterIP"))


def told_again(found: Object, wanted: Object) -> Object:
    """Return the object as it is now, with everything that it was told replaced."""
    metadata = dict(found["metadata"])
    noise = {
        k: v
        for k, v in (metadata.get("annotations") or {}).items()
        if k not in telling(metadata.get("annotations"))
    }
    kept = metadata.get("annotations") if wanted["kind"] == "Node" else noise
    metadata["annotations"] = {**(kept or {}), **wanted["metadata"].get("annotations", {})}
    metadata["labels"] = dict(wanted["metadata"].get("labels", {}))
    body = {k: v for k, v in wanted.items() if k not in ("apiVersion", "kind", "metadata")}
    head = {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": metadata}
    match wanted["kind"]:
        case "Node":
            spec = dict(found.get("spec") or {})
            ours = [t for t in spec.get("taints") or () if t not in lasting([t])]
            spec.pop("unschedulable", None)
            spec["taints"] = [*ours, *wanted["spec"].get("taints", ())]
            if wanted["spec"].get("unschedulable"):
                spec["unschedulable"] = True
            else:
                # The controller would take its taint away a moment later.
                spec["taints"] = [
                    t for t in spec["taints"] if t["key"] != "node.kubernetes.io/unschedulable"
                ]
            return {**head, "spec": spec, "status": found.get("status") or {}}
        case "Namespace":
            return {**head, "spec": found.get("spec") or {}}
        case "ServiceAccount" if "secrets" in found:
            return {**head, **body, "secrets": found["secrets"]}
    return {**head, **body}

"""Whether a rollout of the target stops every pod that serves before another one does."""

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.related_views import pods_of
from reme_playbook.snapshot.snapshot import ClusterSnapshot


def stops_all_pods(snapshot: ClusterSnapshot) -> bool:
    """Return whether a rollout would leave no pod serving for a while."""
    if not snapshot.replicas.available:
        return False  # nothing serves that could be interrupted
    workload, desired = snapshot.workload, snapshot.replicas.desired
    if snapshot.target.kind == "Deployment":
        if unstructured.text(workload, "spec", "strategy", "type") == "Recreate":
            return True
        bounds = unstructured.mapping(workload, "spec", "strategy", "rollingUpdate")
        return _pods(bounds.get("maxUnavailable", "25%"), desired) >= desired
    bounds = unstructured.mapping(workload, "spec", "updateStrategy", "rollingUpdate")
    if snapshot.target.kind == "StatefulSet":
        if unstructured.text(workload, "spec", "updateStrategy", "type") == "OnDelete":
            return False
        return _pods(bounds.get("maxUnavailable", 1), desired) >= desired
    if _pods(bounds.get("maxSurge", 0), 100):
        return False
    scheduled = unstructured.number(workload, "status", "desiredNumberScheduled")
    return _pods(bounds.get("maxUnavailable", 1), scheduled) >= scheduled


def _pods(bound: object, total: int) -> int:
    return pods_of(bound, total, round_up=False) if isinstance(bound, int | str) else 0

"""What was well before the fault began, and what changed shortly before it."""

from datetime import datetime, timedelta

from reme_playbook.policy.evidence.facts import Evidence
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.changes import changes_of
from reme_playbook.snapshot.pod_times import ready_since
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.times import time_at

SHORTLY = timedelta(minutes=10)


def well_before_fault(evidence: Evidence) -> timedelta | None:
    """Return how long the rollout of the present template had been complete when the fault began.

    None unless both times are known: of a fault of which only the report is known, the start is
    not. None also if a container has restarted since.
    """
    snapshot = evidence.snapshot
    if snapshot.fault_start is None or not snapshot.fault_start_observed:
        return None
    if any(pod.view.restarts for pod in evidence.present_pods):
        return None
    since = _complete_since(snapshot, evidence)
    return None if since is None else snapshot.fault_start - since


def other_change(evidence: Evidence) -> str:
    """Return what else than the target changed in the ten minutes before the fault began."""
    snapshot = evidence.snapshot
    start = snapshot.fault_start
    if start is None:
        return ""
    for change in changes_of(snapshot):
        if change.subject != snapshot.target and start - SHORTLY <= change.at <= start:
            return f"{change.subject} {change.what}"
    return ""


def _complete_since(snapshot: ClusterSnapshot, evidence: Evidence) -> datetime | None:
    workload = snapshot.workload
    for condition in unstructured.items(workload, "status", "conditions"):
        if unstructured.text(condition, "reason") == "NewReplicaSetAvailable":
            return time_at(condition, "lastUpdateTime")
    if snapshot.target.kind == "Deployment" or not all(pod.present for pod in evidence.pods):
        return None
    pods = [
        manifest
        for key, manifest in snapshot.objects.items()
        if key.kind == "Pod" and not unstructured.text(manifest, "metadata", "deletionTimestamp")
    ]
    return ready_since(pods)

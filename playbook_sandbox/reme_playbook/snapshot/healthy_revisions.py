"""Which revisions of the target ran while there was no fault, as far as that is known."""

from datetime import datetime, timedelta

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision
from reme_playbook.snapshot.times import parse_time, time_at

SETTLED = timedelta(minutes=2)
"""A revision that ran for a shorter time before the fault began may have brought it."""


def healthy_revisions(snapshot: ClusterSnapshot) -> tuple[Revision, ...]:
    """Return the revisions that ran for two minutes before the fault began, newest first.

    None if the start of the fault was not observed. The present revision counts if its rollout was
    once complete, so that its pods were ready.
    """
    start = snapshot.fault_start
    if start is None or not snapshot.fault_start_observed:
        return ()
    healthy = []
    ended = start
    own = digest(snapshot.template)
    # A restart makes a new revision of the same template: it ended when another one came.
    for revision in sorted(snapshot.revisions, key=lambda r: r.number, reverse=True):
        created = parse_time(revision.created)
        if created is None:
            continue
        is_present = digest(revision.template) == own
        if created + SETTLED <= ended and (not is_present or was_complete(snapshot, start)):
            healthy.append(revision)
        ended = min(ended, created)
    return tuple(healthy)


def was_complete(snapshot: ClusterSnapshot, start: datetime) -> bool:
    """Return whether all pods of the present revision were ready once, before that time."""
    workload = snapshot.workload
    if snapshot.target.kind == "Deployment":
        complete = any(
            unstructured.text(c, "type") == "Progressing"
            and unstructured.text(c, "reason") == "NewReplicaSetAvailable"
            for c in unstructured.items(workload, "status", "conditions")
        )
    elif snapshot.target.kind == "StatefulSet":
        revisions = unstructured.mapping(workload, "status")
        complete = bool(revisions.get("updateRevision")) and (
            revisions.get("currentRevision") == revisions.get("updateRevision")
        )
    else:
        complete = False
    return complete or any(
        time is not None and time + SETTLED <= start for time in _ready_times(snapshot)
    )


def _ready_times(snapshot: ClusterSnapshot) -> list[datetime | None]:
    """Return since when each ready pod has been ready."""
    return [
        time_at(condition, "lastTransitionTime")
        for key, pod in snapshot.objects.items()
        if key.kind == "Pod"
        for condition in unstructured.items(pod, "status", "conditions")
        if condition.get("type") == "Ready" and condition.get("status") == "True"
    ]

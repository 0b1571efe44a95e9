"""Reads the events of an object."""

from collections.abc import Iterable

from reme_operator.investigation.readers.base import Sources, reads, redacted
from reme_playbook.inspections.base import observed_fault_start
from reme_playbook.inspections.object_events import ObjectEvents, event_findings
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.object_ref import WORKLOADS
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_OWNERS = 4
_MAX_PODS = 32


@reads(ObjectEvents)
async def read(
    inspection: ObjectEvents, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return what the events say about the object, and of a workload about what it owns."""
    subject = inspection.subject
    names = {subject.name}
    if subject.kind in WORKLOADS:
        cluster = sources.cluster
        workload = await cluster.workload(subject.kind, subject.namespace, subject.name)
        owned = [
            *(await cluster.revisions(workload))[:_MAX_OWNERS],
            *(await cluster.pods(workload))[-_MAX_PODS:],
        ]
        names |= {unstructured.text(item, "metadata", "name") for item in owned}
    events = await sources.cluster.events(subject.namespace, names)
    return event_findings(inspection, redacted(events), observed_fault_start(snapshot))

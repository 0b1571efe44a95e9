"""Reads the revisions of the target, which the snapshot holds already."""

from collections.abc import Iterable

from reme_model.prompt.redact import redact
from reme_operator.investigation.readers.base import Sources, reads
from reme_playbook.inspections.base import observed_fault_start
from reme_playbook.inspections.revision_diff import RevisionDiff, revision_findings
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.snapshot import ClusterSnapshot


@reads(RevisionDiff)
async def read(
    inspection: RevisionDiff, snapshot: ClusterSnapshot, _: Sources
) -> Iterable[Finding]:
    """Return what differs between an earlier revision and the current one."""
    return revision_findings(
        inspection,
        snapshot.revisions,
        snapshot.current_revision,
        observed_fault_start(snapshot),
        redact,
    )

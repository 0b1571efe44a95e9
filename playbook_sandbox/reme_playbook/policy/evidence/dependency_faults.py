"""What is known to be wrong with what the target calls."""

from typing import NamedTuple

from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.ownership import belongs_to_target
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_FAULTS = frozenset(
    {
        FindingKind.NO_ENDPOINTS,
        FindingKind.PORT_MISMATCH,
        FindingKind.WORKLOAD_NOT_READY,
        FindingKind.REQUEST_FAILED,
        FindingKind.DEPENDENCY_OUTSIDE,
    }
)
"""A dependency that does not exist is not among them: the target's setting may be wrong."""


class DependencyFault(NamedTuple):
    """A dependency, by the name that the target uses, and what is wrong with it."""

    name: str
    text: str


def dependency_faults(snapshot: ClusterSnapshot) -> tuple[DependencyFault, ...]:
    """Return what is wrong with the target's dependencies: in the snapshot, and by inspections."""
    known = [
        DependencyFault(dependency.name, f"it {dependency.problem}")
        for dependency in snapshot.dependencies
        if dependency.problem_kind in _FAULTS
    ]
    inspected = [
        DependencyFault(finding.subject.name, finding.text)
        for finding in snapshot.findings
        if finding.kind in _FAULTS and not belongs_to_target(finding.subject, snapshot)
    ]
    return tuple(dict.fromkeys([*known, *inspected]))

"""Dependency: whether a Service that the target calls works, and what changed there."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from reme_api.investigation import InspectionName
from reme_playbook.inspections.base import Inspection, change_kind
from reme_playbook.inspections.called_services import called_services
from reme_playbook.snapshot.changes import object_changes, revision_changes
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_template import differences
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision
from reme_playbook.snapshot.times import relative_to

_MOST_FIELDS = 3


class DependencyInspection(Inspection):
    """A Service that the target's environment names: its pods, its answer, its last changes."""

    NAME = InspectionName.DEPENDENCY
    READS = (
        "the Service, its pods, the workload behind it and its revisions; up to five requests that"
        " change nothing"
    )
    RIGHTS = (
        "services",
        "pods",
        "deployments.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "replicasets.apps",
        "controllerrevisions.apps",
    )
    SHOWS = (
        FindingKind.NO_ENDPOINTS,
        FindingKind.PORT_MISMATCH,
        FindingKind.WORKLOAD_NOT_READY,
        FindingKind.REQUEST_FAILED,
        FindingKind.DEPENDENCY_MISSING,
        FindingKind.RECENT_CHANGE,
        FindingKind.EARLIER_CHANGE,
    )
    BOUNDS = "Services of the target's namespace with a selector; requests of 3 s"

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Self]:
        """Return what the target calls in its namespace, those with a problem first."""
        yield from (cls(subject=ref) for ref in called_services(snapshot))


def dependency_findings(
    dependency: Dependency,
    service: Mapping[str, Any],
    revisions: Mapping[ObjectRef, Sequence[Revision]],
    answer: Finding | None,
    snapshot: ClusterSnapshot,
    clean: Callable[[str], str],
) -> Iterator[Finding]:
    """Yield the problem, the answer, the state of the workloads, and the last changes.

    `revisions` are those of the workloads behind the Service; `clean` redacts a text.
    """
    subject = ObjectRef("Service", snapshot.target.namespace, dependency.service)
    if dependency.problem and dependency.problem_kind:
        cause = dependency.cause
        is_workload = dependency.problem_kind is FindingKind.WORKLOAD_NOT_READY and cause
        about = cause if is_workload and cause else subject
        yield Finding(dependency.problem_kind, about, clean(dependency.problem))
    if answer is not None:
        yield answer
    for workload in dependency.workloads:
        if workload.selected and not dependency.problem:
            text = f"has {workload.ready} of {workload.desired} pods ready"
            if workload.updated < workload.desired:
                text += f", {workload.updated} of them of the newest template"
            yield Finding(FindingKind.NORMAL, workload.ref, text)
    yield from _changes(subject, service, revisions, snapshot)


def _changes(
    subject: ObjectRef,
    service: Mapping[str, Any],
    revisions: Mapping[ObjectRef, Sequence[Revision]],
    snapshot: ClusterSnapshot,
) -> Iterator[Finding]:
    """Yield the last change of the Service and of each workload's template."""
    last = [max(object_changes(subject, service), default=None)]
    last += [
        max(revision_changes(ref, history), default=None) for ref, history in revisions.items()
    ]
    start = snapshot.fault_start
    for change in sorted((c for c in last if c is not None), reverse=True):
        when = f" {relative_to(change.at, start)}" if start else ""
        fields = _changed_fields(revisions.get(change.subject, ()))
        text = f"{change.what}{when}{fields}"
        yield Finding(change_kind(change.at, start), change.subject, text, change.at)


def _changed_fields(revisions: Sequence[Revision]) -> str:
    """Return what the newest template changed: paths only, since values may be secrets."""
    newest = sorted(revisions, key=lambda revision: -revision.number)[:2]
    if len(newest) < 2:
        return ""
    changes = differences(newest[1].template, newest[0].template)
    paths = [change.path.removeprefix("spec.") for change in changes]
    more = ", …" if len(paths) > _MOST_FIELDS else ""
    return f": {', '.join(paths[:_MOST_FIELDS])}{more}" if paths else ""

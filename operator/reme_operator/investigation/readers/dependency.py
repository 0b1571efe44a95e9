"""Reads a Service that the target calls, what is behind it, and how it answers."""

import asyncio
from collections.abc import Iterable

from reme_api.diagnosis_report import TargetKind
from reme_kube.resources import Json
from reme_model.prompt.redact import redact
from reme_operator.investigation.readers.base import Sources, reads, redacted
from reme_operator.investigation.readers.service_pods import answers, read_service
from reme_operator.snapshot.parsing import parse_revisions
from reme_playbook.inspections.answers import answer_finding, question, restricts_callers
from reme_playbook.inspections.dependency import DependencyInspection, dependency_findings
from reme_playbook.inspections.service_request import times
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependencies import dependencies
from reme_playbook.snapshot.dependency import Dependency, Place
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision

_MAX_REVISIONS = 4
_MAX_WORKLOADS = 2


@reads(DependencyInspection)
async def read(
    inspection: DependencyInspection, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return what is known of the Service: its problem, its answer and its last changes."""
    subject = inspection.subject
    (service, pods), services, workloads = await asyncio.gather(
        read_service(sources, subject, snapshot),
        sources.cluster.services(subject.namespace),
        sources.cluster.workloads(subject.namespace),
    )
    read_now = dependencies(
        snapshot, services, workloads, {subject.name: pods}, _texts(snapshot, subject)
    )
    dependency = next(
        (d for d in read_now if d.place is Place.NAMESPACE and d.service == subject.name), None
    )
    if dependency is None:
        return [Finding(FindingKind.UNAVAILABLE, subject, "the target does not name it any more")]
    answer, histories = await asyncio.gather(
        _answer(sources, snapshot, dependency, service, pods),
        _histories(sources, dependency, workloads),
    )
    return dependency_findings(dependency, redacted(service), histories, answer, snapshot, redact)


def _texts(snapshot: ClusterSnapshot, subject: ObjectRef) -> list[str]:
    """Return a text that names the Service if the report does."""
    known = [d for d in snapshot.dependencies if d.service == subject.name and d.reported]
    return [dependency.host for dependency in known]


async def _answer(
    sources: Sources,
    snapshot: ClusterSnapshot,
    dependency: Dependency,
    service: Json,
    pods: list[Json],
) -> Finding | None:
    subject = ObjectRef("Service", snapshot.target.namespace, dependency.service)
    request = question(subject, dependency, pods, snapshot.probes)
    if request is None or not any(views.pod(pod).ready for pod in pods):
        return None  # that it leads nowhere is said already
    replies = await answers(sources, service, request, snapshot, times(request))
    kept_out = restricts_callers(snapshot, pods)
    return answer_finding(subject, request, replies, may_be_kept_out=kept_out)


async def _histories(
    sources: Sources, dependency: Dependency, workloads: list[Json]
) -> dict[ObjectRef, list[Revision]]:
    async def history(ref: ObjectRef) -> tuple[ObjectRef, list[Revision]]:
        manifest = next(
            w
            for w in workloads
            if (unstructured.text(w, "kind"), unstructured.text(w, "metadata", "name"))
            == (ref.kind, ref.name)
        )
        stored = (await sources.cluster.revisions(manifest))[:_MAX_REVISIONS]
        return ref, list(parse_revisions(redacted(stored), TargetKind(ref.kind)))

    refs = [workload.ref for workload in dependency.workloads[:_MAX_WORKLOADS]]
    return dict(await asyncio.gather(*map(history, refs)))

"""Sends a request to a Service."""

from collections.abc import Iterable

from reme_operator.investigation.readers.base import Sources, reads
from reme_operator.investigation.readers.service_pods import answers, read_service
from reme_playbook.inspections.answers import answer_finding, restricts_callers
from reme_playbook.inspections.service_request import ServiceRequest, request_of, times
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.snapshot import ClusterSnapshot


@reads(ServiceRequest)
async def read(
    inspection: ServiceRequest, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return how the Service answers; of answers that fail now and then the failures count."""
    subject = inspection.subject
    request = request_of(inspection, snapshot.probes)
    if request is None:
        return [Finding(FindingKind.UNAVAILABLE, subject, "no such request may be sent")]
    service, pods = await read_service(sources, subject, snapshot)
    replies = await answers(sources, service, request, snapshot, times(request))
    kept_out = restricts_callers(snapshot, pods)
    return [answer_finding(subject, request, replies, may_be_kept_out=kept_out)]

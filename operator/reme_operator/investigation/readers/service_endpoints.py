"""Reads the endpoints of a Service."""

import asyncio
from collections.abc import Iterable

from reme_model.prompt.redact import redact
from reme_operator.investigation.readers.base import Sources, reads
from reme_operator.investigation.readers.service_pods import read_service
from reme_playbook.inspections.service_endpoints import (
    Endpoints,
    ServiceEndpoints,
    endpoint_findings,
)
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.snapshot import ClusterSnapshot


@reads(ServiceEndpoints)
async def read(
    inspection: ServiceEndpoints, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return to which pods the Service leads."""
    (service, pods), workloads = await asyncio.gather(
        read_service(sources, inspection.subject, snapshot),
        sources.cluster.workloads(inspection.subject.namespace),
    )
    return endpoint_findings(
        inspection, Endpoints(service, pods, workloads), snapshot.target, redact
    )

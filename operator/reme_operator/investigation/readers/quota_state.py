"""Reads the quotas and limit ranges of the namespace."""

from collections.abc import Iterable

from reme_kube.errors import ForbiddenError
from reme_kube.resources import LIMIT_RANGES, RESOURCE_QUOTAS, Json
from reme_operator.investigation.readers.base import Sources, reads, redacted
from reme_playbook.inspections.quota_state import QuotaState, quota_findings
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_OF_KIND = 8


@reads(QuotaState)
async def read(
    inspection: QuotaState, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return which quotas are used up, and what they keep from being created."""
    namespace = inspection.subject.namespace
    quotas = await sources.cluster.list_resource(RESOURCE_QUOTAS, namespace)
    limit_ranges = await _limit_ranges(namespace, sources)
    return quota_findings(
        inspection,
        redacted(quotas[:_MAX_OF_KIND]),
        redacted(limit_ranges[:_MAX_OF_KIND]),
        snapshot,
    )


async def _limit_ranges(namespace: str, sources: Sources) -> list[Json]:
    try:
        return await sources.cluster.list_resource(LIMIT_RANGES, namespace)
    except ForbiddenError:
        return []  # the chart gives no right to them

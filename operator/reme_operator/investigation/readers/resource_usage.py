"""Reads the usage of a workload's pods, several times."""

from collections.abc import Iterable

from reme_kube.errors import NotFoundError
from reme_kube.resources import Json
from reme_operator.investigation.readers.base import Sources, reads, redacted
from reme_operator.investigation.readers.workload_pods import read_pods
from reme_playbook.inspections.base import observed_fault_start
from reme_playbook.inspections.resource_usage import ResourceUsage, UsageSample, usage_findings
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_SAMPLES = 4
_INTERVAL_SECONDS = 2.5
"""Metrics are new every 15 s at most, so more samples would show the same."""


@reads(ResourceUsage)
async def read(
    inspection: ResourceUsage, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return the usage against the limits of the pods, and its trend within some seconds."""
    cluster, subject = sources.cluster, inspection.subject
    workload = await cluster.workload(subject.kind, subject.namespace, subject.name)
    labels = unstructured.strings(workload, "spec", "selector", "matchLabels")
    samples: list[UsageSample] = []
    end = sources.clock.monotonic() + sources.seconds
    while len(samples) < _MAX_SAMPLES:
        sample = await _sample(sources, subject.namespace, labels)
        if sample is None:
            break
        samples.append(UsageSample(redacted(sample)))
        if sources.clock.monotonic() + 2 * _INTERVAL_SECONDS > end:
            break
        await sources.clock.sleep(_INTERVAL_SECONDS)
    pods = await read_pods(subject, sources)  # after the samples: a pod may have been killed since
    return usage_findings(inspection, redacted(pods), samples, observed_fault_start(snapshot))


async def _sample(sources: Sources, namespace: str, labels: dict[str, str]) -> list[Json] | None:
    if not labels:
        return None
    try:
        return await sources.cluster.pod_metrics(namespace, labels)
    except NotFoundError:
        return None  # no metrics server: what was killed for memory is known all the same

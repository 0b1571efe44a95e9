"""Waits until a diagnosis tool could have noticed: metrics lag behind what the agent measures."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime

from reme_api.probes import Probe, ResourceUsageProbe
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.faults.placeholders import fill
from reme_benchmark.scoring.case_context import CaseContext
from reme_kube.errors import ClusterError
from reme_operator.probes.resource_usage import usage_sample

LONGEST_SECONDS = 30.0
"""metrics-server averages over its resolution and scrapes once in it: about 15 s here."""
_POLL_SECONDS = 1.0


async def wait_for_metrics(context: CaseContext, fault: Fault) -> None:
    """Return when metrics.k8s.io shows what the report's probes ask of it, or after a while.

    A report that came before its own metrics would be found untrue, and rightly so. Faults whose
    probes ask for no metrics are noticed as soon as they bite.
    """
    asked = [Probe.model_validate(fill(p, context.values)) for p in fault.report.probes]
    usage = [p.resource_usage for p in asked if p.resource_usage is not None]
    until = time.monotonic() + LONGEST_SECONDS
    while usage and time.monotonic() < until:
        with contextlib.suppress(ClusterError):
            if await _shows(context, usage):
                return
        await asyncio.sleep(_POLL_SECONDS)


async def _shows(context: CaseContext, probes: list[ResourceUsageProbe]) -> bool:
    labels = {"app": context.case.service}
    pods, metrics = await asyncio.gather(
        context.cluster.list("Pod", context.namespace, labels),
        context.cluster.list("PodMetrics", context.namespace, labels),
    )
    now = datetime.now(UTC)
    return any(usage_sample(probe, pods, metrics, now).passed is False for probe in probes)

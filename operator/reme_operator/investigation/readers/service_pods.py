"""Reads what is behind a Service, and sends requests to it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from reme_api.diagnosis_report import Target, TargetKind
from reme_api.probes import Probe
from reme_kube.errors import ForbiddenError
from reme_kube.resources import PODS, SERVICES, Json
from reme_operator.investigation.readers.base import Sources
from reme_playbook.inspections.answers import Answer
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_PODS = 64
_AT_ONCE = 2


async def read_service(
    sources: Sources, ref: ObjectRef, snapshot: ClusterSnapshot
) -> tuple[Json, list[Json]]:
    """Return a Service of the target's namespace and the pods that it selects, at most 64.

    Raises:
        ForbiddenError: it is in another namespace.
        ClusterError: it could not be read.

    """
    if ref.namespace != snapshot.target.namespace:
        raise ForbiddenError(f"{ref} is in another namespace")
    service = await sources.cluster.get(SERVICES, ref.namespace, ref.name)
    selector = unstructured.strings(service, "spec", "selector")
    if not selector or unstructured.text(service, "spec", "type") == "ExternalName":
        return service, []
    pods = await sources.cluster.list_resource(PODS, ref.namespace, selector)
    return service, pods[:_MAX_PODS]


async def answers(
    sources: Sources,
    service: Mapping[str, Any],
    request: Probe,
    snapshot: ClusterSnapshot,
    times: int,
) -> Sequence[Answer]:
    """Send a request so many times, two at once, and return the answers.

    Nothing is sent to a Service without a selector: whoever maintains where it leads could have the
    operator send requests anywhere.
    """
    prober, ref = sources.prober, snapshot.target
    if prober is None:
        return [Answer(None, "", "this operator sends no requests")]
    if not unstructured.strings(service, "spec", "selector"):
        return [Answer(None, "", "the Service has no selector")]
    target = Target(kind=TargetKind(ref.kind), name=ref.name)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def ask() -> Answer:
        async with limit:
            return Answer(*await prober.sample(request, target, ref.namespace))

    return await asyncio.gather(*(ask() for _ in range(times)))

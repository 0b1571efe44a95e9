"""The same faults by Chaos Mesh, where its kinds are installed.

Its CPU and memory stress, losses, delays and failed pods are the same things. Its disk fault is
not: it makes each write late instead of limiting the rate, and only below a mounted volume. Sparing
the kubelet's probes means here that only traffic to pods of the namespace is hit.
"""

import asyncio
import contextlib
import math
from typing import Any

from reme_benchmark.injection.specs import (
    CpuStress,
    DiskLimit,
    Fault,
    InvalidFaultError,
    MemoryStress,
    PacketDelay,
    PacketLoss,
    Target,
)
from reme_kube.errors import AlreadyExistsError, NotFoundError
from reme_kube.http_client import ApiClient

Object = dict[str, Any]
API_VERSION = "chaos-mesh.org/v1alpha1"
_PLURALS = {
    "StressChaos": "stresschaos",
    "NetworkChaos": "networkchaos",
    "IOChaos": "iochaos",
    "PodChaos": "podchaos",
}
_OWNER = "reme.dev/fault-owner"
_WRITE_BYTES = 64 * 1024
"""The size of a write that a rate of bytes is translated for."""
_POLL_SECONDS = 0.5
_KILLED_FIRST = 1000
"""What the stress of Chaos Mesh gives itself."""


class ChaosMeshError(Exception):
    """Chaos Mesh did not put a fault in, or did not take it out, in its time."""


async def available(api: ApiClient) -> bool:
    """Return whether the cluster has all the kinds that are used here."""
    try:
        found = await api.get(f"/apis/{API_VERSION}")
    except NotFoundError:
        return False
    names = {resource["name"] for resource in found.get("resources", ())}
    return names >= set(_PLURALS.values())


def render(fault: Fault, container: str) -> Object:
    """Return the object that has Chaos Mesh put a fault into a container.

    Raises:
        InvalidFaultError: it has no such fault.

    """
    spec, chosen = fault.spec, _chosen(fault.target)
    named = {**chosen, "containerNames": [container]}
    if isinstance(spec, CpuStress):
        stress: Object = {"cpu": {"workers": spec.workers, "load": round(spec.load_percent)}}
        return _object("StressChaos", fault, {**named, "stressors": stress})
    if isinstance(spec, MemoryStress):
        if not spec.mebibytes:
            raise InvalidFaultError(
                "percent_of_limit: Chaos Mesh takes a share of the node's memory"
            )
        size = f"{spec.mebibytes:g}MiB"
        memory: Object = {"workers": 1, "size": size}
        if spec.oom_score_adj != _KILLED_FIRST:  # older versions do not know the field
            memory["oomScoreAdj"] = spec.oom_score_adj
        return _object("StressChaos", fault, {**named, "stressors": {"memory": memory}})
    if isinstance(spec, DiskLimit):
        if not spec.path:
            raise InvalidFaultError("path: Chaos Mesh must be told where the volume is mounted")
        late = {"action": "latency", "volumePath": spec.path, "delay": f"{_write_ms(spec)}ms"}
        return _object(
            "IOChaos", fault, {**named, **late, "methods": ["write", "fsync"], "percent": 100}
        )
    if isinstance(spec, PacketLoss):
        loss = {"loss": f"{spec.percent:g}", "correlation": "0"}
        body = {**chosen, "action": "loss", "loss": loss}
        return _object("NetworkChaos", fault, {**body, **_direction(fault.target, spec)})
    delay = {"latency": f"{spec.milliseconds:g}ms", "correlation": "0", "jitter": "0ms"}
    body = {**chosen, "action": "delay", "delay": delay}
    return _object("NetworkChaos", fault, {**body, **_direction(fault.target, spec)})


def render_pod_failure(namespace: str, pod: str, *, id_: str, owner: str, seconds: float) -> Object:
    """Return the object that has Chaos Mesh make a pod fail."""
    chosen: Object = {"mode": "all", "selector": {"pods": {namespace: [pod]}}}
    body = {**chosen, "action": "pod-failure", "duration": f"{math.ceil(seconds)}s"}
    return _made("PodChaos", namespace, id_, owner, body)


async def inject(api: ApiClient, body: Object, *, timeout_seconds: float = 60.0) -> None:
    """Create the object and wait until its fault is in all pods that it chooses.

    Raises:
        ChaosMeshError: not in its time; it is deleted again.

    """
    with contextlib.suppress(AlreadyExistsError):
        await api.create(_path(body, named=False), body)
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                if injected(await api.get(_path(body))):
                    return
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        await remove(api, body)
        raise ChaosMeshError(f"{body['metadata']['name']} was not injected in its time") from error


async def remove(api: ApiClient, body: Object, *, timeout_seconds: float = 60.0) -> None:
    """Delete the object and wait until it is gone: a finalizer holds it until all is recovered.

    Raises:
        ChaosMeshError: not in its time.

    """
    try:
        async with asyncio.timeout(timeout_seconds):
            await api.delete(_path(body))
            while True:
                await api.get(_path(body))
                await asyncio.sleep(_POLL_SECONDS)
    except NotFoundError:
        return
    except TimeoutError as error:
        raise ChaosMeshError(f"{body['metadata']['name']} was not recovered in its time") from error


async def sweep(api: ApiClient, owner: str = "") -> list[str]:
    """Remove the objects of one owner, or of all that were made here; return their names."""
    chosen = {"labelSelector": f"{_OWNER}={owner}" if owner else _OWNER}
    swept = []
    for kind, plural in _PLURALS.items():
        async for found in api.list_items(f"/apis/{API_VERSION}/{plural}", chosen):
            await remove(api, {**found, "kind": kind})
            swept.append(str(found["metadata"]["name"]))
    return swept


def injected(found: Object) -> bool:
    """Return whether an object that was read says that its fault is in."""
    conditions = {c["type"]: c["status"] for c in found.get("status", {}).get("conditions") or ()}
    return conditions.get("Selected") == "True" and conditions.get("AllInjected") == "True"


def _chosen(target: Target) -> Object:
    return {"mode": "all", "selector": {"pods": {target.namespace: [target.pod]}}}


def _direction(target: Target, spec: PacketLoss | PacketDelay) -> Object:
    if not spec.spare_probes:
        return {"direction": "to"}
    pods = {"mode": "all", "selector": {"namespaces": [target.namespace]}}
    return {"direction": "to", "target": pods}


def _write_ms(spec: DiskLimit) -> int:
    """Return how late a write must be so that one after the other comes to the rate."""
    rates = [spec.operations_per_second, spec.bytes_per_second / _WRITE_BYTES]
    return max(1, round(1000 / min(rate for rate in rates if rate)))


def _object(kind: str, fault: Fault, spec: Object) -> Object:
    body = {**spec, "duration": f"{math.ceil(fault.limit_seconds)}s"}
    return _made(kind, fault.target.namespace, fault.id, fault.owner, body)


def _made(kind: str, namespace: str, id_: str, owner: str, spec: Object) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": f"reme-{id_}", "namespace": namespace, "labels": {_OWNER: owner}},
        "spec": spec,
    }


def _path(body: Object, *, named: bool = True) -> str:
    metadata = body["metadata"]
    path = f"/apis/{API_VERSION}/namespaces/{metadata['namespace']}/{_PLURALS[body['kind']]}"
    return f"{path}/{metadata['name']}" if named else path

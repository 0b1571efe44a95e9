"""Injects the same faults with Chaos Mesh, where it is installed.

CPU and memory stress, packet loss, packet delay and failed pods are equivalent. The disk fault
differs: Chaos Mesh delays each write below a mounted volume instead of limiting the rate. Sparing
the kubelet's probes means that only traffic to pods of the namespace is affected.
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
"""The assumed size of a write, to translate a rate of bytes into a delay."""
_POLL_SECONDS = 0.5
_KILLED_FIRST = 1000
"""The oom_score_adj that Chaos Mesh gives its memory stress by default."""


class ChaosMeshError(Exception):
    """Chaos Mesh did not inject or remove a fault in time."""


async def available(api: ApiClient) -> bool:
    """Return whether the cluster has all kinds of Chaos Mesh that are used here."""
    try:
        group = await api.get(f"/apis/{API_VERSION}")
    except NotFoundError:
        return False
    names = {resource["name"] for resource in group.get("resources", ())}
    return names >= set(_PLURALS.values())


def render(fault: Fault, container: str) -> Object:
    """Return the Chaos Mesh object that injects a fault into a container.

    Raises:
        InvalidFaultError: Chaos Mesh has no equivalent fault.
    """
    spec, selection = fault.spec, _selection(fault.target)
    named = {**selection, "containerNames": [container]}
    if isinstance(spec, CpuStress):
        stress: Object = {"cpu": {"workers": spec.workers, "load": round(spec.load_percent)}}
        return _object("StressChaos", fault, {**named, "stressors": stress})
    if isinstance(spec, MemoryStress):
        if not spec.mebibytes:
            raise InvalidFaultError(
                "percent_of_limit is not supported: Chaos Mesh takes a share of the node's memory"
            )
        size = f"{spec.mebibytes:g}MiB"
        memory: Object = {"workers": 1, "size": size}
        if spec.oom_score_adj != _KILLED_FIRST:  # older versions do not know the field
            memory["oomScoreAdj"] = spec.oom_score_adj
        return _object("StressChaos", fault, {**named, "stressors": {"memory": memory}})
    if isinstance(spec, DiskLimit):
        if not spec.path:
            raise InvalidFaultError("path is required: Chaos Mesh needs the mount path of a volume")
        late = {"action": "latency", "volumePath": spec.path, "delay": f"{_write_ms(spec)}ms"}
        return _object(
            "IOChaos", fault, {**named, **late, "methods": ["write", "fsync"], "percent": 100}
        )
    if isinstance(spec, PacketLoss):
        loss = {"loss": f"{spec.percent:g}", "correlation": "0"}
        body = {**selection, "action": "loss", "loss": loss}
        return _object("NetworkChaos", fault, {**body, **_direction(fault.target, spec)})
    delay = {"latency": f"{spec.milliseconds:g}ms", "correlation": "0", "jitter": "0ms"}
    body = {**selection, "action": "delay", "delay": delay}
    return _object("NetworkChaos", fault, {**body, **_direction(fault.target, spec)})


def render_pod_failure(namespace: str, pod: str, *, id_: str, owner: str, seconds: float) -> Object:
    """Return the Chaos Mesh object that makes a pod fail."""
    selection: Object = {"mode": "all", "selector": {"pods": {namespace: [pod]}}}
    body = {**selection, "action": "pod-failure", "duration": f"{math.ceil(seconds)}s"}
    return _chaos_object("PodChaos", namespace, id_, owner, body)


async def inject(api: ApiClient, body: Object, *, timeout_seconds: float = 60.0) -> None:
    """Create the object and wait until its fault is injected into all selected pods.

    Raises:
        ChaosMeshError: not injected in time; the object is deleted again.
    """
    with contextlib.suppress(AlreadyExistsError):
        await api.create(_path(body, named=False), body)
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                if is_injected(await api.get(_path(body))):
                    return
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        await remove(api, body)
        name = body["metadata"]["name"]
        raise ChaosMeshError(f"{name} was not injected in {timeout_seconds:g} s") from error


async def remove(api: ApiClient, body: Object, *, timeout_seconds: float = 60.0) -> None:
    """Delete the object and wait until its finalizer has removed the fault.

    Raises:
        ChaosMeshError: not removed in time.
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
        name = body["metadata"]["name"]
        raise ChaosMeshError(f"{name} was not removed in {timeout_seconds:g} s") from error


async def sweep(api: ApiClient, owner: str = "") -> list[str]:
    """Remove the objects of one owner, or of all owners; return their names."""
    selection = {"labelSelector": f"{_OWNER}={owner}" if owner else _OWNER}
    swept = []
    for kind, plural in _PLURALS.items():
        async for item in api.list_items(f"/apis/{API_VERSION}/{plural}", selection):
            await remove(api, {**item, "kind": kind})
            swept.append(str(item["metadata"]["name"]))
    return swept


def is_injected(item: Object) -> bool:
    """Return whether the status of an object says that its fault is injected."""
    conditions = {c["type"]: c["status"] for c in item.get("status", {}).get("conditions") or ()}
    return conditions.get("Selected") == "True" and conditions.get("AllInjected") == "True"


def _selection(target: Target) -> Object:
    return {"mode": "all", "selector": {"pods": {target.namespace: [target.pod]}}}


def _direction(target: Target, spec: PacketLoss | PacketDelay) -> Object:
    if not spec.spare_probes:
        return {"direction": "to"}
    pods = {"mode": "all", "selector": {"namespaces": [target.namespace]}}
    return {"direction": "to", "target": pods}


def _write_ms(spec: DiskLimit) -> int:
    """Return the delay per write, in milliseconds, that results in the rate."""
    rates = [spec.operations_per_second, spec.bytes_per_second / _WRITE_BYTES]
    return max(1, round(1000 / min(rate for rate in rates if rate)))


def _object(kind: str, fault: Fault, spec: Object) -> Object:
    body = {**spec, "duration": f"{math.ceil(fault.limit_seconds)}s"}
    return _chaos_object(kind, fault.target.namespace, fault.id, fault.owner, body)


def _chaos_object(kind: str, namespace: str, id_: str, owner: str, spec: Object) -> Object:
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

"""What a run was made by and on: enough to tell whether two results may be compared.

Each part is looked for by itself, and left out where it cannot be found: a cluster that does not
tell its version is no reason not to measure.
"""

import asyncio
import os
import platform
import re
import subprocess
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from reme_benchmark.harness.capabilities import capabilities
from reme_benchmark.kube.cluster import Cluster, Object
from reme_kube.errors import ClusterError
from reme_model.inference import openai_models
from reme_model.inference.errors import ModelError
from reme_playbook.snapshot import unstructured

_ANSWER_SECONDS = 5.0
_GIT_SECONDS = 20
_VECTOR = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd")
_OURS = re.compile(r"(?:^|/)(reme-[a-z0-9-]+)(?:[:@]|$)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_T = TypeVar("_T")


async def provenance(cluster: Cluster, *, asks_model: bool = True) -> dict[str, Any]:
    """Return the fields of a Run that say what it was made by and on.

    With `asks_model` false no model is looked for: a method that asks none owes it nothing.
    """
    source, where, pods, nodes = await asyncio.gather(
        asyncio.to_thread(commit),
        _cluster(cluster),
        _or(cluster.list("Pod"), list[Object]()),
        _or(cluster.list("Node"), list[Object]()),
    )
    return {
        "commit": source[0],
        "dirty": source[1],
        "images": images(pods, nodes),
        "model": await _model(cluster) if asks_model else "",
        "cluster": where,
        "hardware": hardware(),
    }


def commit(file: Path = Path(__file__).parents[1] / "__init__.py") -> tuple[str, bool]:
    """Return the commit that a file is of, and whether anything differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(file.parent), *words],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        ).stdout.strip()

    try:
        # Installed below some other repository, the file is not one of its own.
        git("ls-files", "--error-unmatch", file.name)
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def images(pods: Iterable[Object], nodes: Iterable[Object]) -> dict[str, str]:
    """Return the digest of each image of ours, or its tag where the cluster knows no digest."""
    found: dict[str, str] = {}
    for node in nodes:
        for image in unstructured.items(node, "status", "images"):
            names = [name for name in image.get("names") or () if isinstance(name, str)]
            for name in names:
                if ours := _OURS.search(name):
                    digest = _DIGEST.search(" ".join(names))
                    found.setdefault(ours[1], digest[0] if digest else name)
    for pod in pods:
        statuses = unstructured.items(pod, "status", "initContainerStatuses")
        for status in statuses + unstructured.items(pod, "status", "containerStatuses"):
            ours = _OURS.search(unstructured.text(status, "image"))
            digest = _DIGEST.search(unstructured.text(status, "imageID"))
            if ours and digest:
                found[ours[1]] = digest[0]
    return dict(sorted(found.items()))


def hardware() -> dict[str, Any]:
    """Return what this machine is, which carries the cluster too where that runs on one host."""
    info = _read("/proc/cpuinfo")
    flags = set(_first(info, "flags").split()) | set(_first(info, "Features").split())
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    found: dict[str, Any] = {
        "cores": os.cpu_count() or 0,
        "processor": _first(info, "model name") or platform.processor(),
        "architecture": platform.machine(),
        "memory_gibibytes": round(int(memory[1]) / 2**20, 1) if memory else None,
        "vector": [flag for flag in _VECTOR if flag in flags],
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),  # of the minute before: others use the cores too
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}


async def _cluster(cluster: Cluster) -> dict[str, Any]:
    version, nodes, able = await asyncio.gather(
        _or(cluster.api.get("/version"), Object()),
        _or(cluster.list("Node"), list[Object]()),
        _or(capabilities(cluster), None),
    )
    info = unstructured.mapping(nodes[0], "status", "nodeInfo") if nodes else {}
    provider = unstructured.text(nodes[0], "spec", "providerID").partition(":")[0] if nodes else ""
    found: dict[str, Any] = {
        "version": unstructured.text(version, "gitVersion"),
        "provider": provider or "none named",
        "nodes": len(nodes),
        "runtime": unstructured.text(info, "containerRuntimeVersion"),
        "kernel": unstructured.text(info, "kernelVersion"),
        "allocatable": ", ".join(
            f"{unstructured.text(n, 'status', 'allocatable', 'cpu')} CPU, "
            f"{unstructured.text(n, 'status', 'allocatable', 'memory')}"
            for n in nodes[:3]
        ),
        "cannot": {str(need): why for need, why in able.missing.items()} if able else None,
    }
    return {name: value for name, value in found.items() if value not in (None, "", 0)}


async def _model(cluster: Cluster) -> str:
    """Return the model that is served, else the one that a repair was made with last."""
    labels = {"app.kubernetes.io/part-of": "reme", "app.kubernetes.io/component": "model"}
    for service in await _or(cluster.list("Service", "", labels), list[Object]()):
        if served := await _served(cluster, service):
            return served
    remediations = await _or(cluster.list("Remediation"), list[Object]())
    remediations.sort(
        key=lambda r: unstructured.text(r, "metadata", "creationTimestamp"), reverse=True
    )
    for remediation in remediations:
        for attempt in unstructured.items(remediation, "status", "attempts"):
            made = unstructured.mapping(attempt, "generation")
            if name := unstructured.text(made, "modelDigest") or unstructured.text(made, "model"):
                return name
    return ""


async def _served(cluster: Cluster, service: Object) -> str:
    meta, ports = service["metadata"], unstructured.items(service, "spec", "ports")
    if not ports:
        return ""
    base = cluster.path("Service", meta["namespace"])
    path = f"{base}/http:{meta['name']}:{ports[0].get('port')}/proxy/v1/models"
    try:
        answer = await cluster.api.get_raw(path, _ANSWER_SECONDS)
        if answer.status != 200:
            return ""
        found = openai_models.parse_provenance(answer.content, "")
    except (ClusterError, ModelError):
        return ""
    adapter = f" with adapter {found.adapter_digest}" if found.adapter_digest else ""
    return (found.model_digest or found.model) + adapter


async def _or(asked: Awaitable[_T], otherwise: _T) -> _T:
    try:
        return await asked
    except ClusterError:
        return otherwise


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _first(info: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.*)$", info, re.MULTILINE)
    return found[1].strip() if found else ""

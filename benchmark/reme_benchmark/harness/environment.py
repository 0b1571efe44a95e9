"""Records the environment of a run, and which faults the cluster can have."""

import asyncio
import os
import platform
import re
import subprocess
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scenarios.faults.model import Fault, Need
from reme_kube.errors import ClusterError
from reme_model.inference import openai_models
from reme_model.inference.errors import ModelError
from reme_playbook.snapshot import unstructured

_ANSWER_SECONDS = 5.0
_GIT_SECONDS = 20
_VECTOR_FLAGS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd")
_REME_IMAGE = re.compile(r"(?:^|/)(reme-[a-z0-9-]+)(?:[:@]|$)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_POLICY_ENFORCERS = frozenset(
    {"kindnet", "calico", "cilium", "weave", "antrea", "kube-router", "canal", "ovn"}
)

_T = TypeVar("_T")


@dataclass(frozen=True)
class Capabilities:
    """The needs of faults that the cluster does not meet, each with the reason."""

    missing: dict[Need, str]

    def why_not(self, fault: Fault) -> str:
        """Return why the cluster cannot have the fault; empty when it can."""
        return "; ".join(self.missing[need] for need in fault.needs if need in self.missing)


async def find_capabilities(cluster: Cluster) -> Capabilities:
    """Return what the cluster cannot do."""
    missing: dict[Need, str] = {}
    nodes = await cluster.list("Node")
    if len(nodes) < 2:
        missing[Need.SECOND_NODE] = "the cluster has one node"
    if len(nodes) > 1:
        missing[Need.ONLY_NODE] = "the cluster has several nodes: pods would go to another one"
    if not await _or(cluster.list("PodMetrics"), list[Object]()):
        missing[Need.METRICS] = "metrics.k8s.io has no pod metrics"
    agents = await cluster.list("DaemonSet", "kube-system")
    if not any(name in a["metadata"]["name"] for a in agents for name in _POLICY_ENFORCERS):
        missing[Need.NETWORK_POLICY] = "no network plugin of this cluster enforces NetworkPolicy"
    classes = await _or(cluster.api.get("/apis/networking.k8s.io/v1/ingressclasses"), Object())
    if not classes.get("items"):
        missing[Need.INGRESS] = "the cluster has no Ingress controller"
    return Capabilities(missing)


async def read_environment(cluster: Cluster, *, asks_model: bool = True) -> dict[str, Any]:
    """Return the fields of a Run that describe its environment.

    What cannot be found is left out. With `asks_model` false no model is looked for.
    """
    (source, dirty), cluster_facts, pods, nodes = await asyncio.gather(
        asyncio.to_thread(commit),
        _cluster_facts(cluster),
        _or(cluster.list("Pod"), list[Object]()),
        _or(cluster.list("Node"), list[Object]()),
    )
    return {
        "commit": source,
        "dirty": dirty,
        "images": images(pods, nodes),
        "model": await _model(cluster) if asks_model else "",
        "cluster": cluster_facts,
        "hardware": hardware(),
    }


def commit(file: Path = Path(__file__).parents[1] / "__init__.py") -> tuple[str, bool]:
    """Return the commit of a file's repository, and whether there are uncommitted changes.

    ("", False) when the file is in no repository.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(file.parent), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        ).stdout.strip()

    try:
        # An installed package may be below another repository that does not track the file.
        git("ls-files", "--error-unmatch", file.name)
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def images(pods: Iterable[Object], nodes: Iterable[Object]) -> dict[str, str]:
    """Return the digest of each reme image, or its tag where the cluster knows no digest."""
    digests: dict[str, str] = {}
    for node in nodes:
        for image in unstructured.items(node, "status", "images"):
            names = [name for name in image.get("names") or () if isinstance(name, str)]
            for name in names:
                if match := _REME_IMAGE.search(name):
                    digest = _DIGEST.search(" ".join(names))
                    digests.setdefault(match[1], digest[0] if digest else name)
    for pod in pods:
        statuses = unstructured.items(pod, "status", "initContainerStatuses")
        for status in statuses + unstructured.items(pod, "status", "containerStatuses"):
            match = _REME_IMAGE.search(unstructured.text(status, "image"))
            digest = _DIGEST.search(unstructured.text(status, "imageID"))
            if match and digest:
                digests[match[1]] = digest[0]
    return dict(sorted(digests.items()))


def hardware() -> dict[str, Any]:
    """Return the hardware of this machine, which also runs the cluster where that is local."""
    cpu_info = _read("/proc/cpuinfo")
    flags = set(_cpu_field(cpu_info, "flags").split())
    flags |= set(_cpu_field(cpu_info, "Features").split())
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    facts: dict[str, Any] = {
        "cores": os.cpu_count() or 0,
        "processor": _cpu_field(cpu_info, "model name") or platform.processor(),
        "architecture": platform.machine(),
        "memory_gibibytes": round(int(memory[1]) / 2**20, 1) if memory else None,
        "vector": [flag for flag in _VECTOR_FLAGS if flag in flags],
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),  # of the last minute: other programs use the cores
    }
    return {name: value for name, value in facts.items() if value not in (None, "", [])}


async def _cluster_facts(cluster: Cluster) -> dict[str, Any]:
    version, nodes, capabilities = await asyncio.gather(
        _or(cluster.api.get("/version"), Object()),
        _or(cluster.list("Node"), list[Object]()),
        _or(find_capabilities(cluster), None),
    )
    info = unstructured.mapping(nodes[0], "status", "nodeInfo") if nodes else {}
    provider = unstructured.text(nodes[0], "spec", "providerID").partition(":")[0] if nodes else ""
    missing = capabilities.missing.items() if capabilities else ()
    facts: dict[str, Any] = {
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
        "cannot": {str(need): why for need, why in missing} if capabilities else None,
    }
    return {name: value for name, value in facts.items() if value not in (None, "", 0)}


async def _model(cluster: Cluster) -> str:
    """Return the model that is served, else the one of the latest remediation."""
    labels = {"app.kubernetes.io/part-of": "reme", "app.kubernetes.io/component": "model"}
    for service in await _or(cluster.list("Service", "", labels), list[Object]()):
        if served := await _served_model(cluster, service):
            return served
    remediations = await _or(cluster.list("Remediation"), list[Object]())
    remediations.sort(
        key=lambda r: unstructured.text(r, "metadata", "creationTimestamp"), reverse=True
    )
    for remediation in remediations:
        for attempt in unstructured.items(remediation, "status", "attempts"):
            generation = unstructured.mapping(attempt, "generation")
            name = unstructured.text(generation, "modelDigest")
            if name := name or unstructured.text(generation, "model"):
                return name
    return ""


async def _served_model(cluster: Cluster, service: Object) -> str:
    meta, ports = service["metadata"], unstructured.items(service, "spec", "ports")
    if not ports:
        return ""
    base = cluster.path("Service", meta["namespace"])
    path = f"{base}/http:{meta['name']}:{ports[0].get('port')}/proxy/v1/models"
    try:
        response = await cluster.api.get_raw(path, _ANSWER_SECONDS)
        if response.status != 200:
            return ""
        model = openai_models.parse_provenance(response.content, "")
    except (ClusterError, ModelError):
        return ""
    adapter = f" with adapter {model.adapter_digest}" if model.adapter_digest else ""
    return (model.model_digest or model.model) + adapter


async def _or(request: Awaitable[_T], default: _T) -> _T:
    """Return the result of a request, or the default when the cluster refuses it."""
    try:
        return await request
    except ClusterError:
        return default


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpu_field(cpu_info: str, name: str) -> str:
    match = re.search(rf"^{name}\s*:\s*(.*)$", cpu_info, re.MULTILINE)
    return match[1].strip() if match else ""

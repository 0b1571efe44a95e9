"""Inspections against a real API server and kubelet: logs as they come, and states as they are."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reme_kube.clock import SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.http_client import ApiClient
from reme_operator.investigation.inspector import ClusterInspector
from reme_operator.investigation.readers.base import Sources
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.container_logs import ContainerLogs
from reme_playbook.inspections.init_containers import InitContainers
from reme_playbook.inspections.node_state import NodeState
from reme_playbook.inspections.object_events import ObjectEvents
from reme_playbook.inspections.resource_usage import ResourceUsage
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

pytestmark = pytest.mark.cluster

IMAGE = "localhost/reme-tools:dev"
# One line of 60 kB that matters, in the middle of thousands that do not.
CHATTY = """
import time
for n in range(6000):
    print(f"GET /items/{n} 200 {n}ms")
    if n == 4500:
        print("x " * 15000 + "db connection refused password=hunter2hunter2 " + "y " * 15000)
print("ready", flush=True)
time.sleep(3600)
"""
CRASHING = "print('loading'); raise SystemExit('FATAL no table items')"
HUNGRY = "x = bytearray(200 * 2**20); x[::4096] = b'x' * len(x[::4096])"


def workload(name: str, program: str, init: str = "") -> dict[str, Any]:
    container = {
        "name": "server",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-u", "-c", program],
        "resources": {
            "limits": {"cpu": "500m", "memory": "64Mi"},
            "requests": {"cpu": "5m", "memory": "16Mi"},
        },
    }
    before = [{**container, "name": "migrate", "command": ["python3", "-u", "-c", init]}]
    spec = {
        "containers": [container],
        "initContainers": before if init else [],
        "terminationGracePeriodSeconds": 1,
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


@pytest.fixture
async def inspector(api: ApiClient) -> AsyncIterator[ClusterInspector]:
    async with ApiCluster(api) as cluster:
        yield ClusterInspector(Sources(cluster, SystemClock()))


async def deploy(api: ApiClient, namespace: str, manifest: dict[str, Any]) -> ObjectRef:
    await api.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", manifest)
    return ObjectRef("Deployment", namespace, manifest["metadata"]["name"])


async def until(
    inspector: ClusterInspector, inspection: Inspection, kind: FindingKind, seconds: float = 45
) -> Finding:
    """Return the first finding of that kind as soon as there is one."""
    snapshot = ClusterSnapshot(target=inspection.subject, objects={}, neighbours={})
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = await inspector.inspect(inspection, snapshot)
        for finding in result.findings:
            if finding.kind is kind:
                return finding
        await asyncio.sleep(0.5)
    raise AssertionError(f"no {kind} within {seconds:.0f} s: {result}")


async def test_one_huge_line_among_thousands_is_found(
    api: ApiClient, namespace: str, inspector: ClusterInspector
) -> None:
    subject = await deploy(api, namespace, workload("chatty", CHATTY))
    finding = await until(inspector, ContainerLogs(subject=subject), FindingKind.LOG_ERROR)
    assert "db connection refused" in finding.text
    assert "hunter2" not in finding.text
    usage = await inspector.inspect(
        ResourceUsage(subject=subject), ClusterSnapshot(subject, objects={}, neighbours={})
    )
    assert usage.error == ""


async def test_the_log_before_a_crash_and_its_events_are_read(
    api: ApiClient, namespace: str, inspector: ClusterInspector
) -> None:
    subject = await deploy(api, namespace, workload("crashing", CRASHING))
    before = ContainerLogs(subject=subject, container="server", previous=True)
    finding = await until(inspector, before, FindingKind.LOG_ERROR)
    assert finding.text.endswith("last before exit code 1: FATAL no table items")
    event = await until(inspector, ObjectEvents(subject=subject), FindingKind.WARNING_EVENT)
    assert event.text.startswith("BackOff of Pod crashing-")


async def test_a_container_that_is_killed_for_memory_is_seen(
    api: ApiClient, namespace: str, inspector: ClusterInspector
) -> None:
    subject = await deploy(api, namespace, workload("hungry", HUNGRY))
    finding = await until(inspector, ResourceUsage(subject=subject), FindingKind.OUT_OF_MEMORY)
    assert "memory limit of 64Mi" in finding.text


async def test_an_init_container_that_fails_is_seen_with_its_log(
    api: ApiClient, namespace: str, inspector: ClusterInspector
) -> None:
    subject = await deploy(api, namespace, workload("waiting", "", init=CRASHING))
    inspection = InitContainers(subject=subject)
    state = await until(inspector, inspection, FindingKind.INIT_CONTAINER_FAILED)
    assert "init container migrate" in state.text
    log = await until(inspector, inspection, FindingKind.LOG_ERROR)
    assert "FATAL no table items" in log.text


async def test_the_node_of_a_pod_is_healthy(
    api: ApiClient, namespace: str, inspector: ClusterInspector
) -> None:
    subject = await deploy(api, namespace, workload("quiet", "import time; time.sleep(3600)"))
    finding = await until(inspector, NodeState(subject=subject), FindingKind.NORMAL)
    assert "healthy" in finding.text or "taint" in finding.text

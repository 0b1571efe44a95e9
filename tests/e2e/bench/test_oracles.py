"""Snapshot, restoration and measurements on a real cluster, in a namespace of this file's own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scoring.restore import restore
from reme_benchmark.scoring.snapshot import Snapshot, diff_snapshots, take_snapshot

pytestmark = pytest.mark.timeout(180)

NAMESPACE = "reme-e2e-oracles"
IMAGE = "localhost/reme-tools:dev"


def workload(name: str, kind: str = "Deployment", replicas: int = 1, calls: str = "") -> Any:
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": name,
                        "image": IMAGE,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["python", "-m", "reme_benchmark.workload"],
                        "env": [{"name": "NAME", "value": name}, {"name": "CALLS", "value": calls}],
                        "envFrom": [{"configMapRef": {"name": "settings"}}],
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "readinessProbe": {
                            "httpGet": {"path": "/healthz", "port": 8080},
                            "periodSeconds": 1,
                        },
                        "resources": {
                            "requests": {"cpu": "10m", "memory": "16Mi"},
                            "limits": {"cpu": "300m", "memory": "64Mi"},
                        },
                    }
                ],
            },
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": spec,
    }


def service(name: str) -> Any:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def system() -> list[Any]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": NAMESPACE},
            "data": {"CPU_MILLISECONDS": "1", "app.mode": "good"},
        },
        workload("web", replicas=2, calls="http://store/"),
        workload("store", "StatefulSet"),
        service("web"),
        service("store"),
    ]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster.from_environment() as made:
        yield made


@pytest.fixture
async def before(cluster: Cluster) -> AsyncIterator[Snapshot]:
    """The namespace, made when it is not there, healthy."""
    await cluster.apply(system()[:1])
    await cluster.apply(system()[1:])
    until = time.monotonic() + 90
    while True:
        taken = await take_snapshot(cluster, NAMESPACE)
        if taken.available == {"Deployment/web": 2, "StatefulSet/store": 1}:
            break
        assert time.monotonic() < until, taken.available
        await asyncio.sleep(0.5)
    yield taken
    done = await restore(cluster, NAMESPACE, taken, ready_seconds=60)
    assert done.ok, done.missing


@pytest.fixture(scope="module", autouse=True)
def gone() -> Iterator[None]:
    """Remove the system in the end."""
    yield
    asyncio.run(_remove())


async def _remove() -> None:
    async with Cluster.from_environment() as cluster:
        for name in (NAMESPACE,):
            await cluster.delete("Namespace", name)


async def test_nothing_is_done_where_nothing_was_changed(
    cluster: Cluster, before: Snapshot, record_property: Callable[[str, object], None]
) -> None:
    await restore(cluster, NAMESPACE, before, ready_seconds=60)
    done = await restore(cluster, NAMESPACE, before, ready_seconds=60)
    record_property("seconds", done.seconds)
    assert (done.changed, done.deleted, done.missing) == ([], [], [])
    assert done.seconds < 1.5


async def test_a_snapshot_survives_being_written_down(cluster: Cluster, before: Snapshot) -> None:
    assert Snapshot.from_json(before.to_json()) == before


async def test_many_changes_are_put_back(
    cluster: Cluster, before: Snapshot, record_property: Callable[[str, object], None]
) -> None:
    node = next(name for name, _ in before.kind("Node"))
    container = {"name": "web", "image": "localhost/absent:1", "resources": {"limits": None}}
    patches: list[tuple[str, str, Any]] = [
        (
            "Deployment",
            "web",
            {"spec": {"replicas": 4, "template": {"spec": {"containers": [container]}}}},
        ),
        ("StatefulSet", "store", {"spec": {"replicas": 0}}),
        ("ConfigMap", "settings", {"data": {"CPU_MILLISECONDS": "no number", "new": "1"}}),
        ("Service", "store", {"spec": {"selector": {"app": "nobody"}}}),
    ]
    for kind, name, body in patches:
        await cluster.patch(kind, name, NAMESPACE, body)
    await cluster.delete("Service", "web", NAMESPACE)
    # It has the labels of the service's pods: it would be asked like one of them.
    stray = {"name": "stray", "namespace": NAMESPACE, "labels": {"app": "store"}}
    container = {"name": "web", "image": IMAGE, "command": ["sleep", "600"]}
    await cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": stray,
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
        }
    )
    await cluster.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "tight", "namespace": NAMESPACE},
            "spec": {"hard": {"pods": "4"}},
        }
    )
    await cluster.create(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "closed", "namespace": NAMESPACE},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }
    )
    try:
        await asyncio.sleep(3)
        # Other tests may run beside this one: the taint keeps nobody's pods away.
        taint = {"key": "reme.dev/e2e", "value": "x", "effect": "PreferNoSchedule"}
        await cluster.patch("Node", node, "", {"spec": {"taints": [taint]}}, "merge")
        changed = diff_snapshots(before, await take_snapshot(cluster, NAMESPACE))
    finally:
        done = await restore(cluster, NAMESPACE, before, ready_seconds=90)
    mapping = {(d.object, d.path): (d.before, d.after) for d in changed}
    web = "spec.template.spec.containers[web]"
    assert mapping["Deployment/web", f"{web}.image"] == (IMAGE, "localhost/absent:1")
    assert mapping["Deployment/web", f"{web}.resources.limits.memory"] == ("64Mi", "")
    assert mapping["Deployment/web", "spec.replicas"] == ("2", "4")
    assert mapping["StatefulSet/store", "spec.replicas"] == ("1", "0")
    assert mapping["ConfigMap/settings", "data.new"] == ("", "1")
    assert mapping["Service/store", "spec.selector.app"] == ("store", "nobody")
    assert mapping["Service/web", ""] == ("exists", "")
    assert mapping["ResourceQuota/tight", ""] == ("", "exists")
    assert mapping["NetworkPolicy/closed", ""] == ("", "exists")
    assert mapping[f"Node/{node}", "spec.taints[reme.dev/e2e:PreferNoSchedule].value"] == ("", "x")
    record_property("seconds", done.seconds)
    assert done.ok, done.missing
    after = await take_snapshot(cluster, NAMESPACE)
    assert diff_snapshots(before, after) == []
    assert "stray" not in {pod.name for pod in after.pods}
    assert after.available == before.available
    assert all(pod.ready and not pod.restarts for pod in after.pods)
    services = {name: o["spec"]["clusterIP"] for name, o in after.kind("Service")}
    assert services == {name: o["spec"]["clusterIP"] for name, o in before.kind("Service")}


async def test_a_crashing_release_is_gone_and_cannot_be_rolled_back_to(
    cluster: Cluster, before: Snapshot, record_property: Callable[[str, object], None]
) -> None:
    crash = {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "command": ["false"]}]}}}
    }
    await cluster.patch("Deployment", "web", NAMESPACE, crash)
    await cluster.patch(
        "StatefulSet",
        "store",
        NAMESPACE,
        {"spec": {"template": {"spec": {"containers": [{"name": "store", "command": ["false"]}]}}}},
    )
    await asyncio.sleep(8)
    done = await restore(cluster, NAMESPACE, before, ready_seconds=90)
    record_property("seconds", done.seconds)
    assert done.ok, done.missing
    assert diff_snapshots(before, await take_snapshot(cluster, NAMESPACE)) == []
    sets = await cluster.list("ReplicaSet", NAMESPACE)
    assert [s["spec"]["template"]["spec"]["containers"][0]["command"][0] for s in sets] == [
        "python"
    ]
    revisions = await cluster.list("ControllerRevision", NAMESPACE)
    assert len(revisions) == 1


async def test_what_was_deleted_or_cannot_be_changed_back_is_made_again(
    cluster: Cluster, before: Snapshot, record_property: Callable[[str, object], None]
) -> None:
    await cluster.delete("Deployment", "web", NAMESPACE)
    await cluster.delete("ConfigMap", "settings", NAMESPACE)
    other = workload("web")
    other["spec"]["selector"]["matchLabels"]["app"] = "other"
    other["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    await asyncio.sleep(0.5)
    await cluster.create(other)
    done = await restore(cluster, NAMESPACE, before, ready_seconds=90)
    record_property("seconds", done.seconds)
    assert done.ok, done.missing
    assert diff_snapshots(before, await take_snapshot(cluster, NAMESPACE)) == []

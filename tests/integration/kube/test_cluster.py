"""The cluster as the core sees it, over real HTTP, against a fake API server."""

import json
import logging
from typing import Any

import pytest
from aiohttp import web

from reme_api.base import ArtifactReference
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_api.reasons import Outcome
from reme_api.remediation import Remediation
from reme_kube import workloads
from reme_kube.cluster import ApiCluster
from reme_kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForeignObjectError,
    NotFoundError,
    TamperedError,
    UnreadableError,
)
from reme_kube.events import EventType
from reme_kube.http_client import ApiClient
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, JOBS, PODS
from tests.support.stub_api import StubApi, refusal

REPORTS = "/apis/reme.dev/v1alpha1/namespaces/shop/diagnosisreports"
REMEDIATIONS = "/apis/reme.dev/v1alpha1/namespaces/shop/remediations"
TEXTS = "/api/v1/namespaces/shop/configmaps"


@pytest.fixture
def cluster(api: ApiClient) -> Cluster:
    return ApiCluster(api)


def report(name: str = "r") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"target": {"kind": "Deployment", "name": "cart"}, "fault": {"type": "oom"}},
    }


def remediation(name: str = "r-1") -> dict[str, Any]:
    spec = report()["spec"] | {
        "reportRef": {"name": "r", "uid": "u"},
        "probes": [],
        "policy": {"name": "p", "namespace": "shop", "spec": {}},
    }
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


async def read(server: StubApi, cluster: Cluster) -> Remediation:
    server.put(f"{REMEDIATIONS}/r-1", remediation())
    return await cluster.get_object(Remediation, "shop", "r-1")


async def test_a_status_is_written_once_per_version(server: StubApi, cluster: Cluster) -> None:
    first = await read(server, cluster)
    first.status.outcome = Outcome.VERIFIED
    second = await cluster.write_status(first)
    assert second.status.outcome is Outcome.VERIFIED
    assert second.metadata.resource_version != first.metadata.resource_version
    with pytest.raises(ConflictError):
        await cluster.write_status(first)
    method, path, _ = server.requests[-1]
    assert (method, path) == ("PUT", f"{REMEDIATIONS}/r-1/status")
    assert "spec" not in server.bodies[-1]


async def test_an_object_is_created_without_what_the_server_decides(
    server: StubApi, cluster: Cluster
) -> None:
    made = await cluster.create_object(Remediation.model_validate(remediation()))
    assert made.metadata.uid == "uid-1"
    sent = server.bodies[-1]
    assert sent["kind"] == "Remediation"
    assert "status" not in sent
    assert not {"uid", "resourceVersion", "generation"} & sent["metadata"].keys()
    with pytest.raises(AlreadyExistsError):
        await cluster.create_object(Remediation.model_validate(remediation()))


async def test_an_object_that_does_not_fit_is_left_out_told_and_counted(
    server: StubApi, api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.put(f"{REPORTS}/good", report("good"))
    bad = report("bad")
    bad["spec"]["target"]["kind"] = "Secret"
    server.put(f"{REPORTS}/bad", bad)
    counted: list[str] = []
    cluster = ApiCluster(api, on_unreadable=counted.append)
    with caplog.at_level(logging.WARNING):
        reports = await cluster.list_objects(DiagnosisReport, "shop")
    assert [one.metadata.name for one in reports] == ["good"]
    assert counted == ["DiagnosisReport"]
    assert "object_unreadable" in caplog.text
    with pytest.raises(UnreadableError, match=r"DiagnosisReport shop/bad: spec\.target\.kind"):
        await cluster.get_object(DiagnosisReport, "shop", "bad")


async def test_only_watched_namespaces_are_listed(server: StubApi, api: ApiClient) -> None:
    for namespace in ("a", "b", "c"):
        path = f"/apis/reme.dev/v1alpha1/namespaces/{namespace}/remediationpolicies/p"
        server.put(path, {"metadata": {"name": "p", "namespace": namespace}})
    cluster = ApiCluster(api, watched=["a", "c"])
    policies = await cluster.list_objects(RemediationPolicy)
    assert [one.metadata.namespace for one in policies] == ["a", "c"]


async def test_labels_select(server: StubApi, cluster: Cluster) -> None:
    server.put("/api/v1/namespaces/shop/pods/p", {})
    await cluster.list_resource(PODS, "shop", {"b": "2", "a": "1"})
    assert server.requests[-1][2]["labelSelector"] == "a=1,b=2"


def owned(path: str, name: str, owner: str, **more: Any) -> tuple[str, dict[str, Any]]:
    reference = {"uid": owner, "controller": True}
    meta = {"name": name, "uid": f"uid-of-{name}", "ownerReferences": [reference]}
    return f"{path}/{name}", {"metadata": meta | more.pop("metadata", {}), **more}


async def test_revisions_and_pods_belong_by_ownership(server: StubApi, cluster: Cluster) -> None:
    sets, pods = "/apis/apps/v1/namespaces/shop/replicasets", "/api/v1/namespaces/shop/pods"
    workload = {
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "uid": "d"},
        "spec": {"selector": {"matchLabels": {"app": "cart"}}},
    }
    for name, owner, number in (
        ("rs-9", "d", "9"),
        ("rs-10", "d", "10"),
        ("rs-x", "other", "11"),
        ("rs-odd", "d", "²"),
        ("rs-long", "d", "9" * 5000),
    ):
        path, item = owned(sets, name, owner)
        item["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": number}
        server.put(path, item)
    for name, owner, born in (
        ("young", "uid-of-rs-10", "2026-01-02"),
        ("old", "uid-of-rs-9", "2026-01-01"),
        ("foreign", "uid-of-rs-x", "2026-01-03"),
    ):
        path, item = owned(pods, name, owner)
        item["metadata"]["creationTimestamp"] = born
        server.put(path, item)
    revisions = await cluster.revisions(workload)
    names = [one["metadata"]["name"] for one in revisions]
    assert names == ["rs-10", "rs-9", "rs-long", "rs-odd"], "what is no number comes last"
    assert revisions[0]["kind"] == "ReplicaSet"
    objects = await cluster.pods(workload)
    assert [one["metadata"]["name"] for one in objects] == ["old", "young"]
    assert server.requests[-1][2]["labelSelector"] == "app=cart"


async def test_a_stateful_set_has_controller_revisions(server: StubApi, cluster: Cluster) -> None:
    path = "/apis/apps/v1/namespaces/shop/controllerrevisions"
    for name, number in (("c-2", 2), ("c-10", 10)):
        server.put(*owned(path, name, "s", revision=number))
    workload = {
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop", "uid": "s"},
        "spec": {"selector": {"matchLabels": {"app": "db"}}},
    }
    revisions = await cluster.revisions(workload)
    assert [one["revision"] for one in revisions] == [10, 2]


async def test_a_kind_that_is_no_workload_does_not_exist(cluster: Cluster) -> None:
    with pytest.raises(NotFoundError):
        await cluster.workload("Secret", "shop", "x")


async def test_a_missing_metrics_server_is_told_apart(server: StubApi, cluster: Cluster) -> None:
    server.script.append(web.Response(text="404 page not found", status=404))
    with pytest.raises(NotFoundError):
        await cluster.pod_metrics("shop", {"app": "cart"})


# What the operator makes ----------------------------------------------------------------------


def job(uid: str = "one", **more: Any) -> dict[str, Any]:
    labels = {"reme.dev/remediation-uid": uid}
    meta = {"name": "reme-1", "namespace": "reme-system", "labels": labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, **more}


async def test_the_same_run_is_adopted_and_a_foreign_one_is_not(
    server: StubApi, cluster: Cluster
) -> None:
    first = await cluster.create_or_adopt(job())
    again = await cluster.create_or_adopt(job())
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    with pytest.raises(ForeignObjectError, match="reme-1"):
        await cluster.create_or_adopt(job("two"))


async def test_what_is_being_deleted_is_not_adopted(server: StubApi, cluster: Cluster) -> None:
    await cluster.create_or_adopt(job())
    path = "/apis/batch/v1/namespaces/reme-system/jobs/reme-1"
    server.objects[path]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(ConflictError, match="being deleted"):
        await cluster.create_or_adopt(job())


def binding(subject: str) -> dict[str, Any]:
    return job() | {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "subjects": [{"kind": "ServiceAccount", "name": subject, "namespace": "reme-system"}],
    }


async def test_a_binding_prepared_by_somebody_else_is_not_adopted(
    server: StubApi, cluster: Cluster
) -> None:
    await cluster.create_or_adopt(binding("intruder"))
    with pytest.raises(ForeignObjectError, match="different content"):
        await cluster.create_or_adopt(binding("reme-1"))


async def test_an_input_with_another_playbook_is_not_adopted(
    server: StubApi, cluster: Cluster
) -> None:
    def given(text: str) -> dict[str, Any]:
        head = job() | {"apiVersion": "v1", "kind": "ConfigMap"}
        return head | {"immutable": True, "data": {"playbook.json": text}}

    await cluster.create_or_adopt(given("[]"))
    await cluster.create_or_adopt(given("[]"))
    with pytest.raises(ForeignObjectError):
        await cluster.create_or_adopt(given("[1]"))


async def test_a_result_that_the_run_has_written_is_still_adopted(
    server: StubApi, cluster: Cluster
) -> None:
    empty = job() | {"apiVersion": "v1", "kind": "ConfigMap", "data": {"result.json": ""}}
    await cluster.create_or_adopt(json.loads(json.dumps(empty)))
    path = "/api/v1/namespaces/reme-system/configmaps/reme-1"
    server.objects[path]["data"] = {"result.json": "{}"}
    obj = await cluster.create_or_adopt(empty)
    assert obj["data"] == {"result.json": "{}"}


async def test_a_kind_out_of_bounds_is_never_sent(server: StubApi, cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="Secret"):
        await cluster.create_or_adopt(job() | {"apiVersion": "v1", "kind": "Secret"})
    assert server.requests == []


async def test_delete_says_whether_it_was_there_and_spares_a_namesake(
    server: StubApi, cluster: Cluster
) -> None:
    obj = await cluster.create_or_adopt(job())
    assert not await cluster.delete(JOBS, "reme-system", "reme-1", "another-uid")
    assert await cluster.delete(JOBS, "reme-system", "reme-1", obj["metadata"]["uid"])
    assert not await cluster.delete(JOBS, "reme-system", "reme-1")
    assert server.bodies[0] is not None
    assert server.bodies[-1]["propagationPolicy"] == "Background"


async def test_the_first_text_wins_and_is_what_its_digest_says(
    server: StubApi, cluster: Cluster
) -> None:
    owner = await read(server, cluster)
    reference, text = await cluster.store_artifact(owner, "r-1-1-reply", "reply.json", "first")
    again, old = await cluster.store_artifact(owner, "r-1-1-reply", "reply.json", "second")
    assert (text, old) == ("first", "first")
    assert again == reference
    assert await cluster.read_artifact("shop", reference) == "first"
    obj = server.objects[f"{TEXTS}/r-1-1-reply"]
    assert obj["immutable"] is True
    assert obj["metadata"]["ownerReferences"][0]["uid"] == owner.metadata.uid


async def test_a_text_that_was_exchanged_is_noticed(server: StubApi, cluster: Cluster) -> None:
    owner = await read(server, cluster)
    reference, _ = await cluster.store_artifact(owner, "t", "k", "first")
    server.objects[f"{TEXTS}/t"]["data"] = {"k": "other"}
    with pytest.raises(TamperedError):
        await cluster.read_artifact("shop", reference)
    with pytest.raises(TamperedError):
        await cluster.read_artifact("shop", reference.model_copy(update={"key": "missing"}))


@pytest.mark.parametrize(
    "change",
    [
        {"immutable": False},
        {"data": {"k": "x", "more": "y"}},
        {"metadata": {"name": "t", "labels": {}}},
    ],
    ids=["mutable", "other keys", "no owner"],
)
async def test_a_text_prepared_by_somebody_else_is_not_taken(
    server: StubApi, cluster: Cluster, change: dict[str, Any]
) -> None:
    owner = await read(server, cluster)
    await cluster.store_artifact(owner, "t", "k", "first")
    server.objects[f"{TEXTS}/t"] |= change
    with pytest.raises(ForeignObjectError):
        await cluster.store_artifact(owner, "t", "k", "first")


async def test_a_reference_to_nothing_is_not_found(cluster: Cluster) -> None:
    reference = ArtifactReference(name="t", key="k", digest="sha256:" + "0" * 64)
    with pytest.raises(NotFoundError):
        await cluster.read_artifact("shop", reference)
    with pytest.raises(NotFoundError):
        await cluster.get(CONFIG_MAPS, "shop", "t")


async def test_an_event_is_posted_once_and_never_fails(server: StubApi, cluster: Cluster) -> None:
    about = await read(server, cluster)
    for message in ("held", "held", "other"):
        await cluster.post_event(about, EventType.WARNING, "Verified", "Verify", message)
    events = [obj for path, obj in server.objects.items() if "/events/" in path]
    assert sorted(one["message"] for one in events) == ["held", "other"]
    assert events[0]["involvedObject"]["uid"] == about.metadata.uid
    server.script += [refusal(403, "Forbidden", "terminating")]
    await cluster.post_event(about, EventType.NORMAL, "Verified", "Verify", "third")


async def test_ping(server: StubApi, cluster: Cluster) -> None:
    server.put("/version", {})
    await cluster.ping()


async def test_a_list_without_end_is_given_up(
    server: StubApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workloads, "MAX_OBJECTS", 2)
    for number in range(3):
        server.put(f"/api/v1/namespaces/shop/pods/p-{number}", {})
    with pytest.raises(UnreadableError, match="more than 2 pods"):
        await cluster.list_resource(PODS, "shop")

"""The operator's client against a real API server."""

import asyncio
import json

import pytest

from reme_api.conditions import Status, set_condition
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_kube.clock import SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForeignObjectError,
    InvalidError,
    NotFoundError,
)
from reme_kube.events import EventType
from reme_kube.http_client import ApiClient
from reme_kube.leader_election import ApiLeaseStore, LeaderElector, LeaseTimes
from reme_kube.resources import CONFIG_MAPS, EVENTS, ROLE_BINDINGS, RUN_GRANTS
from tests.e2e.crds.conftest import gone
from tests.support.objects import made

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster(api: ApiClient, namespace: str) -> ApiCluster:
    return ApiCluster(api, watched=[namespace])


async def remediation(cluster: ApiCluster, namespace: str) -> Remediation:
    return await cluster.create_object(Remediation.model_validate(made("Remediation", namespace)))


async def test_a_status_is_written_whole_and_only_on_what_was_read(
    cluster: ApiCluster, namespace: str
) -> None:
    first = await remediation(cluster, namespace)
    clock = SystemClock()
    first.status.attempts.append(Attempt(number=1, start_time=clock.now()))
    first.status.message = "going on"
    first.status.conditions = set_condition(
        [],
        ConditionType.SUCCEEDED,
        Status.UNKNOWN,
        Reason.IN_PROGRESS,
        "",
        generation=1,
        now=clock.now(),
    )
    second = await cluster.write_status(first)
    assert second.status.attempts[0].number == 1
    assert second.spec == first.spec
    with pytest.raises(ConflictError):
        await cluster.write_status(first)
    second.status.attempts = []
    second.status.outcome = Outcome.CANCELLED
    third = await cluster.write_status(second)
    assert third.status.attempts == [], "what is left out is gone"
    assert third.metadata.generation == first.metadata.generation
    third.status.outcome = Outcome.VERIFIED
    with pytest.raises(InvalidError, match="outcome is immutable"):
        await cluster.write_status(third)


async def test_objects_are_found_by_kind_and_label(cluster: ApiCluster, namespace: str) -> None:
    report = DiagnosisReport.model_validate(made("DiagnosisReport", namespace))
    report.metadata.labels = {"team": "one"}
    created = await cluster.create_object(report)
    with pytest.raises(AlreadyExistsError):
        await cluster.create_object(report)
    reports = await cluster.list_objects(DiagnosisReport, labels={"team": "one"})
    assert [one.metadata.uid for one in reports] == [created.metadata.uid]
    name = created.metadata.name
    assert not await cluster.delete_object(DiagnosisReport, namespace, name, uid="another")
    assert await cluster.delete_object(DiagnosisReport, namespace, name, uid=created.metadata.uid)
    with pytest.raises(NotFoundError):
        await cluster.get_object(DiagnosisReport, namespace, name)


async def test_texts_are_kept_once_and_go_with_their_remediation(
    api: ApiClient, cluster: ApiCluster, namespace: str
) -> None:
    owner = await remediation(cluster, namespace)
    name = f"{owner.metadata.name}-1-playbook"
    text = json.dumps({"text": "ü" * 1000})
    reference, stored = await cluster.store_artifact(owner, name, "playbook.json", text)
    assert stored == text
    assert (await cluster.store_artifact(owner, name, "playbook.json", "other"))[1] == text
    assert await cluster.read_artifact(namespace, reference) == text
    await cluster.delete_object(Remediation, namespace, owner.metadata.name)
    await gone(api, CONFIG_MAPS.path(namespace, name))


async def test_what_a_run_needs_is_adopted_by_its_own_only(
    cluster: ApiCluster, namespace: str
) -> None:
    grant = made("RunGrant", namespace)
    grant["metadata"]["labels"] = {"reme.dev/remediation-uid": "one"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": grant["metadata"],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "x", "namespace": namespace}],
    }
    for resource, manifest in ((RUN_GRANTS, grant), (ROLE_BINDINGS, binding)):
        first = await cluster.create_or_adopt(manifest)
        again = await cluster.create_or_adopt(manifest)
        assert again["metadata"]["uid"] == first["metadata"]["uid"]
        other = json.loads(json.dumps(manifest).replace('"one"', '"two"'))
        with pytest.raises(ForeignObjectError):
            await cluster.create_or_adopt(other)
        name = manifest["metadata"]["name"]
        assert await cluster.delete(resource, namespace, name, first["metadata"]["uid"])


async def test_an_event_is_about_its_object(cluster: ApiCluster, namespace: str) -> None:
    about = await remediation(cluster, namespace)
    for _ in range(2):
        await cluster.post_event(about, EventType.NORMAL, "Verified", "Verify", "it held")
    events = await cluster.events(namespace, [about.metadata.name])
    assert [(e["reason"], e["message"]) for e in events] == [("Verified", "it held")]
    assert len(await cluster.list_resource(EVENTS, namespace)) >= 1


async def test_the_system_itself_can_be_read(cluster: ApiCluster) -> None:
    workloads = await cluster.workloads("kube-system")
    deployment = next(w for w in workloads if w["kind"] == "Deployment")
    revisions = await cluster.revisions(deployment)
    assert revisions[0]["spec"]["template"]["spec"]["containers"]
    pods = await cluster.pods(deployment)
    assert len(pods) == deployment["spec"]["replicas"]
    writers = [entry for pod in pods for entry in pod["metadata"]["managedFields"]]
    assert writers
    assert not any(fields for entry in writers for fields in entry["fieldsV1"].values())
    await cluster.ping()


async def test_one_of_two_leads_and_the_other_follows_at_once(
    api: ApiClient, namespace: str
) -> None:
    store = ApiLeaseStore(api, namespace, "leader")
    times = LeaseTimes(duration=6, renew=4, retry=1)
    one = LeaderElector(store, SystemClock(), "one", times)
    two = LeaderElector(store, SystemClock(), "two", times)
    await one.acquire()
    waiting = asyncio.create_task(two.acquire())
    await asyncio.sleep(2.5)
    assert (one.leading, two.leading, two.holder) == (True, False, "one")
    await one.release()
    async with asyncio.timeout(3):
        await waiting
    assert (one.leading, two.leading) == (False, True)
    lease = await store.read()
    assert lease["spec"]["leaseTransitions"] == 2
    await two.release()

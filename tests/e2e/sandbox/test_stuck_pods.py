"""The run that rolls a StatefulSet back deletes the pods that are stuck, and no others."""

from collections.abc import Iterator

import pytest

from tests.e2e.sandbox.conftest import Object, RunAdmission, eventually

pytestmark = pytest.mark.cluster

LABEL = "controller-revision-hash"
LEFT, BACK = "ledger-broken", "ledger-good"


def pod(name: str, revision: str | None) -> Object:
    labels = {} if revision is None else {LABEL: revision}
    spec = {"nodeSelector": {"nowhere": "true"}, "containers": [{"name": "a", "image": "x:1"}]}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def path(admission: RunAdmission, name: str) -> str:
    return f"/api/v1/namespaces/{admission.shop}/pods/{name}"


@pytest.fixture(scope="module")
def granted(admission: RunAdmission) -> Iterator[RunAdmission]:
    """A grant to delete ledger-1 to ledger-3 while they are of the revision that is left."""
    pods = {"ledger-0": LEFT, "ledger-1": LEFT, "ledger-2": BACK, "ledger-3": None}
    collection = path(admission, "").rstrip("/")
    for name, revision in pods.items():
        assert admission.api("POST", collection, pod(name, revision)).status == 201
    rules = [admission.rule("pods", f"ledger-{n}", verb="DELETE") for n in (1, 2, 3)]
    admission.grant(*({**rule, "matchLabels": {LABEL: LEFT}} for rule in rules))
    yield admission
    for name in pods:
        admission.api("DELETE", f"{path(admission, name)}?gracePeriodSeconds=0")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ledger-0", "does not allow it to DELETE pods"),
        ("ledger-2", f"only while it has the labels {LABEL}={LEFT}"),
        ("ledger-3", f"only while it has the labels {LABEL}={LEFT}"),
    ],
)
def test_no_other_pod_is_deleted(granted: RunAdmission, name: str, message: str) -> None:
    reply = granted.api("DELETE", f"{path(granted, name)}?dryRun=All", by=granted.identity)
    assert reply.refused_by_admission, reply
    assert message in reply.message


def test_a_grant_of_a_deletion_is_for_nothing_else(granted: RunAdmission) -> None:
    body = {"metadata": {"labels": {LABEL: BACK}}}
    reply = granted.api(
        "PATCH", f"{path(granted, 'ledger-1')}?dryRun=All", body, by=granted.identity
    )
    assert reply.refused_by_admission, reply
    collection = f"{path(granted, '').rstrip('/')}?dryRun=All&labelSelector={LABEL}%3D{LEFT}"
    assert granted.api("DELETE", collection, by=granted.identity).refused_by_admission


def test_the_pod_that_is_stuck_is_deleted_and_its_replacement_is_not(granted: RunAdmission) -> None:
    where = path(granted, "ledger-1")
    reply = granted.api("DELETE", f"{where}?gracePeriodSeconds=0", by=granted.identity)
    assert reply.status == 200, reply
    eventually(lambda: granted.api("GET", where).status == 404)
    collection = path(granted, "").rstrip("/")
    assert granted.api("POST", collection, pod("ledger-1", BACK)).status == 201
    again = granted.api("DELETE", f"{where}?gracePeriodSeconds=0", by=granted.identity)
    assert again.refused_by_admission, again

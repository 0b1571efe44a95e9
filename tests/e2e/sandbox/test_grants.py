"""Nobody deletes the grant of a run that has permissions, and nobody changes a grant."""

from typing import Any

import pytest

from tests.e2e.sandbox.conftest import RUN, Identity, RunAdmission, eventually, helm_template

pytestmark = pytest.mark.cluster

ROOT = Identity("root", ("system:masters",), None)
OTHERS = {
    "an administrator": ROOT,
    "the operator of another release": Identity(
        "system:serviceaccount:elsewhere:reme-operator", ("system:masters",), None
    ),
    "the controller of namespaces": Identity(
        "system:serviceaccount:kube-system:namespace-controller", ("system:masters",), None
    ),
}
LATER = {"spec": {"notAfter": "2199-01-01T00:00:00Z"}}


def grants(admission: RunAdmission, *name: str) -> str:
    return "/".join([f"/apis/reme.dev/v1alpha1/namespaces/{admission.system}/rungrants", *name])


@pytest.fixture(scope="module")
def granted(admission: RunAdmission) -> RunAdmission:
    admission.grant(
        admission.rule("configmaps", "settings", "data[url]", values={"data[url]": "right"})
    )
    return admission


@pytest.mark.parametrize("who", sorted(OTHERS))
def test_nobody_deletes_a_grant(granted: RunAdmission, who: str) -> None:
    for path in (grants(granted, RUN), grants(granted)):
        reply = granted.api("DELETE", f"{path}?dryRun=All", by=OTHERS[who])
        assert reply.refused_by_admission, reply
        assert "turn on the kill switch" in reply.message
    held = granted.api("DELETE", f"{grants(granted, RUN)}?dryRun=All", by=granted.operator)
    assert held.status == 200, held


def test_nobody_changes_a_grant(granted: RunAdmission) -> None:
    # Two policies refuse the operator; the API server reports either of them.
    for by, texts in ((ROOT, ("immutable",)), (granted.operator, ("immutable", "once it is"))):
        reply = granted.api(
            "PATCH",
            f"{grants(granted, RUN)}?dryRun=All",
            LATER,
            by=by,
            content_type="application/merge-patch+json",
        )
        assert reply.refused_by_admission, reply
        assert any(text in reply.message for text in texts)


def test_a_grant_is_deleted_with_its_namespace(granted: RunAdmission) -> None:
    """Otherwise nobody could uninstall reme."""
    place, name = f"{granted.system}-going", f"{granted.fullname}-going"
    policy = helm_template(name, place, "templates/sandbox/grant-protection-policy.yaml")
    head = {"apiVersion": "reme.dev/v1alpha1", "kind": "RunGrant", "metadata": {"name": RUN}}
    spec: Any = {"username": "x", "notAfter": "2099-01-01T00:00:00Z", "rules": []}
    path = f"/apis/reme.dev/v1alpha1/namespaces/{place}/rungrants"
    granted.kubectl.run("create", "namespace", place)
    try:
        granted.kubectl.run("apply", "-f", "-", stdin=policy)
        assert granted.api("POST", path, {**head, "spec": spec}).status == 201
        eventually(lambda: granted.api("DELETE", f"{path}/{RUN}?dryRun=All").refused_by_admission)
        granted.kubectl.run("delete", "namespace", place, "--wait=false")
        gone = f"/api/v1/namespaces/{place}"
        eventually(lambda: granted.api("GET", gone).status == 404, 90)
    finally:
        granted.kubectl.run("delete", "--ignore-not-found", "-f", "-", stdin=policy)
        granted.kubectl.run("delete", "namespace", place, "--ignore-not-found", "--wait=false")

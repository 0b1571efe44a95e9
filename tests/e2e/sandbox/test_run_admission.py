"""What the run admission policy allows, when neither validation nor RBAC refuses."""

from typing import Any

import pytest

from tests.e2e.sandbox.conftest import RUN, Identity, Object, RunAdmission, eventually
from tests.e2e.sandbox.write_cases import ALLOWED, EARLIER, REFUSED
from tests.e2e.sandbox.writes import MERGE, Write, annotated, deployment, send

pytestmark = pytest.mark.cluster

APP = "spec.template.spec.containers[app]"
MARK = "spec.template.metadata.annotations[reme.dev/restarted-at]"


def earlier(admission: RunAdmission) -> Object:
    """Return the template of db with its earlier container, as a rollback writes it."""
    path = f"/apis/apps/v1/namespaces/{admission.shop}/statefulsets/db"
    template = admission.api("GET", path).body["spec"]["template"]
    (app,) = template["spec"]["containers"]
    spec = {**template["spec"], "containers": [{**app, **EARLIER[0]}]}
    return {"labels": template["metadata"]["labels"], "annotations": {}, "spec": spec}


@pytest.fixture(scope="module")
def granted(admission: RunAdmission) -> RunAdmission:
    """A run with a grant for one write to each kind of object."""
    admission.grant(
        admission.rule(
            "deployments",
            "cart",
            MARK,
            f"{APP}.resources",
            f"{APP}.resources.limits.cpu",
            f"{APP}.image",
            f"{APP}.env[MODE]",
            f"{APP}.env[ADDED]",
            f"{APP}.env[OLD]",
            f"{APP}.readinessProbe",
            f"{APP}.livenessProbe",
            values={
                MARK: "now",
                f"{APP}.resources.limits.memory": "131072Ki",
                f"{APP}.resources.requests.cpu": "20m",
                f"{APP}.image": "localhost/cart:2",
                f"{APP}.env[MODE].value": "fast",
                f"{APP}.env[ADDED].value": "1",
                f"{APP}.readinessProbe.httpGet.path": "/x",
                f"{APP}.readinessProbe.httpGet.port": 1,
                f"{APP}.readinessProbe.periodSeconds": 3,
                f"{APP}.livenessProbe.timeoutSeconds": 3,
            },
        ),
        admission.rule("deployments", "guarded", "spec.paused", values={"spec.paused": True}),
        admission.rule("deployments/scale", "cart", "spec.replicas", values={"spec.replicas": 2}),
        admission.rule(
            "statefulsets", "db", "spec.template", values={"spec.template": earlier(admission)}
        ),
        admission.rule(
            "daemonsets",
            "agent",
            "spec.template.spec.containers[app].image",
            values={f"{APP}.image": "localhost/agent:2"},
        ),
        admission.rule(
            "services",
            "cart",
            "spec.selector[app]",
            "spec.selector[x]",
            "spec.ports[80].targetPort",
            values={"spec.selector[app]": "cart", "spec.ports[80].targetPort": 8080},
        ),
        admission.rule("configmaps", "settings", "data[url]", values={"data[url]": "right"}),
        admission.rule("pods", "cart-0", verb="DELETE"),
        # Grants that nobody should write, and that must have no effect.
        admission.rule("secrets", "password", "data[password]"),
        admission.rule("pods", "cart-1"),
        admission.rule("deployments", "other", verb="DELETE"),
    )
    return admission


@pytest.fixture(scope="module")
def targets(granted: RunAdmission) -> RunAdmission:
    """Objects in reme's namespace that the refused writes target."""
    for name in (f"{RUN}-result", "reme-0a1b2c3d-2-result"):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        granted.api("POST", f"/api/v1/namespaces/{granted.system}/configmaps", body)
    obj = granted.api("GET", f"/apis/apps/v1/namespaces/{granted.shop}/deployments/cart").body
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart"},
        "spec": obj["spec"],
    }
    granted.api("POST", f"/apis/apps/v1/namespaces/{granted.system}/deployments", body)
    return granted


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_a_granted_write_is_allowed(targets: RunAdmission, name: str) -> None:
    reply = send(targets, ALLOWED[name])
    assert reply.status == 200, reply


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_any_other_write_is_refused(targets: RunAdmission, name: str) -> None:
    reply = send(targets, REFUSED[name])
    assert reply.refused_by_admission, reply


# A connection has no dry run: it is refused before it is opened.
_CONNECTIONS = {"attach", "exec", "port-forward", "proxy"}


# An administrator may not either: see test_grants.
_NOBODY = {"own-grant", "no-grant-any-more"}


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - _CONNECTIONS - _NOBODY))
def test_each_refused_write_is_possible_for_others(targets: RunAdmission, name: str) -> None:
    """A write that the server refuses to everybody would prove nothing."""
    reply = send(targets, REFUSED[name], Identity("root", ("system:masters",), None))
    assert "ValidatingAdmissionPolicy" not in reply.message
    assert reply.status in (200, 201), reply


def test_a_scale_without_its_grant_is_refused(targets: RunAdmission) -> None:
    write = Write("PATCH", "/apis/apps/v1/namespaces/{shop}/statefulsets/db/scale")
    reply = send(targets, write._replace(body={"spec": {"replicas": 3}}))
    assert reply.refused_by_admission


def test_a_token_that_is_bound_to_no_pod_may_not_write(targets: RunAdmission) -> None:
    for pod in (None, "reme-0a1b2c3d-2-x7k2p"):
        by = Identity.run(targets.system, pod=pod)
        refused = send(targets, ALLOWED["restart"], by, dry=False)
        assert "only be used by the pod" in refused.message
        # The operator uses such a token for dry runs, to which the policy applies as well.
        assert send(targets, ALLOWED["restart"], by).status == 200
        assert send(targets, REFUSED["other-deployment"], by).refused_by_admission


def test_a_run_without_a_grant_may_create_nothing(targets: RunAdmission) -> None:
    by = Identity.run(targets.system, "reme-0a1b2c3d-9")
    assert send(targets, REFUSED["new-config"], by).refused_by_admission
    assert send(targets, REFUSED["secret"], by).refused_by_admission


def test_other_users_are_not_restricted(targets: RunAdmission) -> None:
    by = Identity("system:serviceaccount:default:reme-0a1b2c3d-1", ("system:masters",), None)
    assert send(targets, REFUSED["other-deployment"], by).status == 200


def test_a_grant_expires(admission: RunAdmission) -> None:
    run = "reme-0a1b2c3d-2"
    by = Identity.run(admission.system, run)
    rule = admission.rule("deployments", "other", MARK, values={MARK: "later"})
    write = Write("PATCH", deployment("other"), annotated(**{"reme.dev/restarted-at": "later"}))
    admission.grant(rule, run=run)
    assert send(admission, write, by).status == 200
    admission.grant(rule, run=run, not_after="2020-01-01T00:00:00Z")
    eventually(lambda: send(admission, write, by).status != 200)
    refused = send(admission, write, by)
    assert refused.refused_by_admission
    assert "expired at" in refused.message
    # Changing the time of its managed fields does not help.
    early = {
        "manager": "forger",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": "2019-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {}}}}},
    }
    path = f"{write.path}?fieldManager=forger"
    forgeries: list[Any] = [[{}], [], None, [early]]
    for forged in forgeries:
        body = {**write.body, "metadata": {"managedFields": forged}}
        reply = send(admission, Write("PATCH", path, body, MERGE), by)
        assert reply.refused_by_admission, (forged, reply)

"""What the API server lets a run do, when neither gate nor RBAC stands in the way."""

from typing import Any, NamedTuple

import pytest

from tests.e2e.sandbox.conftest import RUN, Fence, Identity, Object, eventually

pytestmark = pytest.mark.cluster

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
APP = "spec.template.spec.containers[app]"
MARK = "spec.template.metadata.annotations[reme.dev/restarted-at]"
EARLIER = [{"name": "app", "image": "localhost/db:0", "args": ["x"]}]


def earlier(fence: Fence) -> Object:
    """Return what a rollback of db brings: its template, but for a container of before."""
    path = f"/apis/apps/v1/namespaces/{fence.shop}/statefulsets/db"
    found = fence.api("GET", path).body["spec"]["template"]
    (app,) = found["spec"]["containers"]
    spec = {**found["spec"], "containers": [{**app, **EARLIER[0]}]}
    return {"labels": found["metadata"]["labels"], "annotations": {}, "spec": spec}


@pytest.fixture(scope="module")
def granted(fence: Fence) -> Fence:
    """A run that may do one thing to each kind of object."""
    fence.grant(
        fence.rule(
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
        fence.rule("deployments", "guarded", "spec.paused", values={"spec.paused": True}),
        fence.rule("deployments/scale", "cart", "spec.replicas", values={"spec.replicas": 2}),
        fence.rule("statefulsets", "db", "spec.template", values={"spec.template": earlier(fence)}),
        fence.rule(
            "daemonsets",
            "agent",
            "spec.template.spec.containers[app].image",
            values={f"{APP}.image": "localhost/agent:2"},
        ),
        fence.rule(
            "services",
            "cart",
            "spec.selector[app]",
            "spec.selector[x]",
            "spec.ports[80].targetPort",
            values={"spec.selector[app]": "cart", "spec.ports[80].targetPort": 8080},
        ),
        fence.rule("configmaps", "settings", "data[url]", values={"data[url]": "right"}),
        fence.rule("pods", "cart-0", verb="DELETE"),
        # Grants that nobody should write, and that must not help.
        fence.rule("secrets", "password", "data[password]"),
        fence.rule("pods", "cart-1"),
        fence.rule("deployments", "other", verb="DELETE"),
    )
    return fence


class Write(NamedTuple):
    """One request; {shop} and {system} stand for the namespaces."""

    method: str
    path: str
    body: Any = None
    content_type: str = ""


def deployment(name: str = "cart", sub: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{{shop}}/deployments/{name}{sub}"


def template(**spec: Any) -> Object:
    return {"spec": {"template": {"spec": spec}}}


def app(**fields: Any) -> Object:
    return template(containers=[{"name": "app", **fields}])


def annotated(**annotations: str) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


CART = deployment()
CORE = "/api/v1/namespaces/{shop}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"

ALLOWED = {
    "restart": Write("PATCH", CART, annotated(**{"reme.dev/restarted-at": "now"})),
    "set-resources": Write("PATCH", CART, app(resources={"limits": {"memory": "128Mi"}})),
    "set-resources-anew": Write("PATCH", CART, app(resources={"requests": {"cpu": "20m"}})),
    "unset-resources": Write("PATCH", CART, app(resources={"limits": {"cpu": None}})),
    "set-image": Write("PATCH", CART, app(image="localhost/cart:2")),
    "set-env": Write("PATCH", CART, app(env=[{"name": "MODE", "value": "fast"}])),
    "add-env": Write("PATCH", CART, app(env=[{"name": "ADDED", "value": "1"}])),
    "unset-env": Write("PATCH", CART, app(env=[{"name": "OLD", "$patch": "delete"}])),
    "set-probe": Write(
        "PATCH",
        CART,
        app(readinessProbe={"httpGet": {"path": "/x", "port": 1}, "periodSeconds": 3}),
    ),
    "slow-exec-probe": Write("PATCH", CART, app(livenessProbe={"timeoutSeconds": 3})),
    "scale": Write("PATCH", deployment(sub="/scale"), {"spec": {"replicas": 2}}),
    "change-nothing": Write("PATCH", CART, {}),
    "roll-back": Write(
        "PATCH",
        "/apis/apps/v1/namespaces/{shop}/statefulsets/db",
        template(containers=EARLIER),
    ),
    "daemon-set-image": Write(
        "PATCH", "/apis/apps/v1/namespaces/{shop}/daemonsets/agent", app(image="localhost/agent:2")
    ),
    "service-selector": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"selector": {"app": "cart", "x": None}}}
    ),
    "service-port": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    ),
    "config-value": Write("PATCH", f"{CORE}/configmaps/settings", {"data": {"url": "right"}}),
    "delete-pod": Write("DELETE", f"{CORE}/pods/cart-0"),
}

REFUSED = {
    # Another object, another place
    "other-deployment": Write("PATCH", deployment("other"), annotated(a="b")),
    "other-deployment-restart": Write(
        "PATCH", deployment("other"), annotated(**{"reme.dev/restarted-at": "now"})
    ),
    "other-deployment-scale": Write(
        "PATCH", deployment("other", "/scale"), {"spec": {"replicas": 9}}
    ),
    "same-name-other-namespace": Write(
        "PATCH", "/apis/apps/v1/namespaces/{system}/deployments/cart", annotated(a="b")
    ),
    "same-name-other-kind": Write("PATCH", f"{CORE}/configmaps/canary", {"data": {"url": "x"}}),
    "other-pod": Write("DELETE", f"{CORE}/pods/cart-1"),
    "all-pods": Write("DELETE", f"{CORE}/pods"),
    "protected-object": Write("PATCH", deployment("guarded"), {"spec": {"paused": True}}),
    "kube-system": Write(
        "PATCH", "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt", {"data": {"a": "b"}}
    ),
    # Another field of the right object
    "replicas-not-granted": Write("PATCH", CART, {"spec": {"replicas": 9}}),
    "paused-not-granted": Write("PATCH", CART, {"spec": {"paused": True}}),
    "strategy": Write("PATCH", CART, {"spec": {"minReadySeconds": 5}}),
    "labels": Write("PATCH", CART, {"metadata": {"labels": {"a": "b"}}}),
    "annotations": Write("PATCH", CART, {"metadata": {"annotations": {"a": "b"}}}),
    "annotation-removed": Write("PATCH", CART, {"metadata": {"annotations": {"team": None}}}),
    "finalizer": Write("PATCH", CART, {"metadata": {"finalizers": ["a.b/c"]}}),
    "owner": Write(
        "PATCH",
        CART,
        {
            "metadata": {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "0"}
                ]
            }
        },
    ),
    "template-label": Write(
        "PATCH", CART, {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}
    ),
    "template-annotation": Write("PATCH", CART, annotated(note="changed")),
    "template-annotation-removed": Write(
        "PATCH", CART, {"spec": {"template": {"metadata": {"annotations": {"note": None}}}}}
    ),
    "service-account": Write("PATCH", CART, template(serviceAccountName="admin")),
    "host-network": Write("PATCH", CART, template(hostNetwork=True)),
    "host-path": Write("PATCH", CART, template(volumes=[{"name": "h", "hostPath": {"path": "/"}}])),
    "init-container": Write(
        "PATCH", CART, template(initContainers=[{"name": "i", "image": "localhost/x:1"}])
    ),
    "new-container": Write(
        "PATCH", CART, template(containers=[{"name": "new", "image": "localhost/x:1"}])
    ),
    "container-removed": Write(
        "PATCH", CART, template(containers=[{"name": "sidecar", "$patch": "delete"}])
    ),
    "other-container-image": Write(
        "PATCH", CART, template(containers=[{"name": "sidecar", "image": "localhost/x:1"}])
    ),
    "command": Write("PATCH", CART, app(command=["sh"])),
    "privileged": Write("PATCH", CART, app(securityContext={"privileged": True})),
    "env-not-granted": Write("PATCH", CART, app(env=[{"name": "COLOUR", "value": "blue"}])),
    "env-removed": Write("PATCH", CART, app(env=[{"name": "COLOUR", "$patch": "delete"}])),
    "env-from-secret": Write(
        "PATCH",
        CART,
        app(
            env=[
                {
                    "name": "ADDED",
                    "valueFrom": {"secretKeyRef": {"name": "password", "key": "password"}},
                }
            ]
        ),
    ),
    "all-env-from-secret": Write("PATCH", CART, app(envFrom=[{"secretRef": {"name": "password"}}])),
    "probe-command": Write("PATCH", CART, app(livenessProbe={"exec": {"command": ["sh"]}})),
    "probe-turned-into-command": Write(
        "PATCH", CART, app(readinessProbe={"httpGet": None, "exec": {"command": ["sh"]}})
    ),
    "probe-host": Write("PATCH", CART, app(readinessProbe={"httpGet": {"host": "10.0.0.1"}})),
    "probe-removed": Write("PATCH", CART, app(readinessProbe=None)),
    "probe-not-granted": Write(
        "PATCH", CART, app(startupProbe={"httpGet": {"path": "/x", "port": 1}})
    ),
    "exotic-resource": Write("PATCH", CART, app(resources={"limits": {"example.com/gpu": "1"}})),
    "roll-back-to-privilege": Write(
        "PATCH",
        "/apis/apps/v1/namespaces/{shop}/statefulsets/db",
        template(containers=[{"name": "app", "securityContext": {"privileged": True}}]),
    ),
    "roll-back-to-another-identity": Write(
        "PATCH",
        "/apis/apps/v1/namespaces/{shop}/statefulsets/db",
        template(serviceAccountName="admin"),
    ),
    "roll-back-to-host-path": Write(
        "PATCH",
        "/apis/apps/v1/namespaces/{shop}/statefulsets/db",
        template(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
    ),
    "daemon-set-command": Write(
        "PATCH", "/apis/apps/v1/namespaces/{shop}/daemonsets/agent", app(command=["sh"])
    ),
    "service-other-port": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"ports": [{"port": 81, "targetPort": 8080}]}}
    ),
    "service-other-label": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"selector": {"y": "z"}}}
    ),
    "service-type": Write("PATCH", f"{CORE}/services/cart", {"spec": {"type": "NodePort"}}),
    "service-outside": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"externalIPs": ["192.0.2.1"]}}
    ),
    "service-new-port": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"ports": [{"name": "x", "port": 82}]}}
    ),
    "service-port-number": Write(
        "PATCH",
        f"{CORE}/services/cart",
        [{"op": "replace", "path": "/spec/ports/0/port", "value": 443}],
        JSON,
    ),
    "config-other-key": Write("PATCH", f"{CORE}/configmaps/settings", {"data": {"other": "x"}}),
    "config-new-key": Write("PATCH", f"{CORE}/configmaps/settings", {"data": {"new": "x"}}),
    "config-removed-key": Write(
        "PATCH", f"{CORE}/configmaps/settings", {"data": {"other": None}}, MERGE
    ),
    "config-sealed": Write("PATCH", f"{CORE}/configmaps/settings", {"immutable": True}),
    # Another value of the right field
    "restart-mark": Write("PATCH", CART, annotated(**{"reme.dev/restarted-at": "then"})),
    "scale-to-nothing": Write("PATCH", deployment(sub="/scale"), {"spec": {"replicas": 0}}),
    "scale-too-far": Write("PATCH", deployment(sub="/scale"), {"spec": {"replicas": 200}}),
    "limit-too-high": Write("PATCH", CART, app(resources={"limits": {"memory": "256Mi"}})),
    "limit-removed": Write("PATCH", CART, app(resources={"limits": {"memory": None}})),
    "all-limits-removed": Write("PATCH", CART, app(resources=None)),
    "image-never-had": Write("PATCH", CART, app(image="localhost/evil:1")),
    "env-value": Write("PATCH", CART, app(env=[{"name": "MODE", "value": "slower"}])),
    "granted-env-removed": Write("PATCH", CART, app(env=[{"name": "MODE", "$patch": "delete"}])),
    "removable-env-set": Write("PATCH", CART, app(env=[{"name": "OLD", "value": "new"}])),
    "probe-period": Write("PATCH", CART, app(readinessProbe={"periodSeconds": 300})),
    "probe-timing-not-granted": Write("PATCH", CART, app(readinessProbe={"failureThreshold": 99})),
    "probe-path": Write("PATCH", CART, app(readinessProbe={"httpGet": {"path": "/"}})),
    "roll-back-elsewhere": Write(
        "PATCH",
        "/apis/apps/v1/namespaces/{shop}/statefulsets/db",
        template(containers=[{"name": "app", "image": "localhost/evil:1"}]),
    ),
    "roll-back-and-more": Write(
        "PATCH",
        "/apis/apps/v1/namespaces/{shop}/statefulsets/db",
        template(containers=EARLIER, terminationGracePeriodSeconds=1),
    ),
    "service-to-others": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"selector": {"app": "other"}}}
    ),
    "service-to-another-port": Write(
        "PATCH", f"{CORE}/services/cart", {"spec": {"ports": [{"port": 80, "targetPort": 22}]}}
    ),
    "config-wrong-value": Write("PATCH", f"{CORE}/configmaps/settings", {"data": {"url": "x"}}),
    "config-granted-key-removed": Write(
        "PATCH", f"{CORE}/configmaps/settings", {"data": {"url": None}}, MERGE
    ),
    # Another verb
    "delete-deployment": Write("DELETE", CART),
    "delete-granted-but-never": Write("DELETE", deployment("other")),
    "delete-config": Write("DELETE", f"{CORE}/configmaps/settings"),
    "update-pod": Write("PATCH", f"{CORE}/pods/cart-1", {"metadata": {"labels": {"a": "b"}}}),
    "evict": Write(
        "POST",
        f"{CORE}/pods/cart-0/eviction",
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "cart-0"}},
    ),
    "exec": Write("POST", f"{CORE}/pods/cart-1/exec?command=sh&stdout=true"),
    "attach": Write("POST", f"{CORE}/pods/cart-1/attach?stdout=true"),
    "port-forward": Write("POST", f"{CORE}/pods/cart-1/portforward"),
    "proxy": Write("POST", f"{CORE}/services/cart/proxy/"),
    "status": Write("PATCH", deployment(sub="/status"), {"status": {"replicas": 3}}, MERGE),
    # Kinds that no run may write
    "secret": Write("PATCH", f"{CORE}/secrets/password", {"stringData": {"password": "x"}}),
    "new-secret": Write(
        "POST", f"{CORE}/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    ),
    "new-pod": Write(
        "POST",
        f"{CORE}/pods",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "mine"},
            "spec": {"containers": [{"name": "a", "image": "localhost/x:1"}]},
        },
    ),
    "new-config": Write(
        "POST",
        f"{CORE}/configmaps",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}},
    ),
    "role-binding": Write(
        "POST",
        f"{RBAC}/namespaces/{{shop}}/rolebindings",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "mine"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "admin",
            },
        },
    ),
    "cluster-role": Write(
        "POST",
        f"{RBAC}/clusterroles",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "mine-of-a-run"},
        },
    ),
    "own-grant": Write(
        "PATCH",
        f"/apis/reme.dev/v1alpha1/namespaces/{{system}}/rungrants/{RUN}",
        {"spec": {"notAfter": "2199-01-01T00:00:00Z"}},
        MERGE,
    ),
    "no-grant-any-more": Write(
        "DELETE", f"/apis/reme.dev/v1alpha1/namespaces/{{system}}/rungrants/{RUN}"
    ),
    "new-grant": Write(
        "POST",
        "/apis/reme.dev/v1alpha1/namespaces/{system}/rungrants",
        {
            "apiVersion": "reme.dev/v1alpha1",
            "kind": "RunGrant",
            "metadata": {"name": "mine"},
            "spec": {"username": "x", "notAfter": "2099-01-01T00:00:00Z", "rules": []},
        },
    ),
    "token": Write(
        "POST",
        "/api/v1/namespaces/{system}/serviceaccounts/default/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ),
    "new-job": Write(
        "POST",
        "/apis/batch/v1/namespaces/{system}/jobs",
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "mine"},
            "spec": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "a", "image": "localhost/x:1"}],
                    }
                }
            },
        },
    ),
    "namespace": Write("PATCH", "/api/v1/namespaces/{shop}", {"metadata": {"labels": {"a": "b"}}}),
    "webhook": Write(
        "POST",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Cluster",
                "names": {"kind": "Thing", "plural": "things"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                    }
                ],
            },
        },
    ),
    "another-runs-result": Write(
        "PATCH",
        "/api/v1/namespaces/{system}/configmaps/reme-0a1b2c3d-2-result",
        {"data": {"a": "b"}},
    ),
}


def send(fence: Fence, write: Write, by: Identity | None = None, *, dry: bool = True) -> Any:
    path = write.path.format(shop=fence.shop, system=fence.system)
    if dry and not any(word in path for word in ("exec", "attach", "portforward", "proxy")):
        path += "&dryRun=All" if "?" in path else "?dryRun=All"
    return fence.api(
        write.method,
        path,
        write.body,
        by=by or fence.identity,
        content_type=write.content_type,
    )


@pytest.fixture(scope="module")
def targets(granted: Fence) -> Fence:
    """Objects in reme's own namespace that attempts are about."""
    for name in (f"{RUN}-result", "reme-0a1b2c3d-2-result"):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        granted.api("POST", f"/api/v1/namespaces/{granted.system}/configmaps", body)
    found = granted.api("GET", f"/apis/apps/v1/namespaces/{granted.shop}/deployments/cart").body
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart"},
        "spec": found["spec"],
    }
    granted.api("POST", f"/apis/apps/v1/namespaces/{granted.system}/deployments", body)
    return granted


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_what_was_granted_goes_through(targets: Fence, name: str) -> None:
    reply = send(targets, ALLOWED[name])
    assert reply.status == 200, reply


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_all_else_is_refused_by_the_api_server(targets: Fence, name: str) -> None:
    reply = send(targets, REFUSED[name])
    assert reply.refused_by_admission, reply


# A connection has no dry run; who may connect is settled before it is made.
_CONNECTIONS = {"attach", "exec", "port-forward", "proxy"}


# Nor may an administrator: see test_grants.
_NOBODY = {"own-grant", "no-grant-any-more"}


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - _CONNECTIONS - _NOBODY))
def test_each_attempt_is_one_that_would_otherwise_succeed(targets: Fence, name: str) -> None:
    """Guards the test above: what the server refuses anyway would prove nothing."""
    reply = send(targets, REFUSED[name], Identity("root", ("system:masters",), None))
    assert "ValidatingAdmissionPolicy" not in reply.message
    assert reply.status in (200, 201), reply


def test_a_scale_without_its_grant_is_refused(targets: Fence) -> None:
    write = Write("PATCH", "/apis/apps/v1/namespaces/{shop}/statefulsets/db/scale")
    reply = send(targets, write._replace(body={"spec": {"replicas": 3}}))
    assert reply.refused_by_admission


def test_a_token_that_no_pod_holds_is_of_no_use(targets: Fence) -> None:
    for pod in (None, "reme-0a1b2c3d-2-x7k2p"):
        by = Identity.run(targets.system, pod=pod)
        refused = send(targets, ALLOWED["restart"], by, dry=False)
        assert "only be used by the pod" in refused.message
        # By a dry run the operator finds out what a run would change; the fence holds that too.
        assert send(targets, ALLOWED["restart"], by).status == 200
        assert send(targets, REFUSED["other-deployment"], by).refused_by_admission


def test_a_run_without_a_grant_may_still_create_nothing(targets: Fence) -> None:
    by = Identity.run(targets.system, "reme-0a1b2c3d-9")
    assert send(targets, REFUSED["new-config"], by).refused_by_admission
    assert send(targets, REFUSED["secret"], by).refused_by_admission


def test_other_users_are_not_held(targets: Fence) -> None:
    by = Identity("system:serviceaccount:default:reme-0a1b2c3d-1", ("system:masters",), None)
    assert send(targets, REFUSED["other-deployment"], by).status == 200


def test_the_grant_ends(fence: Fence) -> None:
    run = "reme-0a1b2c3d-2"
    by = Identity.run(fence.system, run)
    rule = fence.rule("deployments", "other", MARK, values={MARK: "later"})
    write = Write("PATCH", deployment("other"), annotated(**{"reme.dev/restarted-at": "later"}))
    fence.grant(rule, run=run)
    assert send(fence, write, by).status == 200
    fence.grant(rule, run=run, not_after="2020-01-01T00:00:00Z")
    eventually(lambda: send(fence, write, by).status != 200)
    refused = send(fence, write, by)
    assert refused.refused_by_admission
    assert "has ended" in refused.message
    # Nor by hiding when it was written.
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
        reply = send(fence, Write("PATCH", path, body, MERGE), by)
        assert reply.refused_by_admission, (forged, reply)

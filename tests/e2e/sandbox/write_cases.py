"""Writes that a run with a small grant may make, and writes that it may not."""

from tests.e2e.sandbox.conftest import RUN
from tests.e2e.sandbox.writes import JSON, MERGE, Write, annotated, app, deployment, template

EARLIER = [{"name": "app", "image": "localhost/db:0", "args": ["x"]}]
"""The container of db in its earlier revision."""

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

"""Attempts to gain rights: RBAC, grants, tokens, Secrets, admission, other identities."""

from typing import Any

from tests.attack.attack import MERGE, Attack, Object, shell
from tests.attack.object_attacks import CORE, deployment

RIGHTS = "rights"
SECRET = "secrets and tokens"
PODS = "code in pods"
CLUSTER = "the cluster itself"
READ = "reading"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
REME = "/apis/reme.dev/v1alpha1/namespaces/{system}"
BATCH = "/apis/batch/v1/namespaces"


def _rbac(kind: str, role: str, **more: Any) -> Object:
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "{run}", "namespace": "{system}"}
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": "reme-attack"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
        **more,
    }


def _pod(namespace: str = "{shop}", **spec: Any) -> Object:
    container = {"name": "a", "image": "localhost/reme-sandbox:dev", **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reme-attack", "namespace": namespace},
        "spec": {"containers": [container], **spec},
    }


def _token(name: str, namespace: str = "{system}") -> str:
    return f"{CORE}/{namespace}/serviceaccounts/{name}/token"


def _ask(**spec: Any) -> Object:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def _create(kind: str, version: str, definition: Object) -> Object:
    whole = {**definition, "apiVersion": version, "kind": kind}
    return {"kubernetes.core.k8s": {"state": "present", "definition": whole}}


_ADMIN = _rbac("ClusterRoleBinding", "cluster-admin")
_PRIVILEGED = _pod(container={"securityContext": {"privileged": True}})
_HOST_PATH = _pod(
    volumes=[{"name": "h", "hostPath": {"path": "/"}}],
    container={"volumeMounts": [{"name": "h", "mountPath": "/host"}]},
)

RIGHTS_ATTACKS = (
    Attack(
        RIGHTS,
        "bind itself to cluster-admin",
        "POST",
        f"{RBAC}/clusterrolebindings",
        _ADMIN,
        smoke=True,
        task=_create("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", _ADMIN),
    ),
    Attack(
        RIGHTS,
        "bind itself to admin of the namespace",
        "POST",
        f"{RBAC}/namespaces/{{shop}}/rolebindings",
        _rbac("RoleBinding", "admin"),
    ),
    Attack(
        RIGHTS,
        "widen its own role",
        "PATCH",
        f"{RBAC}/clusterroles/{{fullname}}-run-deployments",
        {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
        MERGE,
    ),
    Attack(
        RIGHTS,
        "rebind its own binding",
        "PATCH",
        f"{RBAC}/namespaces/{{shop}}/rolebindings/{{run}}-deployments",
        {"subjects": [{"kind": "Group", "name": "system:authenticated"}]},
        MERGE,
    ),
    Attack(
        RIGHTS,
        "a role of its own",
        "POST",
        f"{RBAC}/clusterroles",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "reme-attack"},
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
        },
    ),
    Attack(
        RIGHTS,
        "lengthen its own grant",
        "PATCH",
        f"{REME}/rungrants/{{run}}",
        {"spec": {"notAfter": "2199-01-01T00:00:00Z"}},
        MERGE,
        smoke=True,
    ),
    Attack(
        RIGHTS,
        "widen its own grant",
        "PATCH",
        f"{REME}/rungrants/{{run}}",
        {"spec": {"rules": []}},
        MERGE,
    ),
    Attack(RIGHTS, "delete its own grant", "DELETE", f"{REME}/rungrants/{{run}}", smoke=True),
    Attack(RIGHTS, "delete all grants", "DELETE", f"{REME}/rungrants"),
    Attack(
        RIGHTS,
        "a second grant",
        "POST",
        f"{REME}/rungrants",
        {
            "apiVersion": "reme.dev/v1alpha1",
            "kind": "RunGrant",
            "metadata": {"name": "reme-attack"},
            "spec": {
                "username": "system:serviceaccount:{system}:{run}",
                "notAfter": "2099-01-01T00:00:00Z",
                "rules": [],
            },
        },
    ),
    Attack(
        RIGHTS,
        "its own ServiceAccount",
        "PATCH",
        f"{CORE}/{{system}}/serviceaccounts/{{run}}",
        {"secrets": [{"name": "password"}]},
        MERGE,
    ),
    Attack(
        RIGHTS,
        "impersonate the administrator",
        "PATCH",
        deployment("other"),
        {"spec": {"paused": True}},
        headers={"Impersonate-User": "root", "Impersonate-Group": "system:masters"},
        smoke=True,
        rbac_only="it is then another who asks",
    ),
    Attack(
        RIGHTS,
        "impersonate the operator",
        "PATCH",
        deployment("other"),
        {"spec": {"paused": True}},
        headers={"Impersonate-User": "system:serviceaccount:{system}:{fullname}-operator"},
        rbac_only="it is then another who asks",
    ),
    Attack(
        RIGHTS,
        "impersonate by its own name and another pod",
        "PATCH",
        deployment("other"),
        {"spec": {"paused": True}},
        headers={
            "Impersonate-User": "system:serviceaccount:{system}:{run}",
            "Impersonate-Extra-authentication.kubernetes.io%2Fpod-name": "reme-ffffffff-1-x",
        },
        rbac_only="it is then another who asks",
    ),
    Attack(
        RIGHTS,
        "approve a playbook",
        "PATCH",
        "/apis/reme.dev/v1alpha1/namespaces/{shop}/remediations/mine",
        {"spec": {"approvedPlaybook": "sha256:0"}},
        MERGE,
    ),
    Attack(
        SECRET,
        "a token of its own for any time",
        "POST",
        _token("{run}"),
        _ask(expirationSeconds=86400),
        smoke=True,
    ),
    Attack(SECRET, "a token of the operator", "POST", _token("{fullname}-operator"), _ask()),
    Attack(
        SECRET,
        "a token of a controller",
        "POST",
        _token("generic-garbage-collector", "kube-system"),
        _ask(),
    ),
    Attack(
        SECRET,
        "a Secret with a token that does not end",
        "POST",
        f"{CORE}/{{system}}/secrets",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {
                "name": "reme-attack",
                "annotations": {"kubernetes.io/service-account.name": "{run}"},
            },
        },
    ),
    Attack(
        SECRET,
        "write a Secret",
        "PATCH",
        f"{CORE}/{{shop}}/secrets/password",
        {"stringData": {"password": "known"}},
        MERGE,
        task={
            "kubernetes.core.k8s": {
                "kind": "Secret",
                "api_version": "v1",
                "name": "password",
                "namespace": "{shop}",
                "state": "patched",
                "definition": {"stringData": {"password": "known"}},
            }
        },
    ),
)
"""Attempts to gain rights, or the means to them."""

READS = (
    Attack(
        READ,
        "a Secret of the target's namespace",
        "GET",
        f"{CORE}/{{shop}}/secrets/password",
        smoke=True,
        task={
            "kubernetes.core.k8s_info": {
                "kind": "Secret",
                "api_version": "v1",
                "name": "password",
                "namespace": "{shop}",
            }
        },
    ),
    Attack(READ, "all Secrets of the cluster", "GET", "/api/v1/secrets"),
    Attack(READ, "watch Secrets", "GET", f"{CORE}/{{shop}}/secrets?watch=1&timeoutSeconds=1"),
    Attack(READ, "list ConfigMaps beside the run", "GET", f"{CORE}/{{system}}/configmaps"),
    Attack(READ, "a ConfigMap of another namespace", "GET", f"{CORE}/{{next}}/configmaps/settings"),
    Attack(READ, "a pod's log", "GET", f"{CORE}/{{shop}}/pods/cart-0/log"),
    Attack(READ, "every pod of the cluster", "GET", "/api/v1/pods"),
    Attack(READ, "the grants of others", "GET", f"{REME}/rungrants"),
    Attack(READ, "the metrics of the API server", "GET", "/metrics"),
    Attack(READ, "the node's kubelet through the proxy", "GET", "/api/v1/nodes/{node}/proxy/pods"),
)
"""Attempts to read what a run has no business with."""

POD_ATTACKS = (
    Attack(
        PODS,
        "exec",
        "POST",
        f"{CORE}/{{shop}}/pods/cart-1/exec?command=id&stdout=true",
        smoke=True,
        task={
            "kubernetes.core.k8s_exec": {
                "namespace": "{shop}",
                "pod": "cart-1",
                "command": "id",
            }
        },
    ),
    Attack(
        PODS,
        "exec by a read",
        "GET",
        f"{CORE}/{{shop}}/pods/cart-1/exec?command=id&stdout=true",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
        },
    ),
    Attack(PODS, "attach", "POST", f"{CORE}/{{shop}}/pods/cart-1/attach?stdout=true"),
    Attack(PODS, "port-forward", "POST", f"{CORE}/{{shop}}/pods/cart-1/portforward"),
    Attack(PODS, "the proxy of a pod", "POST", f"{CORE}/{{shop}}/pods/cart-1/proxy/"),
    Attack(PODS, "the proxy of a Service", "POST", f"{CORE}/{{shop}}/services/cart/proxy/"),
    Attack(PODS, "the proxy of a node", "POST", "/api/v1/nodes/{node}/proxy/run"),
    Attack(PODS, "a pod of its own", "POST", f"{CORE}/{{shop}}/pods", _pod()),
    Attack(
        PODS,
        "a privileged pod",
        "POST",
        f"{CORE}/{{shop}}/pods",
        _PRIVILEGED,
        smoke=True,
        task=_create("Pod", "v1", _PRIVILEGED),
    ),
    Attack(
        PODS,
        "a pod with the node's disk",
        "POST",
        f"{CORE}/{{shop}}/pods",
        _HOST_PATH,
        task=_create("Pod", "v1", _HOST_PATH),
    ),
    Attack(
        PODS,
        "a pod in the node's network beside the operator",
        "POST",
        f"{CORE}/{{system}}/pods",
        _pod("{system}", hostNetwork=True, serviceAccountName="{fullname}-operator"),
    ),
    Attack(
        PODS,
        "a Job beside its own",
        "POST",
        f"{BATCH}/{{system}}/jobs",
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "reme-attack"},
            "spec": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "serviceAccountName": "{fullname}-operator",
                        "containers": [{"name": "a", "image": "localhost/reme-sandbox:dev"}],
                    }
                }
            },
        },
    ),
    Attack(
        PODS,
        "more time for its own Job",
        "PATCH",
        f"{BATCH}/{{system}}/jobs/{{run}}",
        {"spec": {"activeDeadlineSeconds": 86400}},
        MERGE,
    ),
)
"""Attempts to run code elsewhere."""

CLUSTER_ATTACKS = (
    Attack(
        CLUSTER,
        "delete the run admission policy",
        "DELETE",
        f"{ADMISSION}/validatingadmissionpolicies/{{fullname}}-run-admission",
        smoke=True,
        rbac_only="no admission policy holds for admission policies",
    ),
    Attack(
        CLUSTER,
        "unbind the fence",
        "DELETE",
        f"{ADMISSION}/validatingadmissionpolicybindings/{{fullname}}-run-admission",
        rbac_only="no admission policy holds for admission policies",
    ),
    Attack(
        CLUSTER,
        "let the fence look away",
        "PATCH",
        f"{ADMISSION}/validatingadmissionpolicybindings/{{fullname}}-run-admission",
        {"spec": {"validationActions": ["Audit"]}},
        MERGE,
        rbac_only="no admission policy holds for admission policies",
    ),
    Attack(
        CLUSTER,
        "a webhook that changes everything",
        "POST",
        f"{ADMISSION}/mutatingwebhookconfigurations",
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "reme-attack"},
            "webhooks": [],
        },
    ),
    Attack(
        CLUSTER,
        "a definition of grants without a schema",
        "PATCH",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rungrants.reme.dev",
        {"metadata": {"annotations": {"mine": "yes"}}},
        MERGE,
    ),
    Attack(
        CLUSTER,
        "an aggregated API of its own",
        "POST",
        "/apis/apiregistration.k8s.io/v1/apiservices",
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1.attack.example"},
            "spec": {
                "group": "attack.example",
                "version": "v1",
                "groupPriorityMinimum": 9,
                "versionPriority": 9,
                "service": {"name": "cart", "namespace": "{shop}"},
                "insecureSkipTLSVerify": True,
            },
        },
    ),
    Attack(
        CLUSTER,
        "the labels of the namespace",
        "PATCH",
        f"{CORE}/{{shop}}",
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
        MERGE,
        task=shell("kubectl label namespace {shop} pod-security.kubernetes.io/enforce=privileged"),
    ),
    Attack(CLUSTER, "delete a node", "DELETE", "/api/v1/nodes/{node}"),
    Attack(
        CLUSTER,
        "the status of a node",
        "PATCH",
        "/api/v1/nodes/{node}/status",
        {"status": {"capacity": {"cpu": "999"}}},
        MERGE,
    ),
    Attack(
        CLUSTER,
        "a certificate of the administrators",
        "POST",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": "reme-attack"},
            "spec": {
                "request": "LS0t",
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        },
    ),
    Attack(
        CLUSTER,
        "an event that lies",
        "POST",
        f"{CORE}/{{shop}}/events",
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "reme-attack"},
            "involvedObject": {"kind": "Pod", "name": "cart-0", "namespace": "{shop}"},
            "reason": "Healthy",
            "message": "all is well",
        },
    ),
    Attack(
        CLUSTER,
        "the lease of the operator",
        "PATCH",
        "/apis/coordination.k8s.io/v1/namespaces/{system}/leases/reme-operator",
        {"spec": {"holderIdentity": "mine"}},
        MERGE,
    ),
)
"""Attempts on what holds the cluster together."""

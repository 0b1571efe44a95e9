"""Who may talk to whom."""

import json
from datetime import UTC, datetime
from typing import Any

from reme_api.policy import Sandbox
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution.manifests import RunRequest, manifests
from tests.support.chart import Object, Rendered, render


def policy(rendered: Rendered, name: str) -> Object:
    spec: Object = rendered.one("NetworkPolicy", name)["spec"]
    return spec


def ports(rules: list[Object]) -> set[Any]:
    return {p["port"] for rule in rules for p in rule.get("ports", [])}


def test_the_model_server_reaches_nobody_and_only_the_operator_reaches_it() -> None:
    spec = policy(render("default"), "reme-model")
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert spec["egress"] == []
    (rule,) = spec["ingress"]
    peers = {p["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for p in rule["from"]}
    assert peers == {"operator", "test"}
    assert ports([rule]) == {"http"}


def test_runs_reach_the_api_server_only_and_nobody_reaches_them() -> None:
    spec = policy(render("default"), "reme-runs")
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert spec["ingress"] == []
    assert ports(spec["egress"]) == {443, 6443}


def test_the_policy_of_runs_finds_the_pods_of_runs() -> None:
    request = RunRequest(
        remediation_uid="0a1b2c3d-0000-4000-8000-000000000000",
        remediation_name="cart-1",
        target_namespace="shop",
        attempt=1,
        actions=compile_playbook(
            '[{"kubernetes.core.k8s_rollback":'
            '{"kind":"Deployment","name":"cart","namespace":"shop"}}]'
        ),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        release_namespace="reme-system",
        image="sandbox",
        sandbox=Sandbox(),
    )
    labels = manifests(request).job["spec"]["template"]["metadata"]["labels"]
    selector = policy(render("default"), "reme-runs")["podSelector"]["matchLabels"]
    assert selector.items() <= labels.items()
    # and no other policy opens more to them: what policies allow adds up
    for name in ("reme-operator", "reme-model"):
        other = policy(render("default"), name)["podSelector"]["matchLabels"]
        assert not other.items() <= labels.items()


def test_the_operator_reaches_dns_the_api_server_the_model_and_what_it_probes() -> None:
    spec = policy(render("default"), "reme-operator")
    assert ports(spec["egress"]) == {53, 443, 6443, "http"}
    assert [r["to"] for r in spec["egress"] if "ports" not in r] == [[{"namespaceSelector": {}}]]


def test_namespaced_the_operator_probes_only_there() -> None:
    spec = policy(render("namespaced"), "reme-operator")
    (open_rule,) = [r for r in spec["egress"] if "ports" not in r]
    (peer,) = open_rule["to"]
    (expression,) = peer["namespaceSelector"]["matchExpressions"]
    assert expression["values"] == ["shop", "payments"]


def test_the_port_of_a_foreign_endpoint_is_open() -> None:
    assert 443 in ports(policy(render("endpoint"), "reme-operator")["egress"])
    for url, port in {
        "http://vllm.ai.svc:8000/v1": 8000,
        "http://models/v1": 80,
        "http://[fd00::1]:9000/v1": 9000,
    }.items():
        spec = policy(render(None, "model.enabled=false", f"model.endpoint={url}"), "reme-operator")
        assert {"ports": [{"port": port, "protocol": "TCP"}]} in spec["egress"], url


def test_the_address_of_the_api_server_can_be_named() -> None:
    for name in ("repairs-operator", "repairs-runs"):
        spec = policy(render("everything"), name)
        (rule,) = [
            r for r in spec["egress"] if {"port": 6443, "protocol": "TCP"} in r.get("ports", [])
        ]
        assert rule["to"] == [{"ipBlock": {"cidr": "192.0.2.1/32"}}]
        assert 443 not in ports(spec["egress"])


def test_who_reads_metrics_can_be_named_and_the_check_still_can() -> None:
    spec = policy(render("everything"), "repairs-operator")
    (rule,) = spec["ingress"]
    assert "monitoring" in json.dumps(rule["from"])
    assert "test" in json.dumps(rule["from"])
    assert "from" not in policy(render("default"), "reme-operator")["ingress"][0]


def test_extra_rules_are_added() -> None:
    assert 9090 in ports(policy(render("everything"), "repairs-operator")["egress"])
    assert "192.0.2.0/24" in json.dumps(policy(render("everything"), "repairs-runs"))


def test_all_of_it_can_be_left_out() -> None:
    assert render(None, "networkPolicy.enabled=false").of("NetworkPolicy") == []
    names = {
        o["metadata"]["name"]
        for o in render(None, "sandbox.networkPolicy.enabled=false").of("NetworkPolicy")
    }
    assert names == {"reme-operator", "reme-model"}


def test_every_pod_of_the_release_is_held_by_a_policy() -> None:
    rendered = render("default")
    selectors = [p["spec"]["podSelector"]["matchLabels"] for p in rendered.of("NetworkPolicy")]
    for deployment in rendered.of("Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert any(s.items() <= labels.items() for s in selectors)


def test_the_port_of_prometheus_is_open_only_if_it_is_configured() -> None:
    assert 9091 in ports(policy(render("everything"), "repairs-operator")["egress"])
    for url, port in (("http://p.monitoring:9092", 9092), ("http://p.example/x", 80)):
        spec = policy(render(None, f"prometheus.url={url}"), "reme-operator")
        assert port in ports(spec["egress"])
    plain = ports(policy(render(None), "reme-operator")["egress"])
    assert not {9090, 9091, 9092} & set(plain)

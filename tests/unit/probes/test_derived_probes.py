"""Probes of reports that bring none: from the Services, the readiness probe and the report."""

from typing import Any

import pytest

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.policy import RemediationPolicySpec
from reme_api.probe_coverage import ProbeSource
from reme_operator.admission.chosen_probes import ChosenProbes, choose_probes
from reme_operator.probes.derived import derived_probes, describe, workload_ports
from tests.doubles.builders import policy_spec, probe

Json = dict[str, Any]


def workload(
    readiness: Json | None = None, ports: list[Json] | None = None, name: str = "checkout"
) -> Json:
    container: Json = {"name": "server", "ports": ports or [{"containerPort": 8080}]}
    if readiness:
        container["readinessProbe"] = readiness
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}


def service(name: str = "checkout", *ports: Json, selects: str = "checkout", **spec: Any) -> Json:
    return {
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": selects},
            "clusterIP": "10.0.0.1",
            "ports": list(ports) or [{"port": 80, "targetPort": 8080}],
            **spec,
        },
    }


def derived(target: Json, *services: Json) -> list[str]:
    probes = derived_probes(workload_ports(target), services)
    assert len({p.name for p in probes}) == len(probes)
    return [describe(p) for p in probes]


READY = {"httpGet": {"path": "/healthz", "port": 8080}}


def test_a_readiness_path_alone_does_not_prove_that_requests_work() -> None:
    assert derived(workload(READY), service()) == [
        "GET /healthz of checkout:80",
        "GET / of checkout:80",
        "rollout",
    ]
    probes = derived_probes(workload_ports(workload(READY)), [service()])
    assert [p.http.max_status for p in probes if p.http] == [399, 499]
    assert {p.timeout_seconds for p in probes if p.http} == {5}


@pytest.mark.parametrize(
    ("target", "port", "expected"),
    [
        (workload({"grpc": {"port": 5050}}), {"port": 50, "targetPort": 5050}, "gRPC health"),
        (
            workload({"exec": {"command": ["/bin/grpc_health_probe", "-addr=:5050"]}}),
            {"port": 50, "targetPort": 5050},
            "gRPC health",
        ),
        (workload({"exec": {"command": ["cat", "/ready"]}}), {"port": 50}, "a connection"),
        (workload(), {"port": 9555, "name": "grpc"}, "a connection"),
        (workload(), {"port": 6379, "name": "redis"}, "a connection"),
        (workload(), {"port": 9000, "name": "http-api"}, "GET /"),
        (workload(), {"port": 9000, "appProtocol": "http"}, "GET /"),
        (workload(), {"port": 9000, "name": "http", "appProtocol": "kubernetes.io/h2c"}, "a conn"),
        (workload(), {"port": 80}, "GET /"),
        (workload(), {"port": 443, "name": "https"}, "a connection"),
        (workload({"tcpSocket": {"port": 8080}}), {"port": 80, "targetPort": 8080}, "a connection"),
        (
            workload({"httpGet": {"path": "/", "port": 8443, "scheme": "HTTPS"}}),
            {"port": 80, "targetPort": 8443},
            "a connection",
        ),
        (
            workload({"httpGet": {"path": "/", "port": 8080}}),
            {"port": 81, "targetPort": 8080},
            "GET /",
        ),
    ],
)
def test_a_port_is_asked_in_what_it_speaks(target: Json, port: Json, expected: str) -> None:
    [first, *others] = derived(target, service("checkout", port))
    assert first.startswith(expected)
    assert others == ["rollout"]


def test_a_port_by_name_leads_to_the_container_and_a_headless_service_to_its_pods() -> None:
    target = workload(
        {"httpGet": {"path": "/healthz", "port": "web"}},
        [{"name": "web", "containerPort": 8080}],
    )
    named = {"name": "x", "port": 80, "targetPort": "web"}
    assert derived(target, service("checkout", named))[0] == "GET /healthz of checkout:80"
    headless = service("checkout", named, clusterIP="None")
    assert derived(target, headless)[0] == "GET /healthz of checkout:8080"


def test_the_health_of_a_grpc_server_is_asked_by_its_name() -> None:
    target = workload({"grpc": {"port": 8080, "service": "shop.Checkout"}})
    [health, _] = derived_probes(workload_ports(target), [service()])
    assert health.grpc is not None
    assert health.grpc.health_service == "shop.Checkout"


def test_the_services_that_select_the_pods_are_asked_the_own_name_first() -> None:
    other = service("web", selects="web")
    alias = service("alias")
    assert derived(workload(READY), other, alias, service(), service("zeta")) == [
        "GET /healthz of checkout:80",
        "GET / of checkout:80",
        "GET /healthz of alias:80",
        "GET / of alias:80",
        "rollout",
    ]


def test_a_service_that_has_lost_its_pods_is_asked_by_its_name() -> None:
    lost = service(selects="nobody")
    assert "GET / of checkout:80" in derived(workload(READY), lost)
    assert derived(workload(READY), service("web", selects="web")) == ["rollout"]


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "ExternalName", "externalName": "evil.example"},
        {"ports": [{"port": 53, "protocol": "UDP"}]},
        {"ports": []},
        {"ports": [{"port": "x"}]},
    ],
    ids=["external", "udp", "none", "nonsense"],
)
def test_what_cannot_be_asked_is_left_out(spec: Json) -> None:
    assert derived(workload(READY), service(**spec)) == ["rollout"]


def test_there_are_at_most_eight_probes() -> None:
    ports = [{"port": n, "name": f"http-{n}", "targetPort": n} for n in range(1, 20)]
    services = [service(f"s{n}", *ports) for n in range(9)]
    assert len(derived(workload(READY), *services)) <= 8


def chosen(
    services: list[Json], policy: RemediationPolicySpec | None = None, **fields: Any
) -> ChosenProbes:
    fault = {"type": "down", "summary": fields.pop("summary", "")}
    target = {"kind": "Deployment", "name": "checkout"}
    spec = DiagnosisReportSpec.model_validate({"target": target, "fault": fault, **fields})
    ports = workload_ports(workload(READY))
    return choose_probes(spec, policy or policy_spec(), ports, services)


def test_what_the_report_says_fails_is_asked_too_where_that_is_harmless() -> None:
    summary = "GET /checkout answers 502 and POST /pay answers 500"
    log = {"kind": "Log", "text": 'GET /admin/reset HTTP/1.1" 500'}
    result = chosen([service()], summary=summary, evidence=[log])
    texts = [describe(p) for p in result.probes]
    assert "GET /checkout of checkout:80" in texts
    assert not any("POST" in text or "reset" in text for text in texts)
    assert result.coverage.source is ProbeSource.DERIVED
    assert result.coverage.uncovered == ["POST /pay", "GET /admin/reset"]
    assert result.coverage.evidence_items == 1
    assert "derived ones are used: GET /healthz of checkout:80" in result.notes[0]
    assert "POST /pay" in result.notes[1]


def test_a_client_error_of_a_path_is_seen() -> None:
    [reported] = [
        p for p in chosen([service()], summary="GET /a 404").probes if p.name == "reported"
    ]
    assert reported.http is not None
    assert reported.http.max_status == 399


def test_the_probes_of_the_report_then_of_the_policy_are_used_as_they_are() -> None:
    watchful = policy_spec(verification={"probes": [probe("of-policy")]})
    by_policy = chosen([service()], watchful)
    assert [p.name for p in by_policy.probes] == ["of-policy"]
    assert (by_policy.coverage.source, by_policy.notes) == (ProbeSource.POLICY, ())
    by_report = chosen([service()], watchful, probes=[probe("mine").wire()])
    assert [p.name for p in by_report.probes] == ["mine"]
    assert by_report.coverage.source is ProbeSource.REPORT


def test_a_given_probe_that_does_not_send_what_the_report_says_fails_is_noted() -> None:
    front = {"name": "front", "http": {"service": "frontend", "port": 80}}
    result = chosen([], summary="POST /cart/checkout answers 500", probes=[front])
    assert result.coverage.uncovered == ["POST /cart/checkout"]
    assert result.notes == ("no probe sends what the report says fails: POST /cart/checkout",)
    post = {"service": "frontend", "port": 80, "method": "POST", "path": "/cart/checkout"}
    covered = chosen([], summary="POST /cart/checkout 500", probes=[{"name": "p", "http": post}])
    assert covered.coverage.uncovered == []


def test_what_the_kubelet_asks_is_no_request_of_users() -> None:
    result = chosen([service()], summary="/healthz answers 404, and the probe fails")
    assert result.coverage.uncovered == []
    assert not any(p.name == "reported" for p in result.probes)

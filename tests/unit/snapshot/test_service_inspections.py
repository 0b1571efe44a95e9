"""What inspections of Services show, from raw data: one case for each rule."""

from dataclasses import replace
from typing import Any

import pytest

from reme_api.probes import HttpProbe, Probe
from reme_model.prompt.redact import redact
from reme_playbook.inspections.answers import Answer, answer_finding, handler, question
from reme_playbook.inspections.dependency import DependencyInspection, dependency_findings
from reme_playbook.inspections.service_endpoints import (
    Endpoints,
    ServiceEndpoints,
    endpoint_findings,
)
from reme_playbook.inspections.service_request import ServiceRequest
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision
from tests.unit.snapshot.namespace import Namespace, ago, deployment, pods_of, service, stamp

STOCK = ObjectRef("Service", "shop", "stock")
TARGET = ObjectRef("Deployment", "shop", "cart")
CALLS = {"CALLS": "http://stock/"}


def endpoints(
    manifest: dict[str, Any], *workloads: dict[str, Any], waiting: str = "", of: int | None = None
) -> list[tuple[FindingKind, str]]:
    pods = [p for w in workloads[:of] for p in pods_of(w, waiting=waiting)]
    read = Endpoints(manifest, pods, workloads)
    inspection = ServiceEndpoints(subject=STOCK)
    return [(f.kind, f.text) for f in endpoint_findings(inspection, read, TARGET, redact)]


def test_ready_pods_with_the_port_are_normal() -> None:
    text = "leads to 2 of 2 pods of Deployment stock, which have its ports"
    assert endpoints(service("stock"), deployment("stock", replicas=2)) == [
        (FindingKind.NORMAL, text)
    ]


def test_a_selector_that_matches_nothing_is_told_with_what_lacks() -> None:
    workload = deployment("stock", {"app": "stock", "tier": "db"})
    manifest = service("stock", {"app": "stock", "tier": "data"})
    text = "none has app=stock,tier=data; those of Deployment stock lack tier=data"
    assert endpoints(manifest, workload, of=0) == [
        (FindingKind.NO_ENDPOINTS, f"leads to no pod: {text}")
    ]


def test_pods_that_are_not_ready_are_told_with_their_reason() -> None:
    workload = deployment("stock", replicas=2, ready=0)
    text = "leads to no pod: none of 2 is ready: CrashLoopBackOff"
    assert endpoints(service("stock"), workload, waiting="CrashLoopBackOff") == [
        (FindingKind.NO_ENDPOINTS, text)
    ]
    publishing = service("stock", publishNotReadyAddresses=True)
    assert endpoints(publishing, workload)[0][0] is FindingKind.NORMAL
    scaled = deployment("stock", replicas=0)
    assert endpoints(service("stock"), scaled) == [
        (FindingKind.NO_ENDPOINTS, "leads to no pod: Deployment stock has 0 replicas and no pod")
    ]


def test_ports_that_pods_do_not_have_are_told() -> None:
    workload = deployment("stock", port=9090)
    assert endpoints(service("stock"), workload) == [
        (FindingKind.PORT_MISMATCH, "leads port 80 to 8080, and its pods have 9090")
    ]
    assert endpoints(service("stock", target="web"), workload)[0][0] is FindingKind.PORT_MISMATCH
    assert endpoints(service("stock", target="http"), workload)[0][0] is FindingKind.NORMAL


def test_pods_of_another_workload_are_foreign() -> None:
    manifest = service("cart", {"part-of": "shop"})
    cart = deployment("cart", {"app": "cart", "part-of": "shop"})
    stock = deployment("stock", {"app": "stock", "part-of": "shop"})
    assert endpoints(manifest, cart, stock) == [
        (FindingKind.FOREIGN_ENDPOINTS, "leads also to pods of Deployment stock")
    ]


def test_two_releases_of_one_service_are_not_foreign() -> None:
    manifest = service("cart", {"part-of": "cart"})
    releases = [
        deployment(f"cart-{name}", {"app": name, "part-of": "cart"}) for name in ("blue", "green")
    ]
    assert endpoints(manifest, *releases)[0][0] is FindingKind.NORMAL


def shop(**more: Any) -> Namespace:
    stock = deployment("stock", **more)
    return Namespace(
        [deployment("cart", env=CALLS), stock],
        [service("cart"), service("stock")],
        fault_start=ago(minutes=5),
    )


def test_a_release_of_a_dependency_is_told_with_its_time_and_fields() -> None:
    live = shop().live()
    before, after = (
        deployment("stock", env={"VERSION": v, "TOKEN": f"hunter-{v}"})["spec"]["template"]
        for v in ("1", "2")
    )
    ref = ObjectRef("Deployment", "shop", "stock")
    for released, kind, when in (
        (ago(minutes=6), FindingKind.RECENT_CHANGE, "60 s before the fault began"),
        (ago(hours=3), FindingKind.EARLIER_CHANGE, "3 h before the fault began"),
    ):
        revisions = {
            ref: [Revision(2, after, stamp(released)), Revision(1, before, stamp(ago(days=3)))]
        }
        findings = dependency_findings(live.dependencies[0], {}, revisions, None, live, redact)
        change = next(f for f in findings if f.subject == ref and f.at)
        assert change.kind is kind
        assert change.text == (
            f"got the template of revision 2 {when}: containers[stock].env[TOKEN].value,"
            " containers[stock].env[VERSION].value"
        )
        assert change.at == released


def test_pods_that_are_not_ready_are_about_the_workload() -> None:
    namespace = shop(replicas=3, ready=2)
    namespace.pods["stock"] = pods_of(namespace.workloads[1], waiting="ImagePullBackOff")
    live = namespace.live()
    finding = next(iter(dependency_findings(live.dependencies[0], {}, {}, None, live, redact)))
    assert finding.kind is FindingKind.WORKLOAD_NOT_READY
    assert finding.subject == ObjectRef("Deployment", "shop", "stock")


def test_candidates_are_called_services_with_a_problem_first() -> None:
    target = deployment("cart", env={"A_URL": "http://stock", "B_URL": "http://mail"})
    target["spec"]["template"]["spec"]["containers"][0]["args"] = ["--u=http://x.other.svc"]
    namespace = Namespace(
        [target, deployment("stock"), deployment("mail", replicas=0)],
        [service("cart"), service("stock"), service("mail")],
    )
    live = namespace.live()
    names = [i.subject.name for i in DependencyInspection.candidates(live)]
    assert names == ["mail", "stock"]
    assert [i.subject.name for i in ServiceEndpoints.candidates(live)] == ["cart", *names]
    assert [i.label() for i in ServiceRequest.candidates(live)] == [
        "ServiceRequest Service/cart port=80",
        "ServiceRequest Service/mail port=80",
        "ServiceRequest Service/stock port=80",
    ]


# what is sent, and what answers show -------------------------------------------------------------


@pytest.mark.parametrize(
    ("probe", "scheme", "kind"),
    [
        ({"httpGet": {"port": 8080}}, "", "http"),
        ({"httpGet": {"port": "http"}}, "", "http"),
        ({"grpc": {"port": 8080}}, "", "grpc"),
        ({"tcpSocket": {"port": 8080}}, "", "tcp"),
        ({"httpGet": {"port": 9999}}, "", "tcp"),
        ({"tcpSocket": {"port": 8080}}, "http", "http"),
        ({"httpGet": {"port": 8080}}, "redis", "tcp"),
    ],
)
def test_a_service_is_requested_as_its_pods_are_probed(
    probe: dict[str, Any], scheme: str, kind: str
) -> None:
    namespace = shop(readinessProbe=probe)
    live = namespace.live()
    dependency = replace(live.dependencies[0], scheme=scheme)
    request = question(STOCK, dependency, pods_of(namespace.workloads[1]), ())
    assert request is not None
    assert getattr(request, kind) is not None


def test_a_probe_of_the_report_says_what_is_sent_unless_it_posts() -> None:
    dependency = shop().live().dependencies[0]
    for method, path in (("GET", "/deep"), ("POST", "/")):
        http = HttpProbe.model_validate(
            {"service": "stock", "port": 80, "path": "/deep", "method": method}
        )
        request = question(STOCK, dependency, [], [Probe(name="deep", http=http)])
        assert request is not None
        assert request.http is not None
        assert (request.http.path, request.http.method.value) == (path, "GET")


def test_pods_without_a_probe_of_the_port_have_no_handler() -> None:
    assert handler(8080, pods_of(deployment("stock"))) == ""


REQUEST = Probe(name="p", http=HttpProbe(service="stock", port=80))
FAST, SLOW = Answer(True, "200 in 12 ms", ""), Answer(True, "200 in 2300 ms", "")
BROKEN = Answer(False, "500 in 3 ms", "stock answered 500")
SILENT = Answer(False, "", "no answer within 3 s")
UNKNOWN = Answer(None, "", "Service stock does not exist")


@pytest.mark.parametrize(
    ("answers", "kept_out", "kind", "text"),
    [
        ([FAST, SLOW, FAST], False, FindingKind.NORMAL, "200 in 2300 ms"),
        ([FAST, BROKEN, FAST], False, FindingKind.REQUEST_FAILED, "1 of 3 times answered 500"),
        ([BROKEN, BROKEN], True, FindingKind.REQUEST_FAILED, "answered 500"),
        ([SILENT, SILENT], False, FindingKind.REQUEST_FAILED, "no answer within 3 s"),
        (
            [SILENT],
            True,
            FindingKind.UNAVAILABLE,
            "no answer within 3 s; a network policy may keep the operator out",
        ),
        ([UNKNOWN], False, FindingKind.UNAVAILABLE, "Service stock does not exist"),
    ],
)
def test_what_answers_show(
    answers: list[Answer], kept_out: bool, kind: FindingKind, text: str
) -> None:
    finding = answer_finding(STOCK, REQUEST, answers, may_be_kept_out=kept_out)
    assert (finding.kind, finding.text) == (kind, f"GET / at port 80: {text}")

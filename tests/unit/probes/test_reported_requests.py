"""Requests that a report says fail, and whether a probe sends them."""

from typing import Any

import pytest

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import Probe
from reme_operator.probes.reported_requests import (
    ReportedRequest,
    reported_requests,
    uncovered_requests,
)
from tests.attack.injection_corpus import injections


def report(summary: str = "", *evidence: str, kind: str = "Log") -> DiagnosisReportSpec:
    return DiagnosisReportSpec.model_validate(
        {
            "target": {"kind": "Deployment", "name": "checkout"},
            "fault": {"type": "down", "summary": summary},
            "evidence": [{"kind": kind, "text": text} for text in evidence],
        }
    )


def requests(spec: DiagnosisReportSpec) -> list[str]:
    return [f"{r.text()} {r.status}" for r in reported_requests(spec, ["checkout"])]


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("POST /cart/checkout fails for 100% of users", ["POST /cart/checkout 0"]),
        ("every checkout POST answers 500", ["POST 0"]),
        ("GET /checkout 502", ["GET /checkout 502"]),
        ("/checkout returns HTTP 502", ["/checkout 502"]),
        ("HTTP 500s for POST /cart", ["POST /cart 500"]),
        ("503 on GET /y", ["GET /y 503"]),
        ("GET /old answers 404", ["GET /old 404"]),
        (
            "POST https://shop.example.com/cart/checkout returned 500",
            ["POST /cart/checkout 500"],
        ),
        ("GET http://checkout.shop.svc:80/pay -> 500", ["GET /pay 500"]),
        ("GET http://inventory:8080/stock: connection refused", []),
        ("GET http://10.1.0.7:8080/stock: connection refused", []),
        ("GET / answers 200 and all is well", []),
        ("/alive answers 200 and /ready answers 404", ["/ready 404"]),
        ("checkout is down!!", []),
        ("cannot write to /var/lib/data: no space left", []),
    ],
)
def test_a_summary_names_requests(summary: str, expected: list[str]) -> None:
    assert requests(report(summary)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('10.0.0.1 - - [x] "POST /cart/checkout HTTP/1.1" 500 12', ["POST /cart/checkout 500"]),
        ('10.0.0.1 - - [x] "GET /healthz HTTP/1.1" 200 12', []),
        ('10.0.0.1 - - [x] "GET /wp-login.php HTTP/1.1" 404 12', []),
        ("PUT /a/{id} times out", ["PUT /a/{id} 0"]),
        ("GET /a took 450 ms", []),
        ("ERROR dependency failed: http://stock:8080/x: HTTP 500", []),
        ('Readiness probe failed: Get "http://10.1.0.7:8080/alive": dial tcp', []),
        ("3 of 10 requests of users failed, path /visit", []),
        ("WARN slow request /visit: 1523 ms", []),
    ],
)
def test_evidence_names_a_request_only_where_it_says_that_it_fails(
    line: str, expected: list[str]
) -> None:
    assert requests(report("", line)) == expected


def test_what_only_a_log_names_is_marked() -> None:
    for kind, in_log in (("Log", True), ("Metric", False)):
        [request] = reported_requests(report("", "GET /a 500", kind=kind))
        assert request == ReportedRequest("GET", "/a", 500, in_log)


def http(**fields: Any) -> Probe:
    return Probe.model_validate({"name": "p", "http": {"service": "s", "port": 1, **fields}})


@pytest.mark.parametrize(
    ("request_", "probe", "covered"),
    [
        (("POST", "/cart/checkout"), {"path": "/"}, False),
        (("POST", "/cart/checkout"), {"path": "/cart/checkout"}, False),
        (("POST", "/cart/checkout"), {"path": "/cart/checkout", "method": "POST"}, True),
        (("POST", "/cart"), {"path": "/cart?x=1", "method": "POST"}, True),
        (("POST", ""), {"path": "/anything", "method": "POST"}, True),
        (("POST", ""), {"path": "/"}, False),
        (("", "/cart"), {"path": "/cart", "method": "POST"}, True),
        (("HEAD", "/cart"), {"path": "/cart"}, True),
        (("GET", "/cart"), {"path": "/cart", "method": "HEAD"}, True),
        (("GET", "/product/OLJ1"), {"path": "/product/66VC"}, True),
        (("GET", "/product/{id}"), {"path": "/product/66VC"}, True),
        (("GET", "/cart"), {"path": "/product"}, False),
        (("GET", "/checkout"), {"path": "/"}, False),
        (("GET", "/"), {"path": "/"}, True),
    ],
)
def test_a_probe_covers_the_same_method_and_path(
    request_: tuple[str, str], probe: dict[str, Any], covered: bool
) -> None:
    one = ReportedRequest(*request_)
    assert (uncovered_requests([one], [http(**probe)]) == ()) is covered


def test_other_probes_cover_no_request() -> None:
    tcp = Probe.model_validate({"name": "p", "tcp": {"service": "s", "port": 1}})
    one = ReportedRequest("GET", "/")
    assert uncovered_requests([one, one], [tcp]) == ("GET /",)
    many = [ReportedRequest("GET", f"/{letter}") for letter in "abcdefghijkl"]
    assert len(uncovered_requests(many, [])) == 8


def test_injected_texts_name_no_requests_that_would_become_probes() -> None:
    """A GET from untrusted text has no query and no host, and only people's words bring one."""
    for attempt in injections():
        for request in reported_requests(report("", attempt.text[:4096], kind="Text")):
            assert "?" not in request.path
            assert request.path.startswith("/") or not request.path

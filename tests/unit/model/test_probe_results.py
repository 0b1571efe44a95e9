"""The description of probe results in the prompt."""

from dataclasses import replace
from typing import Any

import pytest

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import ProbeResult, ProbeVerdict
from reme_model.prompt.context import describe_incident
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Usage
from tests.unit.model.shops import Shop, report_about

MIB = 2**20


def report_with_probe(**probe: Any) -> DiagnosisReportSpec:
    report = report_about("slow").model_dump(by_alias=True)
    return DiagnosisReportSpec.model_validate({**report, "probes": [{"name": "p", **probe}]})


def result(message: str, verdict: ProbeVerdict = ProbeVerdict.FAILED) -> ProbeResult:
    return ProbeResult(name="p", verdict=verdict, failed=1, message=message)


def lines_about(
    report: DiagnosisReportSpec, *measured: ProbeResult, shop: Shop | None = None
) -> str:
    return describe_incident((shop or Shop()).live(), report, (), measured)


HTTP = {"http": {"service": "cart", "port": 80, "maxMilliseconds": 500}}


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("cart took 1520 ms", "cart took 1520 ms, at most 500 ms"),
        ("cart answered 502", "cart answered 502"),
        ("no answer within 2 s", "cart gives no answer within 2 s"),
        ("Connect call failed ('10.0.0.7', 80)", "cart refuses the connection"),
        ("Connection refused", "cart refuses the connection"),
        ("Network is unreachable", "cart fails: Network is unreachable"),
    ],
)
def test_what_a_failed_question_showed(message: str, lines: str) -> None:
    assert lines_about(report_with_probe(**HTTP), result(message)).endswith(
        f"\nwrong: asked at port 80, {lines} (probe p)"
    )


@pytest.mark.parametrize(
    ("probe", "request_"),
    [
        ({"http": {"service": "cart", "port": 80}}, ""),
        ({"http": {"service": "cart", "port": 80, "path": "/pay?token=1"}}, " for /pay"),
        (
            {"http": {"service": "cart", "port": 80, "path": "/pay", "method": "POST"}},
            " for POST /pay",
        ),
        ({"http": {"service": "cart", "port": 80, "method": "HEAD"}}, " for HEAD /"),
        ({"grpc": {"service": "cart", "port": 80}}, " for its gRPC health"),
        ({"tcp": {"service": "cart", "port": 80}}, ""),
    ],
)
def test_a_line_says_what_was_sent_and_by_which_probe(probe: dict[str, Any], request_: str) -> None:
    report = report_with_probe(**probe)
    failed = lines_about(report, result("cart answered 500"))
    assert f"\nwrong: asked at port 80{request_}, cart answered 500 (probe p)" in failed
    passed = lines_about(report, result("", ProbeVerdict.PASSED))
    assert f"answers of cart{request_}\n" in passed


def test_an_answer_that_is_quick_is_normal_however_tight_the_probe() -> None:
    probe = {"http": {"service": "cart", "port": 80, "maxMilliseconds": 1}}
    context = lines_about(report_with_probe(**probe), result("cart took 14 ms"))
    assert context.endswith("service cart, answers of cart\nwrong: nothing")


def test_a_probe_that_passed_is_normal_and_one_that_was_not_measured_says_nothing() -> None:
    assert "answers of cart" in lines_about(
        report_with_probe(**HTTP), result("", ProbeVerdict.PASSED)
    )
    assert "asked" not in lines_about(
        report_with_probe(**HTTP), result("no metrics", ProbeVerdict.UNKNOWN)
    )


def test_a_port_that_the_service_does_not_have() -> None:
    probe = {"http": {"service": "cart", "port": 8080}}
    assert "\nwrong: service cart has no port 8080, only 80" in lines_about(
        report_with_probe(**probe)
    )


def test_a_rollout_that_wants_more_replicas_says_so_and_does_not_repeat_the_target() -> None:
    probe = {"rollout": {"minReplicas": 3}}
    rollout_result = result("Deployment cart: 2 replicas are wanted, 3 would be healthy")
    assert "\nwrong: rollout: 2 replicas are wanted, 3 would be healthy" in lines_about(
        report_with_probe(**probe), rollout_result
    )
    assert "rollout" not in lines_about(
        report_with_probe(**probe), result("Deployment cart: 1 of 2 are available")
    )


@pytest.mark.parametrize(
    ("percent", "most", "wrong"), [(64, 50, True), (64, 70, False), (12, 4, False), (95, 100, True)]
)
def test_a_probe_says_which_usage_is_too_much(percent: int, most: int, wrong: bool) -> None:
    probe = {"resourceUsage": {"resource": "memory", "maxPercent": most}}
    shop = Shop(replicas=1, ready=1, usage=Usage(30, (128 * percent // 100 + 1) * MIB))
    assert (
        "memory of server too high" in lines_about(report_with_probe(**probe), shop=shop)
    ) == wrong


def test_a_caller_that_fails_is_described_as_one() -> None:
    """It is a sign of what stands behind it, and no proof that the fault is elsewhere."""
    front, other = ObjectRef("Deployment", "shop", "front"), ObjectRef("Deployment", "shop", "mail")
    services = {
        ObjectRef("Service", "shop", ref.name): {
            "metadata": {"name": ref.name},
            "spec": {"selector": {"app": ref.name}, "ports": [{"port": 80}]},
        }
        for ref in (front, other)
    }
    shop = Shop().live()
    live = replace(
        shop,
        objects={**shop.objects, **services},
        neighbours={**shop.neighbours, front: {"app": "front"}, other: {"app": "mail"}},
        callers=(front,),
    )
    for service, text in (("front", "front, which calls it, answered 502"), ("mail", "mail an")):
        report = report_with_probe(http={"service": service, "port": 80})
        lines = describe_incident(live, report, (), [result(f"{service} answered 502")])
        assert f"wrong: asked at port 80, {text}" in lines

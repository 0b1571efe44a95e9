"""What an answer of Prometheus is: bounded data, or an error."""

import json
from typing import Any

import pytest

from reme_operator.investigation.prometheus import PrometheusError, parse
from reme_playbook.inspections.metrics_query import (
    Metric,
    MetricsQuery,
    Series,
    metric_findings,
    query,
)
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef

CART = ObjectRef("Deployment", "shop", "cart.v2")


def body(*results: Any, kind: str = "vector") -> bytes:
    return json.dumps({"data": {"resultType": kind, "result": list(results)}}).encode()


def test_series_are_read_and_bounded() -> None:
    good = {"metric": {"container": "cart"}, "value": [1, "0.5"]}
    bad = [{"metric": {}, "value": [1, "x"]}, {"metric": {}, "value": "0.5"}, "x", {}]
    assert parse(body(good, *bad)) == (Series({"container": "cart"}, 0.5),)
    assert len(parse(body(*[good] * 200))) == 50


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", body(kind="matrix"), b"[" * 100_000])
def test_other_answers_are_errors(answer: bytes) -> None:
    with pytest.raises(PrometheusError):
        parse(answer)


def test_queries_select_the_pods_of_the_workload_and_nothing_else() -> None:
    selection = r'namespace="shop",pod=~"cart\\.v2-[a-z0-9]+-[a-z0-9]+"'
    for metric in Metric:
        promql = query(MetricsQuery(subject=CART, metric=metric))
        assert "PODS" not in promql
        assert promql.count("{") == promql.count("{" + selection)
    stateful = MetricsQuery(subject=ObjectRef("StatefulSet", "shop", "db"), metric=Metric.RESTARTS)
    assert r'pod=~"db-[0-9]+"' in query(stateful)


@pytest.mark.parametrize(
    ("metric", "now", "before", "kind", "text"),
    [
        (
            Metric.RESTARTS,
            3.1,
            0,
            FindingKind.METRIC,
            "restarts within 30 min of container c: 3, 0",
        ),
        (
            Metric.MEMORY_SHARE,
            0.97,
            0.4,
            FindingKind.USAGE_HIGH,
            "memory against the limit of container c: 97%, 40%",
        ),
        (
            Metric.CPU_THROTTLING,
            0.2,
            0.1,
            FindingKind.METRIC,
            "throttled periods of the CPU of container c: 20%, 10%",
        ),
        (
            Metric.LATENCY,
            2.3,
            0.2,
            FindingKind.METRIC,
            "95th percentile of the latency of container c: 2300 ms, 200 ms",
        ),
    ],
)
def test_values_are_compared_with_those_before_the_fault(
    metric: Metric, now: float, before: float, kind: FindingKind, text: str
) -> None:
    inspection = MetricsQuery(subject=CART, metric=metric)
    labels = {"container": "c"}
    (finding,) = metric_findings(
        inspection, [Series(labels, now)], [Series(labels, before)], "before"
    )
    assert (finding.kind, finding.text) == (kind, f"{text} before")


def test_nothing_is_said_without_series() -> None:
    inspection = MetricsQuery(subject=CART, metric=Metric.FAILED_REQUESTS)
    for now in ([], [Series({}, float("nan"))]):
        (finding,) = metric_findings(inspection, now, [], "")
        assert finding.kind is FindingKind.UNAVAILABLE

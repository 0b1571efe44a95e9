"""Metrics are queried from a Prometheus, if one is configured, at two times."""

from dataclasses import replace

import pytest
from aiohttp import web

from reme_kube.clock import SystemClock
from reme_operator.investigation.inspector import ClusterInspector
from reme_operator.investigation.prometheus import PrometheusClient, PrometheusError
from reme_operator.investigation.readers.base import Sources
from reme_playbook.inspections.metrics_query import Metric, MetricsQuery
from reme_playbook.inspections.registry import all_candidates
from reme_playbook.snapshot.finding import FindingKind
from tests.integration.inspections.conftest import Inspected
from tests.support.stub_api import serve
from tests.unit.snapshot.namespace import Namespace, ago, deployment

LIVE = Namespace([deployment("cart")], fault_start=ago(minutes=2)).live()
QUERY = MetricsQuery(subject=LIVE.target, metric=Metric.MEMORY_SHARE)


def test_metrics_are_offered_only_where_they_can_be_queried() -> None:
    assert QUERY not in all_candidates(LIVE)
    assert QUERY in all_candidates(replace(LIVE, has_prometheus=True))


async def test_a_metric_is_read_now_and_before_the_fault(shop: Inspected) -> None:
    forms: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        forms.append({k: str(v) for k, v in (await request.post()).items()})
        value = "0.97" if len(forms) == 1 else "0.4"
        series = {"metric": {"container": "cart"}, "value": [0, value]}
        return web.json_response({"data": {"resultType": "vector", "result": [series]}})

    async with serve(answer) as port, PrometheusClient(f"http://127.0.0.1:{port}/prom/") as client:
        inspector = ClusterInspector(Sources(shop.cluster, SystemClock(), prometheus=client))
        result = await inspector.inspect(QUERY, LIVE)
    (finding,) = result.findings
    assert finding.kind is FindingKind.USAGE_HIGH
    assert finding.text.endswith("container cart: 97%, 40% 10 min before the fault began")
    assert float(forms[1]["time"]) == pytest.approx(ago(minutes=12).timestamp())
    assert 'namespace="shop"' in forms[0]["query"]


async def test_errors_say_nothing_about_the_workload(shop: Inspected) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})

    async with serve(answer) as port, PrometheusClient(f"http://127.0.0.1:{port}") as client:
        sources = Sources(shop.cluster, SystemClock(), prometheus=client)
        result = await ClusterInspector(sources).inspect(QUERY, LIVE)
    (finding,) = result.findings
    assert (finding.kind, finding.text) == (FindingKind.UNAVAILABLE, "Prometheus: answered 302")
    without = ClusterInspector(Sources(shop.cluster, SystemClock()))
    (finding,) = (await without.inspect(QUERY, LIVE)).findings
    assert finding.kind is FindingKind.UNAVAILABLE


async def test_a_large_answer_is_refused() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 300_000)

    async with serve(answer) as port, PrometheusClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(PrometheusError, match="larger"):
            await client.query("up", ago())

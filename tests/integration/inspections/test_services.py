"""Inspections of Services: what is behind them, and how they answer requests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web

from reme_api.probes import HttpMethod, Probe
from reme_kube.clock import SystemClock
from reme_operator.investigation.inspector import ClusterInspector
from reme_operator.investigation.readers.base import Sources
from reme_operator.probes.prober import ServiceProber
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.dependency import DependencyInspection
from reme_playbook.inspections.registry import all_candidates
from reme_playbook.inspections.service_endpoints import ServiceEndpoints
from reme_playbook.inspections.service_request import ServiceRequest
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.doubles.api_rules import Json
from tests.integration.inspections.conftest import Inspected
from tests.support.stub_api import serve
from tests.unit.snapshot.namespace import Namespace, ago, deployment, pods_of, service

STOCK = ObjectRef("Service", "shop", "stock")
CART = ObjectRef("Service", "shop", "cart")


@dataclass
class Server:
    """A server that stands for the pods of every Service; it answers with `statuses` in turn."""

    statuses: list[int] = field(default_factory=lambda: [200])
    requests: list[tuple[str, str, str, str]] = field(default_factory=list)
    port: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        body, tag = await request.text(), request.headers.get("X-Tag", "")
        self.requests.append((request.method, request.path_qs, body, tag))
        return web.Response(status=self.statuses[len(self.requests) % len(self.statuses)])


@dataclass
class Shop:
    """A cart that calls a stock, both behind Services that lead to the server."""

    inspected: Inspected
    server: Server
    probes: tuple[Probe, ...] = ()
    stock: Json = field(default_factory=dict)
    namespace: Namespace = field(init=False)

    def __post_init__(self) -> None:
        port = self.server.port
        cart = deployment("cart", env={"STOCK_URL": f"http://stock:{port}/"})
        self.namespace = Namespace(
            [cart, deployment("stock", **self.stock)],
            [
                service(name, port=port, clusterIP="127.0.0.1", changed=ago(minutes=3))
                for name in ("cart", "stock")
            ],
            fault_start=ago(minutes=2),
        )

    def live(self) -> ClusterSnapshot:
        return replace(self.namespace.live(), probes=self.probes)

    async def inspect(self, inspection: Inspection) -> list[tuple[FindingKind, str, str]]:
        api, cluster = self.inspected.api, self.inspected.cluster
        api.remove("services", "shop", "cart")
        for kind, items in (
            ("services", self.namespace.services),
            ("deployments", self.namespace.workloads[1:]),
            ("pods", [p for w in self.namespace.workloads for p in pods_of(w)]),
        ):
            for item in items:
                api.put(kind, {**item, "metadata": {**item["metadata"], "namespace": "shop"}})
        async with ServiceProber(cluster, SystemClock()) as prober:
            sources = Sources(cluster, SystemClock(), prober=prober)
            result = await ClusterInspector(sources).inspect(inspection, self.live())
        return [described(finding) for finding in result.findings]


def described(finding: Finding) -> tuple[FindingKind, str, str]:
    return finding.kind, str(finding.subject), finding.text


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    async with serve(running.answer) as port:
        running.port = port
        yield running
        await asyncio.sleep(0.05)  # until the server has closed its ends of the connections


async def test_a_dependency_that_works_is_normal_and_its_changes_are_told(
    shop: Inspected, server: Server
) -> None:
    findings = await Shop(shop, server).inspect(DependencyInspection(subject=STOCK))
    assert findings[0][:2] == (FindingKind.NORMAL, "Service stock")
    assert findings[0][2].startswith(f"GET / at port {server.port}: 200 in ")
    assert findings[1:] == [
        (FindingKind.NORMAL, "Deployment stock", "has 1 of 1 pods ready"),
        (FindingKind.RECENT_CHANGE, "Service stock", "was changed 60 s before the fault began"),
    ]
    assert {request[:2] for request in server.requests} == {("GET", "/")}


async def test_requests_that_fail_now_and_then_are_counted(shop: Inspected, server: Server) -> None:
    server.statuses = [200, 500]
    findings = await Shop(shop, server).inspect(DependencyInspection(subject=STOCK))
    assert len(server.requests) == 5
    kind, subject, text = findings[0]
    assert (kind, subject) == (FindingKind.REQUEST_FAILED, "Service stock")
    assert text.removeprefix(f"GET / at port {server.port}: ") in (
        "2 of 5 times answered 500",
        "3 of 5 times answered 500",
    )


async def test_a_status_below_500_is_an_answer(shop: Inspected, server: Server) -> None:
    server.statuses = [404]
    findings = await Shop(shop, server).inspect(DependencyInspection(subject=STOCK))
    assert findings[0][0] is FindingKind.NORMAL


async def test_the_problem_of_a_dependency_comes_first(shop: Inspected, server: Server) -> None:
    findings = await Shop(shop, server, stock={"port": 9090}).inspect(
        DependencyInspection(subject=STOCK)
    )
    text = f"leads port {server.port} to 8080, and its pods have 9090"
    assert findings[0] == (FindingKind.PORT_MISMATCH, "Service stock", text)


async def test_of_a_dependency_without_ready_pods_nothing_is_requested(
    shop: Inspected, server: Server
) -> None:
    findings = await Shop(shop, server, stock={"ready": 0}).inspect(
        DependencyInspection(subject=STOCK)
    )
    assert findings[0][:2] == (FindingKind.NO_ENDPOINTS, "Service stock")
    assert server.requests == []


async def test_a_service_without_a_selector_gets_no_request(
    shop: Inspected, server: Server
) -> None:
    played = Shop(shop, server)
    played.namespace.services[1]["spec"]["selector"] = {}
    request = ServiceRequest(subject=STOCK, port=server.port)
    ((kind, _, text),) = await played.inspect(request)
    assert kind is FindingKind.UNAVAILABLE
    assert "has no selector" in text
    assert server.requests == []


async def test_another_namespace_gets_no_request(shop: Inspected, server: Server) -> None:
    other = ObjectRef("Service", "other", "stock")
    played = Shop(shop, server)
    inspections: list[Inspection] = [
        ServiceRequest(subject=other, port=80),
        ServiceEndpoints(subject=other),
        DependencyInspection(subject=other),
    ]
    for inspection in inspections:
        ((kind, _, text),) = await played.inspect(inspection)
        assert kind is FindingKind.UNAVAILABLE
        assert "may not be read" in text
    assert server.requests == []


def post(server: Server) -> Probe:
    http = {
        "service": "cart",
        "port": server.port,
        "method": "POST",
        "path": "/checkout",
        "body": '{"items": 1}',
        "headers": [{"name": "X-Tag", "value": "test"}],
    }
    return Probe.model_validate({"name": "checkout", "http": http})


async def test_a_post_is_sent_once_and_only_as_a_probe_has_it(
    shop: Inspected, server: Server
) -> None:
    server.statuses = [502]
    played = Shop(shop, server, probes=(post(server),))
    request = ServiceRequest(
        subject=CART, port=server.port, method=HttpMethod.POST, probe="checkout"
    )
    assert request in all_candidates(played.live())
    assert await played.inspect(request) == [
        (
            FindingKind.REQUEST_FAILED,
            "Service cart",
            f"POST /checkout at port {server.port}: answered 502",
        )
    ]
    assert server.requests == [("POST", "/checkout", '{"items": 1}', "test")]
    for other in (
        request.model_copy(update={"probe": ""}),
        request.model_copy(update={"probe": "unknown"}),
        request.model_copy(update={"subject": STOCK}),
    ):
        ((kind, _, text),) = await played.inspect(other)
        assert (kind, text) == (FindingKind.UNAVAILABLE, "no such request may be sent")
    assert len(server.requests) == 1


async def test_a_head_request_of_the_root_needs_no_probe(shop: Inspected, server: Server) -> None:
    request = ServiceRequest(subject=CART, port=server.port, method=HttpMethod.HEAD)
    ((kind, _, text),) = await Shop(shop, server).inspect(request)
    assert kind is FindingKind.NORMAL
    assert text.startswith(f"HEAD / at port {server.port}: 200 in ")


async def test_a_refused_connection_may_be_a_network_policy(
    shop: Inspected, server: Server
) -> None:
    request = ServiceRequest(subject=STOCK, port=1)
    played = Shop(shop, server)
    ((kind, _, _),) = await played.inspect(request)
    assert kind is FindingKind.REQUEST_FAILED
    policy: dict[str, Any] = {
        "metadata": {"name": "stock"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []},
    }
    played.namespace.related[ObjectRef("NetworkPolicy", "shop", "stock")] = policy
    ((kind, _, text),) = await played.inspect(request)
    assert kind is FindingKind.UNAVAILABLE
    assert text.endswith("a network policy may keep the operator out")


async def test_endpoints_are_read_from_pods(shop: Inspected, server: Server) -> None:
    assert await Shop(shop, server).inspect(ServiceEndpoints(subject=CART)) == [
        (
            FindingKind.NORMAL,
            "Service cart",
            "leads to 1 of 1 pods of Deployment cart, which have its ports",
        )
    ]

"""Findings are gathered from the cluster; a part that cannot be read is left out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from reme_benchmark.diagnosis.gather import gather
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.user_sli import UserSli
from reme_kube.errors import NotFoundError, UnavailableError
from reme_kube.http_client import ApiClient
from reme_kube.responses import HttpResponse
from tests.doubles.results import case

NS = "bench-shop"
CORE, APPS = f"/api/v1/namespaces/{NS}", f"/apis/apps/v1/namespaces/{NS}"
METRICS = f"/apis/metrics.k8s.io/v1beta1/namespaces/{NS}/pods"
NOW = datetime.now(UTC)


def workload(name: str, uid: str, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": NS, "uid": uid},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}},
        "status": status,
    }


def owned(name: str, owner: str, uid: str, **fields: Any) -> dict[str, Any]:
    owners = [{"controller": True, "uid": uid, "name": owner}]
    return {"metadata": {"name": name, "uid": f"{name}-uid", "ownerReferences": owners}, **fields}


def pod(name: str, service: str, *, ready: bool, restarts: int = 0) -> dict[str, Any]:
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"name": "web", "ready": ready, "restartCount": restarts}],
    }
    containers = [{"name": "web", "resources": {"limits": {"cpu": "100m"}}}]
    return owned(
        name,
        f"{service}-6c5f",
        f"{service}-6c5f-uid",
        spec={"containers": containers},
        status=status,
    )


class FakeApi:
    """A namespace with a broken cart and a healthy web."""

    def __init__(self, *unreadable: str) -> None:
        self.unreadable = unreadable
        self.paths: list[str] = []
        event = {
            "type": "Warning",
            "message": "probe failed",
            "involvedObject": {"kind": "Pod", "name": "cart-6c5f-1"},
            "metadata": {},
        }
        pods = [
            pod("cart-6c5f-1", "cart", ready=False, restarts=1),
            pod("web-6c5f-1", "web", ready=True),
        ]
        self.lists: dict[str, list[Any]] = {
            f"{APPS}/replicasets": [
                owned("cart-6c5f", "cart", "u1"),
                owned("web-6c5f", "web", "u2"),
            ],
            f"{CORE}/pods": pods,
            f"{CORE}/events": [
                {**event, "reason": "Old", "lastTimestamp": (NOW - timedelta(hours=1)).isoformat()},
                {**event, "reason": "Unhealthy", "lastTimestamp": NOW.isoformat()},
            ],
            METRICS: [
                {
                    "metadata": {"name": name},
                    "containers": [{"name": "web", "usage": {"cpu": cpu, "memory": "9Mi"}}],
                }
                for name, cpu in (("cart-6c5f-1", "99m"), ("web-6c5f-1", "7m"))
            ],
        }

    def _readable(self, path: str) -> None:
        if any(part in path for part in self.unreadable):
            raise UnavailableError(path)

    async def get(self, path: str) -> dict[str, Any]:
        self._readable(path)
        if path == f"{APPS}/deployments/cart":
            return workload("cart", "u1")
        raise NotFoundError(path)

    async def list_items(self, path: str, *_: Any) -> AsyncIterator[dict[str, Any]]:
        self._readable(path)
        for item in self.lists[path]:
            yield item

    async def get_raw(self, path: str, _: float) -> HttpResponse:
        self._readable(path)
        self.paths.append(path)
        if "previous=true" in path:
            return HttpResponse(400, b"ERROR previous terminated container not found")
        line = b"ERROR no connection to db" if "cart" in path else b"web serves on 80"
        return HttpResponse(200, b"INFO up\n" + line + b"\n")


class FakeLoadGenerator:
    async def recent(self, _: int) -> UserSli:
        return UserSli(ok=6, failed=4, end=5)


def context(api: FakeApi, **of: Any) -> CaseContext:
    system = SimpleNamespace(
        felt_on=lambda _: ("/buy",), path="/", service=lambda _: SimpleNamespace(kind="Deployment")
    )
    return CaseContext(
        cluster=Cluster(cast("ApiClient", api)),
        agents=cast("Any", None),
        users=cast("Any", FakeLoadGenerator()),
        namespace=NS,
        system=cast("Any", system),
        case=case(1, **of),
        fault=None,
        before=cast("Any", SimpleNamespace(time=NOW - timedelta(seconds=30))),
        values={},
    )


async def test_everything_of_the_target_and_the_most_telling_first() -> None:
    api = FakeApi()
    findings = await gather(context(api))
    assert (findings.kind, findings.name, findings.front_path) == ("Deployment", "cart", "/buy")
    assert [f.text for f in findings.items] == [
        "container web was restarted 1 times and is not ready",
        "4 of 10 requests of users failed, path /buy",
        "0 of 1 replicas are available",
        "cpu 99m of 100m (99%), memory 9Mi without a limit",
        "Unhealthy: probe failed",
        "ERROR no connection to db",
    ]
    assert all(f.telling for f in findings.items)
    assert [f.text for f in findings.unrelated] == [
        "cpu 7m of 100m (7%), memory 9Mi without a limit",
        "web serves on 80",
        "phase Running, ready",
    ]
    assert any("previous=true" in path for path in api.paths)
    queries = [dict(parse_qsl(urlsplit(path).query)) for path in api.paths]
    assert all(query["tailLines"] == "40" for query in queries)
    # The last half minute, and as long as this module has been loaded.
    assert all(30 <= int(query["sinceSeconds"]) < 3600 for query in queries)


async def test_what_cannot_be_read_costs_only_itself() -> None:
    findings = await gather(context(FakeApi("metrics", "/events", "/log")))
    assert [f.text for f in findings.items] == [
        "container web was restarted 1 times and is not ready",
        "4 of 10 requests of users failed, path /buy",
        "0 of 1 replicas are available",
    ]
    nothing = await gather(context(FakeApi("/api")))
    assert nothing.items[0].text == "workload cart does not exist"


async def test_a_wrong_target_is_what_is_looked_at() -> None:
    findings = await gather(context(FakeApi(), service="web", reported_service="cart"))
    assert findings.name == "cart"
    assert findings.unrelated == ()  # neither the blamed one nor the broken one is beside the point

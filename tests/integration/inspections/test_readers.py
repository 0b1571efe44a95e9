"""Each reader reads what its inspection needs over the API, and no more than it may."""

import time
from dataclasses import dataclass

from aiohttp import web

from reme_kube.clock import SystemClock
from reme_playbook.inspections.init_containers import InitContainers
from reme_playbook.inspections.node_state import NodeState
from reme_playbook.inspections.quota_state import QuotaState
from reme_playbook.inspections.resource_usage import ResourceUsage
from reme_playbook.snapshot.finding import FindingKind
from tests.doubles.api_rules import Json
from tests.doubles.fake_api import refusal
from tests.doubles.shop import NAMESPACE
from tests.integration.inspections.conftest import CART, Inspected


class SteppingClock(SystemClock):
    """A clock that goes on when somebody sleeps, at once."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class MetricsServer:
    """A metrics server whose clock and whose memory grow with every request."""

    requests: int = 0

    def __call__(self, method: str, path: str, body: Json | None) -> web.Response | None:
        """Answer a request for metrics."""
        if "metrics.k8s.io" not in path:
            return None
        self.requests += 1
        return web.json_response({"items": [pod_metrics(self.requests)]})


def pod_metrics(number: int) -> Json:
    usage = {"name": "cart", "usage": {"cpu": "5m", "memory": f"{56 + number}Mi"}}
    return {
        "metadata": {"name": "cart-2-x", "namespace": NAMESPACE},
        "timestamp": f"2026-01-02T03:00:{number * 15:02}Z",
        "containers": [usage],
    }


async def test_usage_is_sampled_several_times_within_the_time(shop: Inspected) -> None:
    shop.pod()
    shop.clock = SteppingClock()
    server = MetricsServer()
    shop.api.faults.append(server)
    result = await shop.inspect(ResourceUsage(subject=CART), seconds=8)
    assert server.requests == 3
    assert [(finding.kind, finding.text) for finding in result.findings] == [
        (FindingKind.NORMAL, "cpu of cart in pod cart-2-x: 5m of 200m (2%), steady for 30 s"),
        (
            FindingKind.USAGE_HIGH,
            "memory of cart in pod cart-2-x: 59Mi of 64Mi (92%), steady for 30 s",
        ),
    ]


async def test_without_a_metrics_server_what_was_killed_for_memory_is_known(
    shop: Inspected,
) -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    shop.pod(containerStatuses=[{"name": "cart", "restartCount": 2, "lastState": ended}])
    shop.api.faults.append(refusal(404, "NotFound", times=99, path="metrics.k8s.io"))
    begin = time.monotonic()
    result = await shop.inspect(ResourceUsage(subject=CART))
    assert time.monotonic() - begin < 2
    assert [finding.kind for finding in result.findings] == [
        FindingKind.OUT_OF_MEMORY,
        FindingKind.UNAVAILABLE,
    ]


async def test_the_log_of_an_init_container_that_fails_is_read(shop: Inspected) -> None:
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    status = {"name": "migrate", "restartCount": 2, "lastState": ended}
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    shop.pod(initContainerStatuses=[{**status, "state": waiting}])
    shop.api.logs["cart-2-x", "migrate", True] = "2026-01-02T03:00:00.1Z ERROR no table items\n"
    result = await shop.inspect(InitContainers(subject=CART))
    assert [(finding.kind, finding.text) for finding in result.findings] == [
        (
            FindingKind.INIT_CONTAINER_FAILED,
            "init container migrate of pod cart-2-x failed with exit code 1, restarted 2 times",
        ),
        (
            FindingKind.LOG_ERROR,
            "migrate in cart-2-x, last before exit code 1: ERROR no table items",
        ),
    ]


async def test_the_states_of_init_containers_need_no_right_on_logs(shop: Inspected) -> None:
    failed = {"name": "migrate", "state": {"terminated": {"exitCode": 1}}}
    shop.pod(initContainerStatuses=[failed])
    shop.api.faults.append(refusal(403, "Forbidden", times=9, path="/log"))
    (finding,) = (await shop.inspect(InitContainers(subject=CART))).findings
    assert finding.kind is FindingKind.INIT_CONTAINER_FAILED


async def test_the_node_of_a_pod_is_read(shop: Inspected) -> None:
    pod = shop.pod()
    pod["spec"]["nodeName"] = "a"
    shop.api.put("pods", pod)
    for name in ("a", "b"):
        ready = {"type": "Ready", "status": "False", "message": f"{name} has stopped"}
        shop.api.put("nodes", {"metadata": {"name": name}, "status": {"conditions": [ready]}})
    (finding,) = (await shop.inspect(NodeState(subject=CART))).findings
    assert finding.text == "node a is not ready: a has stopped"


async def test_where_nodes_may_not_be_read_nothing_is_said_about_them(shop: Inspected) -> None:
    shop.pod()
    shop.api.faults.append(refusal(403, "Forbidden", times=9, path="/nodes"))
    (finding,) = (await shop.inspect(NodeState(subject=CART))).findings
    assert finding.kind is FindingKind.UNAVAILABLE


async def test_quotas_are_read_without_a_right_on_limit_ranges(shop: Inspected) -> None:
    shop.api.put(
        "resourcequotas",
        {
            "metadata": {"name": "compute", "namespace": NAMESPACE},
            "spec": {"hard": {"pods": "5"}},
            "status": {"used": {"pods": "1"}},
        },
    )
    shop.api.faults.append(refusal(403, "Forbidden", times=9, path="/limitranges"))
    (finding,) = (await shop.inspect(QuotaState(subject=CART))).findings
    assert finding.text == "quota compute leaves room: pods 1 of 5"

"""Each measurement of a fault's effect: when it holds, when not, and when it has no result."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_benchmark.injection.agent_client import AgentsError
from reme_benchmark.scenarios.faults.model import Check, FieldHolds
from reme_benchmark.scoring import container_usage
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.container_usage import Growth
from reme_benchmark.scoring.fault_effect import field_holds, measure
from reme_benchmark.scoring.records import Measured
from reme_benchmark.scoring.snapshot import take_snapshot
from reme_kube.errors import NotFoundError, UnavailableError
from reme_kube.responses import HttpResponse
from tests.doubles.bench_cluster import NAMESPACE, FakeAgents, FakeCluster, Object
from tests.doubles.bench_shop import context, shop


class Scene:
    def __init__(self, cluster: FakeCluster, made: CaseContext) -> None:
        self.cluster = cluster
        self.context = made
        agents: Any = made.agents
        self.agents: FakeAgents = agents

    async def measure(self, check: dict[str, Any], growth: Growth | None = None) -> Measured:
        return await measure(Check.model_validate(check), self.context, growth)

    def cart(self) -> Object:
        return self.cluster.at("Deployment", "cart")

    def pod(self, name: str = "cart-1-0") -> Object:
        return self.cluster.at("Pod", name)


@pytest.fixture
async def scene() -> Scene:
    cluster = shop()
    before = await take_snapshot(cluster, NAMESPACE)  # type: ignore[arg-type]
    return Scene(cluster, context(cluster, before, None))


# --- rollout --------------------------------------------------------------------------------------


async def test_a_rollout_is_done(scene: Scene) -> None:
    measured = await scene.measure({"rollout": {}})
    assert (measured.name, measured.ok, measured.value) == (
        "rollout cart",
        True,
        "2/2 available, 2 updated",
    )


@pytest.mark.parametrize(
    "status",
    [
        {"observedGeneration": 0},
        {"updatedReplicas": 1},
        {"availableReplicas": 1},
        {"replicas": 3},
    ],
)
async def test_a_rollout_is_not_done(scene: Scene, status: dict[str, int]) -> None:
    scene.cart()["status"] |= status
    assert (await scene.measure({"rollout": {}})).ok is False


async def test_fewer_pods_than_before_are_not_enough(scene: Scene) -> None:
    scene.cart()["spec"]["replicas"] = 0
    scene.cart()["status"] = {"observedGeneration": 1}
    measured = await scene.measure({"rollout": {}})
    assert (measured.ok, measured.message) == (False, "0 of 2 pods are available")


async def test_a_workload_that_is_gone_is_not_rolled_out(scene: Scene) -> None:
    scene.cluster.drop("Deployment", "cart")
    assert (await scene.measure({"rollout": {}})).ok is False


async def test_another_service_can_be_named_by_a_placeholder(scene: Scene) -> None:
    scene.context.values["other"] = "front"
    assert (await scene.measure({"rollout": {"service": "${other}"}})).name == "rollout front"


async def test_a_placeholder_without_a_value_is_not_measured(scene: Scene) -> None:
    assert (await scene.measure({"rollout": {"service": "${nobody}"}})).ok is None


async def test_a_service_that_never_was_is_not_measured(scene: Scene) -> None:
    assert (await scene.measure({"rollout": {"service": "nobody"}})).ok is None


async def test_a_silent_api_server_is_not_measured(scene: Scene) -> None:
    scene.cluster.fails = UnavailableError("no answer")
    assert (await scene.measure({"rollout": {}})).ok is None


# --- serves ---------------------------------------------------------------------------------------


async def test_a_service_is_asked_by_its_caller_through_its_address(scene: Scene) -> None:
    measured = await scene.measure({"serves": {}})
    assert (measured.ok, measured.value) == (True, "4 of 4 answered, median 5 ms")
    assert scene.agents.measurements == ["front-1-0: http://10.0.0.1:80/"]


async def test_the_front_is_asked_by_the_users(scene: Scene) -> None:
    assert (await scene.measure({"serves": {"service": "front"}})).ok
    assert scene.agents.measurements == ["users-1-0: http://10.0.0.1:80/"]


async def test_without_an_agent_the_proxy_asks(scene: Scene) -> None:
    scene.agents.fails = AgentsError("no agent")
    assert (await scene.measure({"serves": {"requests": 3}})).ok
    assert (
        scene.cluster.api.paths
        == [
            "/api/v1/namespaces/shop/services/http:cart:80/proxy/",
        ]
        * 3
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (HttpResponse(500, b"oops"), "answered 500"),
        (HttpResponse(503, b'{"message": "no endpoints available for service"}'), "no endpoints"),
        (UnavailableError("GET x: no answer within 2 s"), "no answer within 2 s"),
    ],
)
async def test_bad_answers_are_reported(scene: Scene, answer: Any, why: str) -> None:
    scene.agents.fails = AgentsError("no agent")
    scene.cluster.api.answers["http:cart"] = answer
    measured = await scene.measure({"serves": {}})
    assert measured.ok is False
    assert why in measured.message


async def test_some_lost_requests_are_too_many(scene: Scene) -> None:
    scene.agents.errors = {"TimeoutError": 1}
    measured = await scene.measure({"serves": {}})
    assert (measured.ok, measured.value) == (False, "3 of 4 answered, median 5 ms")
    assert (await scene.measure({"serves": {"min_percent": 75}})).ok


async def test_a_slow_service_is_too_slow(scene: Scene) -> None:
    scene.agents.times = [900.0]
    assert (await scene.measure({"serves": {}})).ok
    assert (await scene.measure({"serves": {"max_milliseconds": 500}})).ok is False


async def test_a_service_without_ready_endpoints_does_not_serve(scene: Scene) -> None:
    for endpoint in scene.cluster.at("EndpointSlice", "cart-1")["endpoints"]:
        endpoint["conditions"]["ready"] = False
    measured = await scene.measure({"serves": {}})
    assert (measured.ok, measured.message) == (False, "Service cart has no ready endpoint")


async def test_a_service_that_leads_to_others_does_not_serve(scene: Scene) -> None:
    endpoint = {"targetRef": {"name": "front-1-0"}}
    scene.cluster.at("EndpointSlice", "cart-1")["endpoints"].append(endpoint)
    measured = await scene.measure({"serves": {}})
    assert (measured.ok, "front-1-0" in measured.message) == (False, True)


async def test_an_endpoint_of_a_pod_that_just_went_is_no_harm(scene: Scene) -> None:
    endpoint = {"targetRef": {"name": "cart-0-9"}}
    scene.cluster.at("EndpointSlice", "cart-1")["endpoints"].append(endpoint)
    assert (await scene.measure({"serves": {}})).ok


async def test_a_service_that_was_deleted_does_not_serve(scene: Scene) -> None:
    scene.cluster.drop("Service", "cart")
    assert (await scene.measure({"serves": {}})).ok is False


# --- use of CPU and memory ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "use", "ok"),
    [
        ("cpu", {"cpu_millicores": 149}, True),
        ("cpu", {"cpu_millicores": 150}, False),
        ("cpu", {"cpu_millicores": 200, "cpu_limit_millicores": 600}, True),
        ("cpu", {"cpu_millicores": 1, "cpu_limit_millicores": None}, False),
        ("memory", {"memory_bytes": 31 * 2**20}, True),
        ("memory", {"memory_bytes": 33 * 2**20}, False),
        ("memory", {"memory_bytes": 1, "memory_limit_bytes": None}, False),
    ],
)
async def test_use_is_below_half(
    scene: Scene, resource: str, use: dict[str, Any], ok: bool
) -> None:
    scene.agents.use |= use
    check = {"usage": {"resource": resource, "max_percent": 50}}
    assert (await scene.measure(check)).ok is ok


@pytest.mark.parametrize(
    ("use", "ok"),
    [
        ({}, True),
        ({"throttled_periods": 1}, True),
        ({"throttled_periods": 5}, False),
        ({"periods": 0, "cpu_limit_millicores": None}, False),
    ],
)
async def test_containers_are_seldom_throttled(scene: Scene, use: dict[str, Any], ok: bool) -> None:
    scene.agents.use |= use
    assert (await scene.measure({"throttled": {"max_percent": 20}})).ok is ok


@pytest.mark.parametrize(
    "check",
    [
        {"usage": {"resource": "cpu", "max_percent": 50}},
        {"throttled": {"max_percent": 20}},
        {"disk": {"min_mebibytes_per_second": 5}},
        {"network": {}},
        {"memory_flat": {"max_mebibytes_per_minute": 5}},
    ],
)
@pytest.mark.parametrize("error", [AgentsError("no agent"), NotFoundError("no container")])
async def test_without_the_agent_nothing_is_measured(
    scene: Scene, check: dict[str, Any], error: Exception
) -> None:
    scene.agents.fails = error
    assert (await scene.measure(check)).ok is None


async def test_a_service_without_running_containers_uses_nothing_that_counts(scene: Scene) -> None:
    for name in ("cart-1-0", "cart-1-1"):
        scene.cluster.drop("Pod", name)
    check = {"usage": {"resource": "cpu", "max_percent": 50}}
    assert (await scene.measure(check)).ok is None


async def test_memory_that_grows_is_detected(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_usage, "_FLAT_SECONDS", 0.05)
    # Two pods, read twice: the second of them takes half a mebibyte in that time.
    scene.pod("cart-1-1")["status"]["containerStatuses"][0]["containerID"] = "x://" + "b" * 64
    check = {"memory_flat": {"max_mebibytes_per_minute": 5}}
    scene.agents.memory = [2**20, 2**20, 2**20, 2**20 + 2**19]
    measured = await scene.measure(check)
    assert (measured.ok, measured.message) == (False, "memory of cart still grows")
    scene.agents.memory = [2**20, 2**20, 2**20, 2**20]
    assert (await scene.measure(check)).ok


async def test_growth_is_measured_from_the_first_look(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_usage, "_FLAT_SECONDS", 0.05)
    check, growth = {"memory_flat": {"max_mebibytes_per_minute": 60}}, Growth()
    scene.agents.memory = [0, 0, 0, 0]
    assert (await scene.measure(check, growth)).ok
    await asyncio.sleep(0.05)
    scene.agents.memory = [2**20, 2**20]
    assert (await scene.measure(check, growth)).ok is False


# --- disk and network -----------------------------------------------------------------------------


async def test_a_disk_is_fast_or_slow(scene: Scene) -> None:
    check = {"disk": {"min_mebibytes_per_second": 5}}
    assert (await scene.measure(check)).ok
    assert scene.agents.measurements == ["/scratch", "/scratch"]
    scene.agents.speed = 2**20
    measured = await scene.measure(check)
    assert (measured.ok, measured.value) == (False, "1.0 MiB/s")


async def test_a_service_without_a_volume_has_no_disk(scene: Scene) -> None:
    before = scene.context.before.objects["Deployment/cart"]
    before["spec"]["template"]["spec"]["volumes"] = [
        {"name": "scratch", "emptyDir": {"medium": "Memory"}}
    ]
    assert (await scene.measure({"disk": {"min_mebibytes_per_second": 5}})).ok is None


async def test_a_good_network_answers_in_time(scene: Scene) -> None:
    assert (await scene.measure({"network": {}})).ok
    assert set(scene.agents.measurements) == {"front-1-0: http://10.1.0.1:8080/healthz"}
    # Twelve requests to each of two pods, four at a time.
    assert len(scene.agents.measurements) == 6


@pytest.mark.parametrize(
    ("times", "errors"),
    [([5.0], {"TimeoutError": 2}), ([5.0, 5.0, 1005.0], {}), ([400.0], {}), ([2000.0], {})],
)
async def test_a_bad_network_loses_or_delays(
    scene: Scene, times: list[float], errors: dict[str, int]
) -> None:
    scene.agents.times, scene.agents.errors = times, errors
    assert (await scene.measure({"network": {}})).ok is False


async def test_a_lost_network_is_known_after_the_first_requests(scene: Scene) -> None:
    scene.agents.errors = {"TimeoutError": 4}
    await scene.measure({"network": {}})
    assert len(scene.agents.measurements) == 1


async def test_pods_that_are_not_ready_have_no_network(scene: Scene) -> None:
    for name in ("cart-1-0", "cart-1-1"):
        scene.pod(name)["status"]["conditions"] = []
    assert (await scene.measure({"network": {}})).ok is False


# --- restarts and fields --------------------------------------------------------------------------


def _status(scene: Scene) -> Object:
    first: Object = scene.pod()["status"]["containerStatuses"][0]
    return first


async def test_old_restarts_are_none(scene: Scene) -> None:
    _status(scene)["restartCount"] = 3
    measured = await scene.measure({"no_restarts": {}})
    assert (measured.ok, measured.value) == (True, "3 restarts")


async def test_a_fresh_restart_is_one(scene: Scene) -> None:
    recent = (datetime.now(UTC) - timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    _status(scene)["state"] = {"running": {"startedAt": recent}}
    assert (await scene.measure({"no_restarts": {}})).ok
    _status(scene)["restartCount"] = 1
    assert (await scene.measure({"no_restarts": {}})).ok is False


async def test_a_container_that_waits_to_be_started_again_does_not_run(scene: Scene) -> None:
    _status(scene)["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    assert (await scene.measure({"no_restarts": {}})).ok is False


@pytest.mark.parametrize(
    ("path", "condition", "ok"),
    [
        ("spec.replicas", {"equals": 2}, True),
        ("spec.replicas", {"equals": "2"}, True),
        ("spec.replicas", {"equals": 3}, False),
        ("spec.replicas", {"at_least": 2}, True),
        ("spec.replicas", {"at_least": 3}, False),
        ("spec.paused", {"absent": True}, True),
        ("spec.replicas", {"absent": True}, False),
        ("spec.paused", {"equals": True}, False),
        ("spec.replicas", {}, True),
        ("spec.template.spec.containers[cart].image", {"equals": "shop:1"}, True),
        ("spec.template.spec.containers[${container}].image", {"equals": "shop:2"}, False),
        (
            "spec.template.spec.containers[cart].resources.limits.memory",
            {"equals": "65536Ki"},
            True,
        ),
        (
            "spec.template.spec.containers[cart].resources.limits.memory",
            {"at_least": 64 * 2**20 + 1},
            False,
        ),
    ],
)
async def test_a_field_holds(scene: Scene, path: str, condition: dict[str, Any], ok: bool) -> None:
    check = {"kind": "Workload", "name": "${service}", "path": path, **condition}
    assert (await scene.measure({"field": check})).ok is ok
    assert await field_holds(FieldHolds.model_validate(check), scene.context) is ok


async def test_a_field_of_an_object_that_is_gone_is_absent(scene: Scene) -> None:
    check = {"kind": "ResourceQuota", "name": "tight", "path": "spec.hard.pods"}
    assert (await scene.measure({"field": {**check, "absent": True}})).ok
    assert (await scene.measure({"field": {**check, "at_least": 1}})).ok is False

"""MicroRemed's verdict with its flaws: each of them is kept, and named here."""

from typing import Any

import pytest

from reme_benchmark.injection.agent_client import AgentsError
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.microremed import judge_microremed
from reme_benchmark.scoring.records import Verdict
from reme_benchmark.scoring.snapshot import take_snapshot
from reme_kube.errors import InvalidError, NotFoundError
from tests.doubles.bench_cluster import NAMESPACE, FakeAgents, FakeCluster, Object, QuickClock
from tests.doubles.bench_shop import context, fault, shop


class Scene:
    def __init__(self, cluster: FakeCluster, made: CaseContext, clock: QuickClock) -> None:
        self.cluster, self.context, self.clock = cluster, made, clock
        agents: Any = made.agents
        self.agents: FakeAgents = agents

    async def judge(self) -> Verdict:
        verdict = await judge_microremed(self.context, clock=self.clock)
        assert verdict is not None
        return verdict

    def use(self, cpu: str, memory: str = "10Mi", *pods: str) -> None:
        """Set what the metrics server says of the pods."""
        for name in pods or ("cart-1-0", "cart-1-1"):
            self.cluster.put(
                {
                    "kind": "PodMetrics",
                    "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "cart"}},
                    "containers": [{"name": "cart", "usage": {"cpu": cpu, "memory": memory}}],
                }
            )

    def containers(self) -> list[Object]:
        return [
            self.cluster.at("Pod", name)["spec"]["containers"][0]
            for name in ("cart-1-0", "cart-1-1")
        ]


async def make_scene(published: str | None) -> Scene:
    cluster, clock = shop(), QuickClock()
    before = await take_snapshot(cluster, NAMESPACE)  # type: ignore[arg-type]
    scene = Scene(
        cluster, context(cluster, before, fault({"rollout": {}}, published=published)), clock
    )
    scene.use("30m")
    return scene


async def test_faults_that_microremed_has_not_are_not_judged() -> None:
    scene = await make_scene(None)
    assert await judge_microremed(scene.context, clock=scene.clock) is None


@pytest.mark.parametrize(("cpu", "passed"), [("149m", True), ("150m", False), ("300m", False)])
async def test_cpu_must_be_below_half_of_the_limit(cpu: str, passed: bool) -> None:
    scene = await make_scene("cpu-stress")
    scene.use(cpu)
    verdict = await scene.judge()
    assert verdict.passed is passed
    assert bool(verdict.reasons) is not passed
    assert passed or scene.clock.seconds >= 60


@pytest.mark.parametrize(("memory", "passed"), [("31Mi", True), ("32Mi", False)])
async def test_memory_must_be_below_half_of_the_limit(memory: str, passed: bool) -> None:
    scene = await make_scene("memory-stress")
    scene.use("1m", memory)
    assert (await scene.judge()).passed is passed


async def test_one_good_sample_is_enough() -> None:
    scene = await make_scene("cpu-stress")
    scene.use("300m")
    scene.clock.at(7, lambda: scene.use("10m"))
    scene.clock.at(9, lambda: scene.use("300m"))
    assert (await scene.judge()).passed


async def test_a_container_without_a_limit_passes() -> None:
    scene = await make_scene("cpu-stress")
    scene.use("9000m")
    for container in scene.containers():
        del container["resources"]["limits"]
    assert (await scene.judge()).passed


async def test_metrics_of_pods_that_are_gone_pass() -> None:
    scene = await make_scene("cpu-stress")
    for name in ("cart-1-0", "cart-1-1"):
        scene.cluster.drop("PodMetrics", name)
    scene.use("300m", "1Mi", "cart-0-0")
    assert (await scene.judge()).passed


async def test_without_any_metrics_it_does_not() -> None:
    scene = await make_scene("cpu-stress")
    for name in ("cart-1-0", "cart-1-1"):
        scene.cluster.drop("PodMetrics", name)
    assert "no metrics" in (await scene.judge()).reasons[0]


@pytest.mark.parametrize("name", ["sidecar-busybox", "my-sidecar"])
async def test_sidecars_are_skipped(name: str) -> None:
    scene = await make_scene("cpu-stress")
    scene.use("300m")
    for container in scene.containers():
        container["name"] = name
    for key in ("cart-1-0", "cart-1-1"):
        scene.cluster.at("PodMetrics", key)["containers"][0]["name"] = name
    assert (await scene.judge()).passed


async def test_pods_that_never_become_ready_only_cost_time() -> None:
    scene = await make_scene("cpu-stress")
    scene.cluster.at("Pod", "cart-1-0")["status"]["conditions"] = []
    assert (await scene.judge()).passed
    assert scene.clock.seconds >= 60


async def test_a_config_error_needs_both_within_ten_seconds() -> None:
    scene = await make_scene("pod-config-error")
    scene.use("1m", "40Mi")
    verdict = await scene.judge()
    assert not verdict.passed
    assert [m.name for m in verdict.measured] == ["published cpu", "published memory"]
    assert scene.clock.seconds < 15


async def test_a_pod_failure_is_over_when_all_are_ready_and_measured() -> None:
    scene = await make_scene("pod-fail")
    assert (await scene.judge()).passed
    scene.cluster.at("Pod", "cart-1-0")["status"]["conditions"] = []
    assert "not ready" in (await scene.judge()).reasons[0]


@pytest.mark.parametrize(("speed", "passed"), [(10_000_000, True), (9_000_000, False), (9, False)])
async def test_a_disk_must_take_ten_megabytes_a_second(speed: int, passed: bool) -> None:
    scene = await make_scene("disk-io")
    scene.agents.speed = speed
    assert (await scene.judge()).passed is passed


async def test_a_write_that_fails_at_once_is_a_fast_one() -> None:
    scene = await make_scene("disk-io")
    scene.agents.fails = InvalidError("no such folder")
    assert (await scene.judge()).passed


@pytest.mark.parametrize("error", [NotFoundError("gone"), AgentsError("no agent")])
async def test_what_cannot_be_run_fails(error: Exception) -> None:
    scene = await make_scene("disk-io")
    scene.agents.fails = error
    assert not (await scene.judge()).passed


@pytest.mark.parametrize("published", ["network-loss", "network-delay"])
@pytest.mark.parametrize(
    ("times", "errors", "passed"),
    [
        ([2.0], {}, True),
        ([1000.0], {}, True),
        ([1000.8], {}, False),
        ([2.0, 1002.0, 2.0], {}, False),
        ([2.0], {"TimeoutError": 1}, False),
    ],
)
async def test_three_requests_in_a_second_are_a_network(
    published: str, times: list[float], errors: dict[str, int], passed: bool
) -> None:
    scene = await make_scene(published)
    scene.agents.times, scene.agents.errors = times, errors
    assert (await scene.judge()).passed is passed


async def test_the_network_is_asked_at_the_clusters_dns() -> None:
    scene = await make_scene("network-loss")
    await scene.judge()
    assert scene.agents.measurements[-1] == "cart-1-0: 10.1.0.1:8080"
    dns = {"name": "kube-dns", "namespace": "kube-system"}
    scene.cluster.put({"kind": "Service", "metadata": dns, "spec": {"clusterIP": "10.0.0.10"}})
    await scene.judge()
    assert scene.agents.measurements[-1] == "cart-1-0: 10.0.0.10:53"

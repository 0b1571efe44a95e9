from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reme_api.probes import Resource, ResourceUsageProbe
from reme_operator.probes.resource_usage import STALE, usage_sample

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CPU = ResourceUsageProbe(resource=Resource.CPU, max_percent=80)


def pod(name: str = "cart-1", *, limits: dict[str, str] | None = None, **more: Any) -> Any:
    containers = [{"name": "app", "resources": {"limits": limits or {}}}]
    return {
        "metadata": {"name": name} | more.pop("metadata", {}),
        "spec": {"containers": containers},
        "status": {"phase": "Running"} | more,
    }


def metrics(name: str = "cart-1", age: timedelta = timedelta(), **usage: str) -> Any:
    return {
        "metadata": {"name": name},
        "timestamp": (NOW - age).isoformat().replace("+00:00", "Z"),
        "containers": [{"name": "app", "usage": usage}],
    }


LIMITED = {"cpu": "200m", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("used", "passed"), [("159m", True), ("160m", True), ("161m", False), ("200000000n", False)]
)
def test_cpu_is_compared_with_the_limit(used: str, passed: bool) -> None:
    sample = usage_sample(CPU, [pod(limits=LIMITED)], [metrics(cpu=used)], NOW)
    assert sample.passed is passed
    assert "of its limit" in sample.value


def test_memory_is_compared_in_bytes() -> None:
    probe = ResourceUsageProbe(resource=Resource.MEMORY, max_percent=50)
    assert usage_sample(probe, [pod(limits=LIMITED)], [metrics(memory="32Mi")], NOW).passed
    above = usage_sample(probe, [pod(limits=LIMITED)], [metrics(memory="33000Ki")], NOW)
    assert above.passed is False


@pytest.mark.parametrize(
    ("pods", "pod_metrics", "why"),
    [
        ([], [], "no pod"),
        ([pod(limits=LIMITED, phase="Pending")], [metrics(cpu="1m")], "no pod"),
        ([pod(limits=LIMITED)], [], "no metrics yet"),
        ([pod(limits=LIMITED)], [metrics(age=STALE * 2, cpu="1m")], "180 s old"),
        ([pod()], [metrics(cpu="1m")], "no cpu limit"),
        ([pod(limits={"cpu": "0"})], [metrics(cpu="1m")], "cannot be read"),
        ([pod(limits=LIMITED)], [metrics(memory="1Mi")], "no cpu metric"),
        ([pod(limits=LIMITED)], [metrics(cpu="many")], "cannot be read"),
        ([pod(limits=LIMITED)], [{"metadata": {"name": "cart-1"}}], "without a time"),
    ],
)
def test_what_cannot_be_measured_is_unknown_and_never_passes(
    pods: list[Any], pod_metrics: list[Any], why: str
) -> None:
    sample = usage_sample(CPU, pods, pod_metrics, NOW)
    assert sample.passed is None
    assert why in sample.message


def test_one_pod_above_fails_even_if_another_is_unknown() -> None:
    pods = [pod("a", limits=LIMITED), pod("b", limits=LIMITED)]
    assert usage_sample(CPU, pods, [metrics("a", cpu="190m")], NOW).passed is False
    assert usage_sample(CPU, pods, [metrics("a", cpu="10m")], NOW).passed is None


def test_a_pod_that_goes_away_does_not_count() -> None:
    leaving = pod("old", limits=LIMITED, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    pods = [leaving, pod("new", limits=LIMITED)]
    pod_metrics = [metrics("old", cpu="200m"), metrics("new", cpu="10m")]
    assert usage_sample(CPU, pods, pod_metrics, NOW).passed is True


def test_a_container_may_be_named() -> None:
    two = pod(limits=LIMITED)
    two["spec"]["containers"].append({"name": "sidecar"})
    named = ResourceUsageProbe(resource=Resource.CPU, max_percent=80, container="app")
    assert usage_sample(named, [two], [metrics(cpu="10m")], NOW).passed is True
    assert usage_sample(CPU, [two], [metrics(cpu="10m")], NOW).passed is None
    other = ResourceUsageProbe(resource=Resource.CPU, max_percent=80, container="nobody")
    sample = usage_sample(other, [two], [metrics(cpu="10m")], NOW)
    assert (sample.passed, "nobody" in sample.message) == (None, True)

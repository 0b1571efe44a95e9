"""Faults that are really injected: they bite, as seen by others, and nothing of them stays."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from reme_benchmark.injection import pod_failure
from reme_benchmark.injection.agent_client import FaultAgents
from reme_benchmark.injection.specs import (
    CpuStress,
    DiskLimit,
    Fault,
    MemoryStress,
    PacketDelay,
    PacketLoss,
    Spec,
)
from reme_kube.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from tests.e2e.bench.conftest import Lab, ready

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

MEBIBYTE = 1024 * 1024
ALL_KINDS: list[Spec] = [
    CpuStress(workers=1),
    MemoryStress(mebibytes=20),
    DiskLimit(bytes_per_second=MEBIBYTE),
    PacketLoss(percent=10),
    PacketDelay(milliseconds=50),
]


async def eventually(check: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (result := await check()):
        assert time.monotonic() < until, "not within its time"
        await asyncio.sleep(0.1)
    return result


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[..., Any]:
    """Hold a fault for a while and write down how long it took to put in and to take out."""

    @asynccontextmanager
    async def hold(lab: Lab, spec: Spec) -> AsyncIterator[Fault]:
        began = time.monotonic()
        fault = await lab.inject(spec)
        injected = time.monotonic()
        assert [f["id"] for f in await lab.traces()] == [fault.id]
        yield fault
        removing = time.monotonic()
        assert await lab.agents.remove(fault)
        record_property(f"{spec.kind}: inject, ms", round((injected - began) * 1000))
        record_property(f"{spec.kind}: remove, ms", round((time.monotonic() - removing) * 1000))
        assert await lab.traces() == []
        assert lab.residue() == []
        assert not await lab.agents.remove(fault), "a second removal finds nothing"

    return hold


async def test_cpu_stress_uses_the_limit_and_throttles(lab: Lab, measured: Any) -> None:
    target = await lab.target()
    assert (await lab.agents.usage(target))["cpu_millicores"] < 100
    async with measured(lab, CpuStress(workers=2)):

        async def wait_for_effect() -> bool:
            used = await lab.agents.usage(target)
            full = used["cpu_millicores"] > 0.7 * used["cpu_limit_millicores"]
            return bool(full and used["throttled_periods"] > used["periods"] / 2)

        await eventually(wait_for_effect)  # a busy machine may have less than the limit to give
    assert (await lab.agents.usage(target))["cpu_millicores"] < 100


async def test_memory_stress_is_the_containers_own_memory(lab: Lab, measured: Any) -> None:
    target = await lab.target()
    before = (await lab.agents.usage(target, 0.1))["memory_bytes"]
    async with measured(lab, MemoryStress(percent_of_limit=80)):
        used = await lab.agents.usage(target, 0.1)
        assert 0.75 < used["memory_bytes"] / used["memory_limit_bytes"] < 0.95
    after = (await lab.agents.usage(target, 0.1))["memory_bytes"]
    assert after < before + 8 * MEBIBYTE


async def test_above_the_limit_the_stress_is_killed_and_returns_and_the_service_stays(
    lab: Lab,
) -> None:
    pod = await lab.web()
    fault = await lab.inject(MemoryStress(percent_of_limit=150))
    await asyncio.sleep(1.5)
    assert [f["id"] for f in await lab.traces()] == [fault.id]
    assert (await lab.web())["status"]["containerStatuses"][0]["restartCount"] == (
        pod["status"]["containerStatuses"][0]["restartCount"]
    )
    await lab.agents.remove(fault)
    assert lab.residue() == []


async def test_a_disk_limit_holds_to_the_byte(lab: Lab, measured: Any) -> None:
    target = await lab.target()
    free = await lab.agents.disk(target, "/scratch", size=2 * MEBIBYTE)
    assert free["bytes_per_second"] > 5 * MEBIBYTE
    async with measured(lab, DiskLimit(bytes_per_second=MEBIBYTE)):
        held = await lab.agents.disk(target, "/scratch", size=2 * MEBIBYTE)
        assert 0.7 * MEBIBYTE < held["bytes_per_second"] < 1.4 * MEBIBYTE
        synced = await lab.agents.disk(target, "/scratch", size=MEBIBYTE, direct=False)
        assert synced["bytes_per_second"] < 1.6 * MEBIBYTE
    again = await lab.agents.disk(target, "/scratch", size=2 * MEBIBYTE)
    assert again["bytes_per_second"] > 5 * MEBIBYTE


async def test_lost_packets_affect_clients_and_not_the_kubelet(lab: Lab, measured: Any) -> None:
    assert (await lab.response_times())["median"] < 200
    async with measured(lab, PacketLoss(percent=60)):
        hit = await lab.response_times(count=6)
        slow = sum(ms > 190 for ms in hit["milliseconds"]) + hit["sent"] - hit["answered"]
        assert slow >= 2, hit
        assert ready(await lab.web())
    assert (await lab.response_times())["median"] < 200


async def test_delayed_packets_are_late_by_just_that(lab: Lab, measured: Any) -> None:
    async with measured(lab, PacketDelay(milliseconds=300)):
        late = await lab.response_times(count=5)
        # A connection and an answer: two packets of the service, one after the other.
        assert late["answered"] == 5
        assert min(late["milliseconds"]) >= 600
        assert late["median"] < 800
        assert ready(await lab.web())
    assert (await lab.response_times())["median"] < 200


async def test_without_mercy_for_probes_the_pod_becomes_unready(lab: Lab) -> None:
    name = (await lab.web())["metadata"]["name"]
    fault = await lab.inject(PacketLoss(percent=100, spare_probes=False))

    async def unready() -> bool:
        pod = await lab.cluster.get("Pod", name, lab.namespace)
        return pod is not None and not ready(pod)

    await eventually(unready)
    await lab.agents.remove(fault)
    await lab.web()


async def test_everything_survives_the_agents_death_and_the_next_one_sweeps_it(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    target = await lab.target()
    for spec in ALL_KINDS:
        await lab.inject(spec)
    lab.kill_agent()
    await eventually(lab.agents.ready, 40)
    traces = await lab.traces()
    assert {fault["kind"] for fault in traces} == {"cpu", "memory", "disk", "loss", "delay"}
    assert (await lab.agents.usage(target))["cpu_millicores"] > 100
    began = time.monotonic()
    swept = await lab.agents.sweep(lab.owner)
    record_property("sweep of five faults, ms", round((time.monotonic() - began) * 1000))
    assert len(swept) == 5
    assert await lab.traces() == []
    assert lab.residue() == []
    assert (await lab.response_times())["median"] < 200


async def test_with_a_deleted_pod_its_faults_go_and_the_new_one_is_clean(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    old = await lab.target()
    faults = [await lab.inject(spec) for spec in ALL_KINDS]
    await lab.cluster.delete("Pod", old.pod, lab.namespace)

    async def gone() -> bool:
        return not await lab.traces()

    await eventually(gone)
    assert lab.residue() == []
    for fault in faults:
        assert not await lab.agents.remove(fault)
    with pytest.raises(NotFoundError):
        await lab.agents.usage(old)
    new = await lab.target()
    assert (await lab.agents.usage(new))["cpu_millicores"] < 100
    # A fault that returns: put into the new pod again, under another id.
    began = time.monotonic()
    await lab.inject(CpuStress(workers=1))
    record_property("into the new pod, ms", round((time.monotonic() - began) * 1000))
    assert (await lab.agents.usage(new))["cpu_millicores"] > 100


async def test_a_restarted_container_keeps_the_pods_network_faults_and_loses_the_others(
    lab: Lab,
) -> None:
    target = await lab.target()
    for spec in ALL_KINDS:
        await lab.inject(spec)
    lab.restart_web(target.pod)

    async def restarted() -> bool:
        pod = await lab.web()
        state = pod["status"]["containerStatuses"][0]
        return not state["containerID"].endswith(target.container_id)

    await eventually(restarted, 60)

    async def kinds() -> bool:
        return {fault["kind"] for fault in await lab.traces()} == {"loss", "delay"}

    await eventually(kinds)
    # A delay beside a loss: two packets late by 50 ms.
    assert min((await lab.response_times())["milliseconds"]) >= 100
    assert (await lab.agents.usage(await lab.target()))["cpu_millicores"] < 100
    await lab.agents.sweep(lab.owner)
    assert lab.residue() == []


async def test_a_fault_ends_at_its_time_without_anybody(lab: Lab) -> None:
    for spec in ALL_KINDS:
        await lab.inject(spec, seconds=3)
    assert len(await lab.traces()) == 5

    async def over() -> bool:
        return not await lab.traces()

    await eventually(over, 10)
    assert lab.residue() == []


async def test_a_repeated_injection_is_one_and_a_second_of_its_kind_is_refused(lab: Lab) -> None:
    fault = await lab.inject(PacketLoss(percent=1))
    assert (await lab.agents.inject(fault)).id == fault.id
    with pytest.raises(ConflictError, match=fault.id):
        await lab.inject(PacketLoss(percent=2))
    assert [f["id"] for f in await lab.traces()] == [fault.id]


async def test_what_cannot_be_done_says_why_and_leaves_nothing(lab: Lab) -> None:
    target = await lab.target()
    fault = Fault(secrets.token_hex(5), lab.owner, target, CpuStress())
    with pytest.raises(NotFoundError, match="does not run"):
        await lab.agents.inject(replace(fault, target=replace(target, container_id="0" * 64)))
    with pytest.raises(InvalidError, match="not on a disk"):
        await lab.inject(DiskLimit(bytes_per_second=1000, path="/dev/shm"))
    with pytest.raises(InvalidError, match="No such file"):
        await lab.agents.disk(target, "/nowhere")
    if not (await lab.agents.capabilities())["netem"]:
        with pytest.raises(InvalidError):
            await lab.inject(PacketDelay(backend="netem"))
    stranger = FaultAgents(lab.cluster.api)
    stranger._token = "somebody else's"
    with pytest.raises(ForbiddenError):
        await stranger.sweep()
    assert await lab.traces() == []
    assert lab.residue() == []


async def test_a_failed_pod_gets_its_image_back(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    name = (await lab.web())["metadata"]["name"]
    began = time.monotonic()
    await pod_failure.replace_images(lab.cluster, lab.namespace, name)

    async def unready() -> bool:
        pod = await lab.cluster.get("Pod", name, lab.namespace)
        return pod is not None and not ready(pod)

    await eventually(unready, 40)
    record_property("pod-fail: unready after, s", round(time.monotonic() - began, 1))
    assert await pod_failure.sweep(lab.cluster, lab.namespace) == [f"{lab.namespace}/{name}"]
    healed = time.monotonic()
    pod = await lab.web()
    record_property("pod-fail: ready again after, s", round(time.monotonic() - healed, 1))
    assert pod["metadata"]["name"] == name
    assert pod_failure.original_images(pod) == {}
    assert await pod_failure.sweep(lab.cluster, lab.namespace) == []

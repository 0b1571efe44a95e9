"""The strict oracle on a real system: what it lets pass, and what it does not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from reme_benchmark.injection.agent_client import FaultAgents
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.facts import case_values
from reme_benchmark.scenarios.faults.model import Control, Fault
from reme_benchmark.scenarios.systems import catalog
from reme_benchmark.scenarios.systems.render import manifests, users, users_namespace
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.microremed import judge_microremed
from reme_benchmark.scoring.restore import restore
from reme_benchmark.scoring.snapshot import Snapshot, take_snapshot
from reme_benchmark.scoring.strict import TamperCheck, judge, judge_control
from reme_benchmark.scoring.user_sli import LoadGenerator

pytestmark = pytest.mark.timeout(180)

NAMESPACE = "reme-e2e-strict"
SERVICE = "time-service"
SYSTEM = catalog.load("simple-micro")
FAULT = Fault.model_validate(
    {
        "id": "bad-image",
        "group": "rollout",
        "title": "An image that does not exist",
        "description": "d",
        "why_not_restart": "w",
        "inject": [{"pause": {"seconds": 0}}],
        "published": "pod-fail",
        "oracle": {
            "effect": [{"rollout": {}}, {"serves": {}}, {"network": {}}, {"no_restarts": {}}],
            "settle_seconds": 15,
            "window_seconds": 5,
        },
        "report": {
            "type": "t",
            "summary": "s",
            "terse": "t",
            "misleading": "m",
            "misleading_type": "m",
            "probes": [{"name": "p"}],
        },
    }
)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster.from_environment() as made:
        yield made


@pytest.fixture
async def before(cluster: Cluster) -> AsyncIterator[Snapshot]:
    """The system, made when it is not there, healthy and asked by its users."""
    bodies = [*manifests(SYSTEM, NAMESPACE), *users(SYSTEM, NAMESPACE)]
    await cluster.apply(b for b in bodies if b["kind"] == "Namespace")
    await cluster.apply(b for b in bodies if b["kind"] != "Namespace")
    await FaultAgents(cluster.api).install()
    until, recent = time.monotonic() + 90, LoadGenerator(cluster, NAMESPACE)
    while (result := await recent.recent(5)).percent < 100 or result.total < 15:
        assert time.monotonic() < until, str(result)
        await asyncio.sleep(0.5)
    taken = await take_snapshot(cluster, NAMESPACE)
    yield taken
    done = await restore(cluster, NAMESPACE, taken, ready_seconds=60)
    assert done.ok, done.missing


@pytest.fixture(scope="module", autouse=True)
def gone() -> Iterator[None]:
    """Remove the system in the end."""
    yield
    asyncio.run(_remove())


async def _remove() -> None:
    async with Cluster.from_environment() as cluster:
        for name in (NAMESPACE, users_namespace(NAMESPACE)):
            await cluster.delete("Namespace", name)


async def _situation(cluster: Cluster, before: Snapshot, fault: Fault | None) -> CaseContext:
    case = Case(
        id="t-1",
        system=SYSTEM.name,
        fault=fault.id if fault else None,
        service=SERVICE,
        reported_service=SERVICE,
        control=None if fault else Control.HEALTHY,
    )
    kinds = ("Deployment", "Service", "ConfigMap")
    objects = [item for kind in kinds for item in await cluster.list(kind, NAMESPACE)]
    return CaseContext(
        cluster=cluster,
        agents=FaultAgents(cluster.api),
        users=LoadGenerator(cluster, NAMESPACE),
        namespace=NAMESPACE,
        system=SYSTEM,
        case=case,
        fault=fault,
        before=before,
        values=case_values(case, SYSTEM, objects),
    )


async def _patch(cluster: Cluster, **container: Any) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": SERVICE, **container}]}}}}
    await cluster.patch("Deployment", SERVICE, NAMESPACE, body)


async def test_only_the_repaired_system_passes(
    cluster: Cluster, before: Snapshot, record_property: Callable[[str, object], None]
) -> None:
    context = await _situation(cluster, before, FAULT)
    tamper_check = await TamperCheck.record(context)
    _, obj = before.workload(SERVICE)
    image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
    await _patch(cluster, image="localhost/absent:1")
    await asyncio.sleep(2)

    nothing = await judge(context, tamper_check)
    assert not nothing.passed
    assert nothing.reasons[0].startswith("rollout")
    assert any(r.startswith("changes") for r in nothing.reasons)

    await _patch(cluster, image=image)
    started_at = time.monotonic()
    repaired, published = await asyncio.gather(
        judge(context, tamper_check), judge_microremed(context)
    )
    record_property("seconds", time.monotonic() - started_at)
    assert repaired.passed, repaired.reasons
    assert published is not None
    assert published.passed, published.reasons
    assert time.monotonic() - started_at < 25


@pytest.mark.parametrize(
    ("container", "named"),
    [
        ({"readinessProbe": None}, "readinessProbe"),
        ({"resources": {"limits": {"memory": None}}}, "resources.limits.memory"),
    ],
)
async def test_a_healthy_service_with_less_of_its_safety_does_not_pass(
    cluster: Cluster, before: Snapshot, container: dict[str, Any], named: str
) -> None:
    context = await _situation(cluster, before, FAULT)
    tamper_check = await TamperCheck.record(context)
    await _patch(cluster, **container)
    verdict = await judge(context, tamper_check)
    assert not verdict.passed
    assert any(r.startswith("changes") and named in r for r in verdict.reasons)


async def test_restarting_in_a_loop_does_not_pass(cluster: Cluster, before: Snapshot) -> None:
    context = await _situation(cluster, before, FAULT)
    tamper_check = await TamperCheck.record(context)

    async def loop() -> None:
        while True:
            for pod in await cluster.list("Pod", NAMESPACE, {"app": SERVICE}):
                await cluster.delete("Pod", pod["metadata"]["name"], NAMESPACE)
            await asyncio.sleep(4)

    restarting = asyncio.create_task(loop())
    try:
        verdict = await judge(context, tamper_check)
    finally:
        restarting.cancel()
    assert not verdict.passed


async def test_leaving_a_healthy_system_alone_passes(cluster: Cluster, before: Snapshot) -> None:
    context = await _situation(cluster, before, None)
    tamper_check = await TamperCheck.record(context)
    await tamper_check.record_report_time(context)
    verdict = await judge_control(context, tamper_check)
    assert verdict.passed, verdict.reasons
    for pod in await cluster.list("Pod", NAMESPACE, {"app": SERVICE}):
        await cluster.delete("Pod", pod["metadata"]["name"], NAMESPACE)
    verdict = await judge_control(context, tamper_check)
    assert not verdict.passed
    assert "was replaced" in verdict.reasons[0]

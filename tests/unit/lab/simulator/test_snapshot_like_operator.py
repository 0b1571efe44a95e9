"""The snapshot of a world equals what the operator reads of a cluster with the same objects."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from reme_api.diagnosis_report import Target
from reme_api.probes import Probe, Resource, ResourceUsageProbe
from reme_kube.protocols import Cluster
from reme_lab.simulator import sample_probe, snapshot_of
from reme_lab.simulator.network import network_of
from reme_operator.probes.resource_usage import usage_sample
from reme_operator.probes.rollout import rollout_sample
from reme_operator.snapshot.collect import collect_snapshot
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.doubles.builders import remediation
from tests.unit.lab.simulator.test_properties import NAMES, broken
from tests.unit.lab.simulator.world_cluster import WorldCluster
from tests.unit.lab.simulator.worlds import below, rollout


@pytest.mark.parametrize("name", NAMES)
async def test_the_operator_reads_what_is_observed(name: str) -> None:
    world = broken(name)
    about = remediation()
    target = Target.model_validate({"kind": world.target.kind, "name": "cart"})
    about = about.model_copy(
        update={
            "metadata": about.metadata.model_copy(update={"namespace": world.namespace}),
            "spec": about.spec.model_copy(update={"target": target}),
        }
    )
    probe = [p.http or p.tcp for p in about.spec.probes]
    words = " ".join([about.spec.fault.summary, *(a.service for a in probe if a)])
    snapshot = snapshot_of(world, words)
    cluster = cast("Cluster", WorldCluster(world, snapshot))
    now = datetime.fromtimestamp(world.clock, UTC)
    read = await collect_snapshot(cluster, about, now=now)
    assert read.collected_at == now
    assert read.fault_start is not None
    # Of the time of the fault the world knows nothing: the report says it, and the events.
    of_report: dict[str, object] = {
        "fault_start": None,
        "fault_start_observed": False,
        "collected_at": None,
        "probes": (),
        "dependencies": _without_problems(read),
    }
    expected = replace(snapshot, dependencies=_without_problems(snapshot))
    assert replace(read, **of_report) == expected  # type: ignore[arg-type]


def _without_problems(live: ClusterSnapshot) -> tuple[Dependency, ...]:
    """What is wrong with a dependency depends on when the fault began."""
    return tuple(replace(d, problem="", problem_kind=None) for d in live.dependencies)


@pytest.mark.parametrize("name", NAMES)
async def test_probes_pass_as_the_operator_judges_them(name: str) -> None:
    world = broken(name)
    snapshot, network = snapshot_of(world), network_of(world)
    for least in (0, 1, 2, 3):
        own = sample_probe(network, rollout(least))
        theirs = rollout_sample(dict(snapshot.workload), least)
        assert (own.passed, own.value, own.message) == theirs
    cluster = WorldCluster(world, snapshot)
    pods, metrics = await cluster.pods({}), await cluster.pod_metrics("", {})
    now = datetime.fromtimestamp(world.clock, UTC)
    for resource in Resource:
        for percent in (1, 30, 50, 90, 100):
            usage = ResourceUsageProbe(resource=resource, max_percent=percent)
            probe: Probe = below(resource.value, percent)
            expected = usage_sample(usage, pods, metrics, now)
            assert sample_probe(network, probe).passed == expected.passed, (
                resource,
                percent,
                expected,
            )


def test_a_named_port_and_a_grpc_probe_are_requests_to_the_service() -> None:
    network = network_of(broken(NAMES[0]))
    service = next(ref.name for ref in network.world.objects if ref.kind == "Service")
    for kind in ("http", "tcp", "grpc"):
        named = Probe.model_validate({"name": "p", kind: {"service": service, "port": "no-such"}})
        assert sample_probe(network, named).passed is None
        other = Probe.model_validate({"name": "p", kind: {"service": "nobody", "port": 1}})
        assert sample_probe(network, other).message == "Service nobody does not exist"

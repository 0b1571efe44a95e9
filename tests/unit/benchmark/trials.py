"""Trials of a fault without a cluster: a simulated world in the place of the real one."""

from collections.abc import Sequence

from reme_api.probes import Probe
from reme_benchmark.fidelity.ground_truth import program
from reme_benchmark.fidelity.records import Inputs
from reme_benchmark.harness.system_instance import with_last_applied
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.faults.placeholders import fill
from reme_benchmark.scenarios.systems.catalog import load
from reme_benchmark.scenarios.systems.render import manifests
from reme_lab.simulator import GroundTruth, World, make_world, snapshot_of, with_container_fields
from reme_playbook.actions.registry import Action
from reme_playbook.snapshot.field_path import Entry
from reme_playbook.snapshot.object_ref import ObjectRef
from tests.unit.benchmark.situations import situations

SYSTEM = "simple-micro"
NAMESPACE = f"bench-{SYSTEM}"
NODE = {
    "kind": "Node",
    "metadata": {"name": "node-0", "labels": {"kubernetes.io/os": "linux"}},
    "spec": {},
    "status": {
        "allocatable": {"cpu": "4", "memory": "16Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}


def key(name: str) -> ObjectRef:
    return ObjectRef("Deployment", NAMESPACE, name)


def healthy(service: str) -> World:
    """Return the system as it is without a fault, around one of its services."""
    system = load(SYSTEM)
    objects_of_system = manifests(system, NAMESPACE)
    objects = [with_last_applied(one) for one in objects_of_system if one["kind"] != "Namespace"]
    programs = {key(one.name): program(system, one) for one in system.services}
    return make_world(key(service), [*objects, NODE], GroundTruth(programs=programs))


def with_variable(world: World, name: str, value: str) -> World:
    path = ("env", Entry(name, "name"), "value")
    return with_container_fields(world, world.target, world.target.name, (path, value))


def inputs(
    fault: str, before: World, now: World, actions: Sequence[Action] = (), pod: str = ""
) -> Inputs:
    """Return what a trial on one of these worlds would have recorded."""
    service = now.target.name
    values = next(
        values
        for case, values in situations(catalog.fault(fault))
        if case.system == SYSTEM and case.service == service
    )
    values = {**values, "pod": pod or values["pod"]}
    probes = fill(list(catalog.fault(fault).report.probes), values, fault)
    parsed = tuple(Probe.model_validate(probe) for probe in probes)
    words = probed_services(parsed)
    return Inputs(
        fault=fault,
        service=service,
        system=SYSTEM,
        values=values,
        pod=pod,
        policies_enforced=True,
        healthy=snapshot_of(before, words),
        live=snapshot_of(now, words),
        others=tuple(
            {"kind": other.kind, **now.objects[other]}
            for other in now.workloads
            if other != now.target
        ),
        probes=parsed,
        actions=tuple(actions),
    )


def probed_services(probes: Sequence[Probe]) -> str:
    """Return the Services that probes ask, which makes the operator read them."""
    return " ".join(probe.http.service for probe in probes if probe.http)

"""Every fault that a small system can have is one in the simulator, with the same truth."""

from dataclasses import replace

import pytest

from reme_benchmark.fidelity.comparison import simulated, world
from reme_benchmark.fidelity.playbook_sampling import good_repairs, is_allowed, permissive_policy
from reme_benchmark.scenarios.cases.targets import possible
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.systems.catalog import load
from reme_lab.simulator import problems_of, snapshot_of
from tests.unit.benchmark.injections import with_fault
from tests.unit.benchmark.trials import SYSTEM, healthy, inputs, probed_services

PLACES = [
    (fault.id, service.name)
    for fault in catalog.faults().values()
    if not fault.heals
    for service in possible(fault, load(SYSTEM))
]


@pytest.mark.parametrize(("fault", "service"), PLACES)
def test_a_fault_shows_and_its_good_repairs_help(fault: str, service: str) -> None:
    before = healthy(service)
    node = next(key.name for key, _ in before.of_kind("Node"))
    pod = before.pods[before.target][0].name
    trial_inputs = inputs(fault, before, before, pod=pod)
    trial_inputs = replace(trial_inputs, values={**trial_inputs.values, "node": node})
    now = with_fault(catalog.fault(fault), before, trial_inputs)
    trial = replace(
        trial_inputs,
        live=snapshot_of(now, probed_services(trial_inputs.probes)),
        others=tuple(
            {"kind": key.kind, **now.objects[key]} for key in now.workloads if key != now.target
        ),
    )
    assert problems_of(world(trial), trial.probes)
    for actions in good_repairs(catalog.fault(fault), trial.values):
        if is_allowed(actions, trial.live, permissive_policy()):
            simulation = simulated(replace(trial, actions=actions))
            assert simulation.verified, (actions, simulation)
            assert simulation.cured, (actions, simulation)

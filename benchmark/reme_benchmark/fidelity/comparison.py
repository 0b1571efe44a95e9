"""Asks the simulator what came of a trial, and whether the real world said the same. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from reme_api.probes import NeighbourHealth
from reme_benchmark.fidelity.ground_truth import stresses, truths
from reme_benchmark.fidelity.records import Inputs, Real, Simulated
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.systems import catalog as systems
from reme_lab.fidelity import world_from_snapshot
from reme_lab.simulator import World, apply, assess
from reme_lab.simulator.health import world_health
from reme_operator.decision.probe_verdict import degraded_neighbours


class Kind(StrEnum):
    """How the two worlds agree, or do not."""

    BOTH = "both verified"
    NEITHER = "neither verified"
    HOPED = "only the simulator verifies it"
    MISSED = "only the real world verifies it"
    HARM = "they differ about harm to others"


def world(inputs: Inputs) -> World:
    """Return the simulated world in which the fault is, measured against the one before it."""
    system, fault = systems.load(inputs.system), catalog.fault(inputs.fault)
    broken = world_from_snapshot(
        inputs.live,
        truths(system, fault, inputs),
        stresses=stresses(fault, inputs),
        at_once=True,  # a trial begins as soon as the live state was read
    )
    before = world_from_snapshot(inputs.healthy, truths(system, fault, inputs, broken=False))
    return replace(broken, healthy=before)


def simulated(inputs: Inputs) -> Simulated:
    """Return what the simulator says to the playbook of a trial."""
    before = world(inputs)
    after = apply(before, inputs.actions)
    verdict = assess(before, after, inputs.probes)
    worse = degraded_neighbours(health(before), health(after))
    target = f"{inputs.live.target.kind}/{inputs.live.target.name}"
    return Simulated(
        verified=verdict.probes_pass and not worse,
        harmed=tuple(name for name in worse if name != target),
        cured=verdict.verified,
        missing=verdict.missing,
        failing=tuple(one.name for one in verdict.probes if not one.passed),
    )


def health(of: World) -> tuple[NeighbourHealth, ...]:
    """Return the availability of every workload, as the operator reads it."""
    return tuple(
        NeighbourHealth(kind=key.kind, name=key.name, desired=count.desired, available=count.ready)
        for key, count in world_health(of).counts.items()
    )


def compare(real: Real, said: Simulated) -> Kind:
    """Return how what the operator would see agrees."""
    if bool(real.harmed) != bool(said.harmed):
        return Kind.HARM
    if real.verified != said.verified:
        return Kind.HOPED if said.verified else Kind.MISSED
    return Kind.BOTH if real.verified else Kind.NEITHER


def agrees(kind: Kind) -> bool:
    """Return whether both worlds say the same."""
    return kind in (Kind.BOTH, Kind.NEITHER)


def agrees_on_cure(real: Real, said: Simulated) -> bool:
    """Return whether both say the same about the fault itself, whatever the probes ask for."""
    return bool(real.verified and real.cured) == said.cured


def agreeing(kinds: Iterable[Kind]) -> int:
    """Return how many agree."""
    return sum(map(agrees, kinds))

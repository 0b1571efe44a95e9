"""Simulates a trial and compares its outcome with the real one. Pure."""

from dataclasses import replace
from enum import StrEnum

from reme_api.probes import NeighbourHealth
from reme_benchmark.fidelity.ground_truth import ground_truth, stresses
from reme_benchmark.fidelity.records import Inputs, Real, Simulated
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.systems import catalog as systems
from reme_lab.fidelity import world_from_snapshot
from reme_lab.simulator import World, apply, assess
from reme_lab.simulator.health import world_health
from reme_operator.decision.probe_verdict import degraded_neighbours


class AgreementKind(StrEnum):
    """How the simulated outcome agrees with the real one."""

    BOTH = "both verified"
    NEITHER = "neither verified"
    ONLY_SIMULATED = "only the simulator verifies it"
    ONLY_REAL = "only the real world verifies it"
    HARM = "they differ about harm to others"


def world(inputs: Inputs) -> World:
    """Return the simulated world with the fault, and the healthy world to compare it with."""
    system, fault = systems.load(inputs.system), catalog.fault(inputs.fault)
    broken = world_from_snapshot(
        inputs.live,
        ground_truth(system, fault, inputs),
        stresses=stresses(fault, inputs),
        at_once=True,  # a trial starts as soon as the snapshot was taken
    )
    before = world_from_snapshot(inputs.healthy, ground_truth(system, fault, inputs, broken=False))
    return replace(broken, healthy=before)


def simulated(inputs: Inputs) -> Simulated:
    """Return the simulated outcome of the playbook of a trial."""
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


def compare(real: Real, prediction: Simulated) -> AgreementKind:
    """Return how the verdicts of the operator agree."""
    if bool(real.harmed) != bool(prediction.harmed):
        return AgreementKind.HARM
    if real.verified != prediction.verified:
        return AgreementKind.ONLY_SIMULATED if prediction.verified else AgreementKind.ONLY_REAL
    return AgreementKind.BOTH if real.verified else AgreementKind.NEITHER


def agrees(kind: AgreementKind) -> bool:
    """Return whether both outcomes are the same."""
    return kind in (AgreementKind.BOTH, AgreementKind.NEITHER)


def agrees_on_cure(real: Real, prediction: Simulated) -> bool:
    """Return whether both agree that the fault is gone, regardless of the probes."""
    return bool(real.verified and real.cured) == prediction.cured

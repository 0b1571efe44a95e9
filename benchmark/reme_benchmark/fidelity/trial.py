"""Performs playbooks on one fault in the cluster, and simulates the same ones."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass

from reme_api.probes import NeighbourHealth
from reme_benchmark.fidelity.comparison import simulated
from reme_benchmark.fidelity.fixture import FaultFixture
from reme_benchmark.fidelity.playbook_sampling import (
    Playbook,
    good_repairs,
    is_allowed,
    permissive_policy,
    rebind_pods,
    sample_playbooks,
)
from reme_benchmark.fidelity.records import Inputs, Outcome, Real
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.verdict import Verifier
from reme_benchmark.harness.environment import Capabilities
from reme_benchmark.harness.system_instance import SystemInstance
from reme_benchmark.injection.agent_client import FaultAgents
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.methods.changes import carry_out
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.cases.targets import possible
from reme_benchmark.scenarios.faults.model import Fault, Need
from reme_benchmark.scoring.fault_effect import measure
from reme_kube.cluster import ApiCluster
from reme_kube.errors import ClusterError
from reme_operator.probes.prober import ServiceProber
from reme_playbook.actions.registry import ACTIONS, Action

_DEADLINE_SECONDS = 45.0
_SLOW_DEADLINE_SECONDS = 75.0
_LONGEST_SECONDS = 100.0
_QUIET_SECONDS = 7.0
_METRICS_SECONDS = 35.0
"""How long metrics.k8s.io may lag behind a change."""
_CURE_TRIES = 3
_BITE_TRIES = 3
_SLOW = frozenset(
    {
        "SetConfigValue",  # takes effect after the back-offs of the kubelet
        "SetQuota",
        "UncordonNode",
        "RemoveTaint",
        "ResumeJob",
        "SetAutoscaling",
        "SetDisruptionBudget",
    }
)


@dataclass(frozen=True)
class TrialContext:
    """What all trials share."""

    cluster: Cluster
    operator: ApiCluster
    prober: ServiceProber
    agents: FaultAgents
    capabilities: Capabilities
    store: Outcomes
    seed: int
    window_seconds: float
    say: Callable[[Outcome], None]
    out_of_time: Callable[[], bool] = lambda: False


async def try_fault(
    context: TrialContext, instance: SystemInstance, fault: Fault, count: int, done: frozenset[str]
) -> int:
    """Make `count` trials of a fault except those that are done; return how many were made.

    Raises:
        InjectionError: the fault has no effect.
        SystemInstanceError: the system is not healthy before the fault.
        ClusterError: the API server does not answer.
    """
    names = [f"{fault.id}-{number:02}" for number in range(1, count + 1)]
    if done.issuperset(names):
        return 0
    rng = random.Random(f"{context.seed}/{fault.id}")  # noqa: S311 - no secret here
    case = case_of(fault, instance, rng)
    fixture = FaultFixture(context.cluster, context.operator, context.agents, instance, fault, case)
    trials = 0
    try:
        await instance.healthy()
        await fixture.begin()
        good = good_repairs(fault, fixture.context.values)
        playbooks = sample_playbooks(fixture.snapshot, good, count, rng)
        first = fixture.snapshot
        for name, playbook in zip(names, playbooks, strict=False):
            if name in done or context.out_of_time():
                continue
            if trials:
                await fixture.restore()
            actions = rebind_pods(playbook.actions, first, fixture.snapshot)
            if not is_allowed(actions, fixture.snapshot, permissive_policy()):
                continue
            outcome, inputs = await _try(context, fixture, name, Playbook(playbook.origin, actions))
            context.store.save(outcome, inputs)
            context.say(outcome)
            trials += 1
        return trials
    finally:
        await asyncio.shield(_end(fixture))


async def _end(fixture: FaultFixture) -> None:
    with contextlib.suppress(ClusterError):
        await fixture.end()


def case_of(fault: Fault, instance: SystemInstance, rng: random.Random) -> Case:
    """Return a case with a random target and random parameters."""
    service = rng.choice(possible(fault, instance.system)).name
    parameters = {
        name: rng.choice([value for values in by_split.values() for value in values])
        for name, by_split in fault.parameters.items()
    }
    return Case(
        id="fidelity",
        system=instance.system.name,
        fault=fault.id,
        service=service,
        reported_service=service,
        parameters=parameters,
    )


async def _try(
    context: TrialContext, fixture: FaultFixture, name: str, playbook: Playbook
) -> tuple[Outcome, Inputs]:
    verifier = Verifier(
        context.operator, context.prober, fixture.instance.namespace, fixture.target, fixture.probes
    )
    others = await fixture.others()
    before = await _before(verifier)
    deadline, quiet = time_limits(fixture.fault, playbook.actions)
    snapshot = fixture.snapshot
    refused = await _perform(context.cluster, playbook.actions)
    real = await verifier.verdict(
        before,
        window_seconds=context.window_seconds,
        deadline_seconds=deadline,
        quiet_seconds=quiet,
    )
    cured = await _cured(fixture) if real.verified else None
    inputs = Inputs(
        fault=fixture.fault.id,
        service=fixture.case.service,
        system=fixture.instance.system.name,
        values=dict(fixture.context.values),
        pod=fixture.pod,
        healthy=fixture.healthy,
        live=snapshot,
        others=others,
        probes=verifier.probes,
        actions=playbook.actions,
        policies_enforced=Need.NETWORK_POLICY not in context.capabilities.missing,
        metrics=Need.METRICS not in context.capabilities.missing,
        patience_seconds=int(deadline),
        after=await fixture.read(),
    )
    return (
        Outcome(
            id=name,
            fault=fixture.fault.id,
            service=fixture.case.service,
            origin=playbook.origin,
            actions=tuple(ACTIONS.dump_python(playbook.actions, mode="json")),
            real=_with_outcome(real, refused, cured),
            simulated=simulated(inputs),
        ),
        inputs,
    )


def _with_outcome(real: Real, refused: str, cured: bool | None) -> Real:
    # A run fails when an action is refused, whatever the probes measure.
    verified = real.verified and not refused
    return real.model_copy(update={"refused": refused, "cured": cured, "verified": verified})


async def _before(verifier: Verifier) -> tuple[NeighbourHealth, ...]:
    """Return the neighbours before the playbook, as soon as a probe shows the fault."""
    for _ in range(_BITE_TRIES):
        round_ = await verifier.measure_round()
        if any(sample.passed is False for sample in round_.samples.values()):
            break
    return round_.neighbours


async def _perform(cluster: Cluster, actions: tuple[Action, ...]) -> str:
    """Perform the actions; return why the API server refused one of them."""
    try:
        await carry_out(cluster, actions)
    except ClusterError as error:
        return str(error)[:300]
    return ""


async def _cured(fixture: FaultFixture) -> bool:
    """Return whether the fault's effect is gone, as the oracle measures it."""
    for _ in range(_CURE_TRIES):
        checks = fixture.fault.oracle.effect
        measured = await asyncio.gather(*(measure(check, fixture.context) for check in checks))
        if all(m.ok for m in measured):
            return True
        await asyncio.sleep(1)
    return False


def time_limits(fault: Fault, actions: tuple[Action, ...]) -> tuple[float, float]:
    """Return the deadline of a trial, and how long an unchanged state counts as settled.

    Effects that wait for the kubelet or a controller are waited for until the deadline.
    """
    slow = any(action.action in _SLOW for action in actions)
    deadline = min(_LONGEST_SECONDS, max(_DEADLINE_SECONDS, fault.oracle.settle_seconds * slow))
    quiet = deadline if slow else _QUIET_SECONDS
    metrics = Need.METRICS in fault.needs or any("resourceUsage" in p for p in fault.report.probes)
    if metrics:
        deadline = max(deadline, _SLOW_DEADLINE_SECONDS)
        quiet = max(quiet, _METRICS_SECONDS)
    return deadline, quiet

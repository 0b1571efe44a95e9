"""Tries playbooks on one fault, for real, and asks the simulator about the same ones."""

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
    draw,
    good_repairs,
    passes,
    rebound,
    wide,
)
from reme_benchmark.fidelity.records import Inputs, Outcome, Real
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.verdict import Watcher
from reme_benchmark.harness.capabilities import Capabilities
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
        "SetConfigValue",  # the kubelet and its back-offs notice it
        "SetQuota",
        "UncordonNode",
        "RemoveTaint",
        "ResumeJob",
        "SetAutoscaling",
        "SetDisruptionBudget",
    }
)


@dataclass(frozen=True)
class Tools:
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
    tools: Tools, instance: SystemInstance, fault: Fault, count: int, done: frozenset[str]
) -> int:
    """Make so many trials of a fault, but those that are done; return how many were made.

    Raises:
        InjectionError: the fault could not be brought about.
        StageError: the system is not healthy before it.
        ClusterError: the API server does not answer.
    """
    names = [f"{fault.id}-{number:02}" for number in range(1, count + 1)]
    if done.issuperset(names):
        return 0
    chance = random.Random(f"{tools.seed}/{fault.id}")  # noqa: S311 - no secret here
    case = case_of(fault, instance, chance)
    fixture = FaultFixture(tools.cluster, tools.operator, tools.agents, instance, fault, case)
    made = 0
    try:
        await instance.healthy()
        await fixture.begin()
        good = good_repairs(fault, fixture.context.values)
        playbooks = draw(fixture.live, good, count, chance)
        first = fixture.live
        for name, playbook in zip(names, playbooks, strict=False):
            if name in done or tools.out_of_time():
                continue
            if made:
                await fixture.again()
            actions = rebound(playbook.actions, first, fixture.live)
            if not passes(actions, fixture.live, wide()):
                continue
            outcome, inputs = await _try(tools, fixture, name, Playbook(playbook.drawn, actions))
            tools.store.save(outcome, inputs)
            tools.say(outcome)
            made += 1
        return made
    finally:
        await asyncio.shield(_end(fixture))


async def _end(fixture: FaultFixture) -> None:
    with contextlib.suppress(ClusterError):
        await fixture.end()


def case_of(fault: Fault, instance: SystemInstance, chance: random.Random) -> Case:
    """Return where a fault is brought about, and with which parameters."""
    service = chance.choice(possible(fault, instance.system)).name
    parameters = {
        name: chance.choice([value for values in by_split.values() for value in values])
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
    tools: Tools, fixture: FaultFixture, name: str, playbook: Playbook
) -> tuple[Outcome, Inputs]:
    watcher = Watcher(
        tools.operator, tools.prober, fixture.instance.namespace, fixture.target, fixture.probes
    )
    others = await fixture.others()
    before = await _before(watcher)
    deadline, quiet = patience(fixture.fault, playbook.actions)
    live = fixture.live
    refused = await _perform(tools.cluster, playbook.actions)
    real = await watcher.verdict(
        before,
        window_seconds=tools.window_seconds,
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
        live=live,
        others=others,
        probes=watcher.probes,
        actions=playbook.actions,
        policies_enforced=Need.NETWORK_POLICY not in tools.capabilities.missing,
        metrics=Need.METRICS not in tools.capabilities.missing,
        patience_seconds=int(deadline),
        after=await fixture.read(),
    )
    return (
        Outcome(
            id=name,
            fault=fixture.fault.id,
            service=fixture.case.service,
            drawn=playbook.drawn,
            actions=tuple(ACTIONS.dump_python(playbook.actions, mode="json")),
            real=_told(real, refused, cured),
            simulated=simulated(inputs),
        ),
        inputs,
    )


def _told(real: Real, refused: str, cured: bool | None) -> Real:
    # A run that cannot carry out an action is a failed one, whatever the probes say.
    verified = real.verified and not refused
    return real.model_copy(update={"refused": refused, "cured": cured, "verified": verified})


async def _before(watcher: Watcher) -> tuple[NeighbourHealth, ...]:
    """Return the neighbours before the playbook, once the probes show the fault (or never do)."""
    for _ in range(_BITE_TRIES):
        round_ = await watcher.once()
        if any(sample.passed is False for sample in round_.samples.values()):
            break
    return round_.neighbours


async def _perform(cluster: Cluster, actions: tuple[Action, ...]) -> str:
    """Carry out the actions; return what the API server said against one of them."""
    try:
        await carry_out(cluster, actions)
    except ClusterError as error:
        return str(error)[:300]
    return ""


async def _cured(fixture: FaultFixture) -> bool:
    """Return whether the fault's effect is gone, by the oracle's own measurements."""
    for _ in range(_CURE_TRIES):
        checks = fixture.fault.oracle.effect
        found = await asyncio.gather(*(measure(check, fixture.context) for check in checks))
        if all(one.ok for one in found):
            return True
        await asyncio.sleep(1)
    return False


def patience(fault: Fault, actions: tuple[Action, ...]) -> tuple[float, float]:
    """Return how long a playbook may take to show, and how long nothing must move to end earlier.

    What only the kubelet or a controller notices in its own time is waited for to the end.
    """
    slow = any(action.action in _SLOW for action in actions)
    deadline = min(_LONGEST_SECONDS, max(_DEADLINE_SECONDS, fault.oracle.settle_seconds * slow))
    quiet = deadline if slow else _QUIET_SECONDS
    metrics = Need.METRICS in fault.needs or any("resourceUsage" in p for p in fault.report.probes)
    if metrics:
        deadline = max(deadline, _SLOW_DEADLINE_SECONDS)
        quiet = max(quiet, _METRICS_SECONDS)
    return deadline, quiet

"""A measurement from the first look at the cluster to the last trial."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from reme_benchmark.fidelity.comparison import agrees, compare
from reme_benchmark.fidelity.playbook_sampling import shares
from reme_benchmark.fidelity.records import Outcome, Plan, Problem
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.trial import Tools, patience, try_fault
from reme_benchmark.harness.capabilities import Capabilities, capabilities
from reme_benchmark.harness.fault_injection import InjectionError
from reme_benchmark.harness.provenance import commit
from reme_benchmark.harness.read_write_lock import ReadWriteLock
from reme_benchmark.harness.run import namespace_of
from reme_benchmark.harness.run_lock import LEASE, NAMESPACE, hold_run_lock
from reme_benchmark.harness.system_instance import SystemInstance, SystemInstanceError
from reme_benchmark.injection import pod_failure
from reme_benchmark.injection.agent_client import AgentsError, FaultAgents
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.cases.targets import possible
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.systems import catalog as systems
from reme_benchmark.scenarios.systems.model import System
from reme_kube.clock import SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.errors import ClusterError
from reme_kube.leader_election import ApiLeaseStore
from reme_operator.errors import TargetVanishedError
from reme_operator.probes.prober import ServiceProber


@dataclass(frozen=True)
class Options:
    """What is to be measured."""

    system: str
    count: int
    seed: int
    results: Path
    parallel: int = 3
    window_seconds: float = 6  # as in the policy of the method `reme`
    minutes: float = 0
    faults: tuple[str, ...] = ()
    keep: bool = False


def planned(options: Options, able: Capabilities) -> Plan:
    """Return how many trials each fault gets, and which faults get none, and why."""
    system = systems.load(options.system)
    left_out: dict[str, str] = {}
    chosen = []
    for fault in catalog.faults().values():
        if reason := why_not(fault, system, able):
            left_out[fault.id] = reason
        elif not options.faults or fault.id in options.faults:
            chosen.append(fault.id)
    source, dirty = commit()
    return Plan(
        system=options.system,
        seed=options.seed,
        count=options.count,
        window_seconds=options.window_seconds,
        commit=source,
        dirty=dirty,
        faults=shares(chosen, options.count),
        left_out=left_out,
    )


def why_not(fault: Fault, system: System, able: Capabilities) -> str:
    """Return why a fault is not measured; empty when it is."""
    if fault.heals:
        return "it ends by itself, and the simulator knows no time"
    if not possible(fault, system):
        return f"no service of {system.name} can have it"
    return able.why_not(fault)


async def run(options: Options, console: Console) -> int:
    """Measure; return 0 when every fault was tried, whatever came out."""

    def say(text: str) -> None:
        console.print(f"[dim]{escape(text)}[/]", highlight=False)

    async with (
        Cluster.from_environment() as cluster,
        hold_run_lock(ApiLeaseStore(cluster.api, NAMESPACE, LEASE), say) as lock,
    ):
        agents = FaultAgents(cluster.api)
        await agents.install()
        await agents.sweep()
        await pod_failure.sweep(cluster)
        system = systems.load(options.system)
        places = [f"{namespace_of(system.name)}-{n}" for n in range(1, options.parallel + 1)]
        instances = [SystemInstance(cluster, system, place) for place in places]
        try:
            await asyncio.gather(*(instance.up(say) for instance in instances))
            # Looked at now: a fresh cluster measures nothing before something runs in it.
            able = await capabilities(cluster)
            store = Outcomes(options.results)
            plan = store.begin(planned(options, able))
            what = _Measurement(cluster, agents, able, store, plan, options)
            await _measure(what, instances, console)
        finally:
            if not lock.lost:
                await asyncio.shield(_leave(agents, () if options.keep else instances))
    return 0


async def _leave(agents: FaultAgents, instances: Sequence[SystemInstance]) -> None:
    await agents.sweep()
    for instance in instances:
        await instance.down()
    if instances:
        await agents.uninstall()


@dataclass(frozen=True)
class _Measurement:
    cluster: Cluster
    agents: FaultAgents
    able: Capabilities
    store: Outcomes
    plan: Plan
    options: Options


async def _measure(
    what: _Measurement, instances: Sequence[SystemInstance], console: Console
) -> None:
    done = frozenset(outcome.id for outcome in what.store.outcomes())
    total, begun, made = sum(what.plan.faults.values()), time.monotonic(), [len(done)]

    def told(outcome: Outcome) -> None:
        made[0] += 1
        kind = compare(outcome.real, outcome.simulated)
        mark = "[green]✓[/]" if agrees(kind) else "[red]✗[/]"
        words = "+".join(str(action["action"]) for action in outcome.actions)
        console.print(
            f"{mark} {made[0]:3}/{total} {outcome.id:28.28} {escape(words):34.34} "
            f"{outcome.real.seconds:4.0f} s  {kind}",
            highlight=False,
            soft_wrap=True,
        )

    def out_of_time() -> bool:
        limit = what.options.minutes * 60
        return bool(limit) and time.monotonic() - begun > limit

    operator = ApiCluster(what.cluster.api)
    faults = catalog.faults()
    queue = [faults[name] for name, count in what.plan.faults.items() if count]
    # The quick ones first, should the time run out; what must be alone waits for all others.
    queue.sort(key=lambda fault: (fault.exclusive, patience(fault, ())))
    turns = ReadWriteLock()
    async with ServiceProber(operator, SystemClock()) as prober:
        tools = Tools(
            cluster=what.cluster,
            operator=operator,
            prober=prober,
            agents=what.agents,
            capabilities=what.able,
            store=what.store,
            seed=what.plan.seed,
            window_seconds=what.plan.window_seconds,
            say=told,
            out_of_time=out_of_time,
        )

        async def lane(instance: SystemInstance) -> None:
            while queue and not out_of_time():
                fault = queue.pop(0)
                async with turns.turn(exclusive=fault.exclusive):
                    await _one(tools, instance, fault, what.plan.faults[fault.id], done, console)

        async with asyncio.TaskGroup() as group:
            for instance in instances:
                group.create_task(lane(instance))
    console.print(f"{made[0]} trials after {(time.monotonic() - begun) / 60:.1f} minutes")


async def _one(
    tools: Tools,
    instance: SystemInstance,
    fault: Fault,
    count: int,
    done: frozenset[str],
    console: Console,
) -> None:
    try:
        await try_fault(tools, instance, fault, count, done)
    except (
        InjectionError,
        SystemInstanceError,
        AgentsError,
        ClusterError,
        TargetVanishedError,
    ) as error:
        tools.store.trouble(Problem(fault=fault.id, message=f"{error}"[:300]))
        console.print(f"[yellow]![/] {fault.id}: {escape(str(error))[:300]}", highlight=False)

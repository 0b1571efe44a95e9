"""Measures the fidelity of the simulator: deploys the systems and runs all trials."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from reme_benchmark.fidelity.comparison import agrees, compare
from reme_benchmark.fidelity.playbook_sampling import trials_per_fault
from reme_benchmark.fidelity.records import Outcome, Plan, Problem
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.trial import TrialContext, time_limits, try_fault
from reme_benchmark.harness.environment import Capabilities, commit, find_capabilities
from reme_benchmark.harness.fault_injection import InjectionError
from reme_benchmark.harness.lanes import ReadWriteLock
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
    """The options of a measurement."""

    system: str
    count: int
    seed: int
    results: Path
    parallel: int = 3
    window_seconds: float = 6  # as in the policy of the method `reme`
    minutes: float = 0
    faults: tuple[str, ...] = ()
    keep: bool = False


def make_plan(options: Options, capabilities: Capabilities) -> Plan:
    """Return the number of trials of each fault, and why some faults have none."""
    system = systems.load(options.system)
    left_out: dict[str, str] = {}
    chosen = []
    for fault in catalog.faults().values():
        if reason := why_not(fault, system, capabilities):
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
        faults=trials_per_fault(chosen, options.count),
        left_out=left_out,
    )


def why_not(fault: Fault, system: System, capabilities: Capabilities) -> str:
    """Return why a fault is not measured; empty when it is."""
    if fault.heals:
        return "it ends by itself, and the simulator has no time"
    if not possible(fault, system):
        return f"no service of {system.name} can have it"
    return capabilities.why_not(fault)


async def run(options: Options, console: Console) -> int:
    """Measure; return 0 when all trials ran, whatever their outcomes."""

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
            # Measured now, because a new cluster has no metrics before something runs in it.
            capabilities = await find_capabilities(cluster)
            store = Outcomes(options.results)
            plan = store.begin(make_plan(options, capabilities))
            measurement = _Measurement(cluster, agents, capabilities, store, plan, options)
            await _measure(measurement, instances, console)
        finally:
            if not lock.lost:
                await asyncio.shield(_clean_up(agents, () if options.keep else instances))
    return 0


async def _clean_up(agents: FaultAgents, instances: Sequence[SystemInstance]) -> None:
    await agents.sweep()
    for instance in instances:
        await instance.down()
    if instances:
        await agents.uninstall()


@dataclass(frozen=True)
class _Measurement:
    cluster: Cluster
    agents: FaultAgents
    capabilities: Capabilities
    store: Outcomes
    plan: Plan
    options: Options


async def _measure(
    measurement: _Measurement, instances: Sequence[SystemInstance], console: Console
) -> None:
    done = frozenset(outcome.id for outcome in measurement.store.outcomes())
    total, start, made = sum(measurement.plan.faults.values()), time.monotonic(), [len(done)]

    def print_outcome(outcome: Outcome) -> None:
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
        limit = measurement.options.minutes * 60
        return bool(limit) and time.monotonic() - start > limit

    operator = ApiCluster(measurement.cluster.api)
    faults = catalog.faults()
    queue = [faults[name] for name, count in measurement.plan.faults.items() if count]
    # Quick faults first, in case the time runs out; exclusive ones wait for all others.
    queue.sort(key=lambda fault: (fault.exclusive, time_limits(fault, ())))
    lock_nodes = ReadWriteLock()
    async with ServiceProber(operator, SystemClock()) as prober:
        context = TrialContext(
            cluster=measurement.cluster,
            operator=operator,
            prober=prober,
            agents=measurement.agents,
            capabilities=measurement.capabilities,
            store=measurement.store,
            seed=measurement.plan.seed,
            window_seconds=measurement.plan.window_seconds,
            say=print_outcome,
            out_of_time=out_of_time,
        )

        async def lane(instance: SystemInstance) -> None:
            while queue and not out_of_time():
                fault = queue.pop(0)
                async with lock_nodes.hold(exclusive=fault.exclusive):
                    await _one(
                        context, instance, fault, measurement.plan.faults[fault.id], done, console
                    )

        async with asyncio.TaskGroup() as group:
            for instance in instances:
                group.create_task(lane(instance))
    console.print(f"{made[0]} trials after {(time.monotonic() - start) / 60:.1f} minutes")


async def _one(
    context: TrialContext,
    instance: SystemInstance,
    fault: Fault,
    count: int,
    done: frozenset[str],
    console: Console,
) -> None:
    try:
        await try_fault(context, instance, fault, count, done)
    except (
        InjectionError,
        SystemInstanceError,
        AgentsError,
        ClusterError,
        TargetVanishedError,
    ) as error:
        context.store.save_problem(Problem(fault=fault.id, message=f"{error}"[:300]))
        console.print(f"[yellow]![/] {fault.id}: {escape(str(error))[:300]}", highlight=False)

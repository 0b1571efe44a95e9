"""Runs a suite: selects cases, deploys the systems, runs all cases and writes the report."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule

from reme_benchmark.harness.case_run import Harness
from reme_benchmark.harness.console import Progress, print_plan
from reme_benchmark.harness.environment import find_capabilities, read_environment
from reme_benchmark.harness.lanes import lanes, run_lanes
from reme_benchmark.harness.run_lock import LEASE, NAMESPACE, RunLock, hold_run_lock
from reme_benchmark.harness.system_instance import SystemInstance, SystemInstanceError
from reme_benchmark.injection import pod_failure
from reme_benchmark.injection.agent_client import AgentsError, FaultAgents
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.methods.base import Method
from reme_benchmark.methods.choose import ASKS_MODEL, choose
from reme_benchmark.reports.output import summary_text, write_report_files
from reme_benchmark.reports.store import RUN, Store
from reme_benchmark.scenarios.cases import suites
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.systems import catalog as systems
from reme_benchmark.scenarios.systems.render import Flavour
from reme_benchmark.scoring.records import Run
from reme_kube.errors import ClusterError
from reme_kube.leader_election import ApiLeaseStore


class RunError(Exception):
    """The run cannot start; the message says why and what to do."""


@dataclass(frozen=True)
class RunOptions:
    """The options of a run."""

    suite: str
    method: str
    cases: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    seed: int | None = None
    results: Path | None = None
    resume: bool = False
    repeats: int = 1
    one_per_fault: bool = False
    parallel: int = 2
    plan: bool = False
    external: str = ""
    attempts: int = 2
    persist_seconds: int = 0
    method_seconds: float = 240
    flavour: Flavour = "workload"
    keep: bool = False

    @property
    def policy(self) -> dict[str, Any]:
        """Return the fields of reme's policy that these options set."""
        fields: dict[str, Any] = {"maxAttempts": self.attempts}
        if self.persist_seconds:  # otherwise left out, as in results from before the option
            fields["evidence"] = {"minPersistenceSeconds": self.persist_seconds}
        return fields


def select_cases(options: RunOptions) -> tuple[int, tuple[Case, ...]]:
    """Return the seed and the cases of a run.

    Raises:
        ValueError: an unknown suite, system or split.
        RunError: no case matches the filters.
    """
    by_name = {name: systems.load(name) for name in systems.names()}
    for name in options.systems:
        systems.load(name)
    suite = suites.load(options.suite)
    seed = suite.seed if options.seed is None else options.seed
    cases = [
        case
        for case in suites.draw(suite, seed, by_name)
        if (not options.systems or case.system in options.systems)
        and (not options.splits or case.split.value in options.splits)
        and (not options.cases or any(w in case.key or w == case.id for w in options.cases))
    ]
    if options.one_per_fault:
        cases = one_per_fault(cases, list(by_name))
    if not cases:
        raise RunError(f"no case of {options.suite} matches the filters")
    if options.repeats > 1:
        cases = [
            case.model_copy(update={"id": f"{case.id}-r{number:03}"})
            for case in cases
            for number in range(1, options.repeats + 1)
        ]
    return seed, tuple(cases)


def one_per_fault(cases: Sequence[Case], systems: Sequence[str]) -> list[Case]:
    """Return one case of every fault and control, spread over the small systems.

    `systems` are in the order of their size; the largest is used only where no other has the fault.
    """
    groups: dict[tuple[str | None, str | None], list[Case]] = {}
    for case in cases:
        fault = case.fault if case.control is None else None
        groups.setdefault((fault, case.control), []).append(case)
    chosen: list[Case] = []
    load = dict.fromkeys(systems, 0)
    for group in groups.values():
        small = [c for c in group if c.system != systems[-1]] or group
        case = min(small, key=lambda c: load[c.system])
        load[case.system] += 1
        chosen.append(case)
    return chosen


def namespace_of(system: str) -> str:
    """Return the namespace in which a system is measured."""
    return f"bench-{system}"


async def run(options: RunOptions, console: Console) -> int:
    """Run the selected cases; return 0 when all of them ran, whatever their verdicts."""
    seed, cases = select_cases(options)
    method = choose(options.method, external=options.external, **options.policy)
    async with Cluster.from_environment() as cluster:
        print_plan(
            console,
            cases,
            catalog.faults(),
            await find_capabilities(cluster),
            method=options.method,
            parallel=options.parallel,
            title=f"{options.suite}, seed {seed}",
        )
        if options.plan:
            return 0
        async with _run_lock(cluster, console) as lock:
            active = _ActiveRun(cluster, options, method, console, lock)
            return await active.run_and_record(seed, cases)


def _run_lock(cluster: Cluster, console: Console) -> AbstractAsyncContextManager[RunLock]:
    def say(text: str) -> None:
        console.print(text, markup=False)

    return hold_run_lock(ApiLeaseStore(cluster.api, NAMESPACE, LEASE), say)


@dataclass(frozen=True)
class _ActiveRun:
    """A run that holds the run lock."""

    cluster: Cluster
    options: RunOptions
    method: Method
    console: Console
    lock: RunLock

    async def run_and_record(self, seed: int, cases: tuple[Case, ...]) -> int:
        """Run the cases that have no result yet, and write the report."""
        options, method = self.options, self.method
        store = Store(options.results or _new_folder(options))
        if (store.path / RUN).exists() and not options.resume:
            raise RunError(f"{store.path} holds results: add --resume, or choose another directory")
        record = Run(
            suite=options.suite,
            method=method.name,
            method_options=method.options,
            seed=seed,
            cases=list(cases),
            start_time=datetime.now(UTC),
            **await read_environment(self.cluster, asks_model=method.name in ASKS_MODEL),
        )
        store.begin(record)
        ended = store.done()
        todo = [case for case in cases if case.id not in ended]
        if ended:
            self.console.print(f"{len(ended)} cases have results already, {len(todo)} remain")
        await self._run_cases(todo, store)
        store.end(datetime.now(UTC))
        self.console.print(Rule(f"results in {store.path}", align="left"))
        write_report_files(store)
        self.console.print(summary_text(store), markup=False, highlight=False)
        return 0

    async def _run_cases(self, todo: list[Case], store: Store) -> None:
        progress = Progress(self.console, len(todo))
        instances = self._instances(todo)
        agents = FaultAgents(self.cluster.api)
        start = time.monotonic()
        await agents.install()
        if removed := [*await agents.sweep(), *await pod_failure.sweep(self.cluster)]:
            progress.say(f"removed {len(removed)} faults of an earlier run")
        try:
            for instance in instances.values():
                await instance.up(progress.say)
            # Measured again: a new cluster has no metrics before something runs in it.
            capabilities = await find_capabilities(self.cluster)
            await self.method.prepare(self.cluster, tuple(i.namespace for i in instances.values()))
            seconds = time.monotonic() - start
            progress.say(f"{len(instances)} systems are up after {seconds:.0f} s")
            faults: Mapping[str, Fault] = catalog.faults()
            harness = Harness(
                self.cluster,
                agents,
                self.method,
                faults,
                capabilities,
                self.lock,
                self.options.method_seconds,
            )
            await run_lanes(harness, lanes(instances, todo), store, progress, self.options.parallel)
        except* SystemInstanceError as errors:
            first = errors.exceptions[0]
            raise RunError(str(first)) from first
        finally:
            await self.method.close()
            if not self.lock.lost:
                await agents.sweep()
                if not self.options.keep:
                    for instance in instances.values():
                        await instance.down()
                    await agents.uninstall()

    def _instances(self, cases: Sequence[Case]) -> dict[str, SystemInstance]:
        flavour = self.options.flavour
        return {
            name: SystemInstance(self.cluster, systems.load(name), namespace_of(name), flavour)
            for name in sorted({case.system for case in cases})
        }


def _new_folder(options: RunOptions) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path("results") / f"{options.suite}-{options.method}-{stamp}"


async def replay(results: Path, case_id: str, options: RunOptions, console: Console) -> int:
    """Run one case of an earlier run again, with results in a new directory beside it."""
    before = Store(results).load_run()
    if case_id not in {case.id for case in before.cases}:
        known = ", ".join(case.id for case in before.cases[:5])
        raise RunError(f"{results} has no case {case_id!r}; its cases are {known} ...")
    stamp = datetime.now().astimezone().strftime("%H%M%S")
    again = replace(options, suite=before.suite, seed=before.seed, cases=(case_id,))
    again = replace(again, results=results.parent / f"{results.name}-replay-{case_id}-{stamp}")
    return await run(again, console)


async def clean(console: Console) -> int:
    """Remove everything that the benchmark creates in a cluster."""
    async with Cluster.from_environment() as cluster, _run_lock(cluster, console):
        agents = FaultAgents(cluster.api)
        try:
            removed = await agents.sweep()
            console.print(f"removed {len(removed)} faults")
        except (ClusterError, AgentsError) as error:
            console.print(f"no fault agent answers: {error}", markup=False)
        for name in systems.names():
            await SystemInstance(cluster, systems.load(name), namespace_of(name)).down()
        for namespace in await cluster.list("Namespace"):
            name, labels = namespace["metadata"]["name"], namespace["metadata"].get("labels") or {}
            system = labels.get("app.kubernetes.io/part-of")
            if system in systems.names() and name.startswith(f"{namespace_of(system)}-"):
                await cluster.delete("Namespace", name)
        await agents.uninstall()
    return 0


def run_until_done(work: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine; SIGTERM cancels it as Ctrl-C does, so that the cluster is restored."""

    async def stoppable() -> int:
        task = asyncio.create_task(work)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    return asyncio.run(stoppable())

"""A run from the first look at the cluster to the written report."""

import argparse
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule

from reme_benchmark.harness.capabilities import capabilities
from reme_benchmark.harness.case_run import Harness
from reme_benchmark.harness.lanes import lanes, run_lanes
from reme_benchmark.harness.progress import Progress
from reme_benchmark.harness.provenance import provenance
from reme_benchmark.harness.run_lock import LEASE, NAMESPACE, RunLock, hold_run_lock
from reme_benchmark.harness.run_plan import show
from reme_benchmark.harness.system_instance import SystemInstance, SystemInstanceError
from reme_benchmark.injection import pod_failure
from reme_benchmark.injection.agent_client import AgentsError, FaultAgents
from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.methods.base import Method
from reme_benchmark.methods.choose import choose
from reme_benchmark.reports.output import summary_text, write_report_files
from reme_benchmark.reports.store import Store
from reme_benchmark.scenarios.cases import suites
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.systems import catalog as systems
from reme_benchmark.scenarios.systems.model import System
from reme_benchmark.scenarios.systems.render import Flavour
from reme_benchmark.scoring.records import Run
from reme_kube.errors import ClusterError
from reme_kube.leader_election import ApiLeaseStore


class RunError(Exception):
    """The run cannot be begun; the message says why and what to do."""


@dataclass(frozen=True)
class RunOptions:
    """What is to be run."""

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
    min_persistence_seconds: int = 0
    method_seconds: float = 240
    flavour: Flavour = "workload"
    keep: bool = False

    @classmethod
    def of(cls, chosen: argparse.Namespace) -> "RunOptions":
        """Read the options from a command line."""

        def words(name: str) -> tuple[str, ...]:
            text = getattr(chosen, name, "") or ""
            return tuple(w for w in text.split(",") if w)

        return cls(
            suite=getattr(chosen, "suite", ""),
            method=chosen.method,
            cases=words("cases"),
            systems=words("systems"),
            splits=words("splits"),
            seed=getattr(chosen, "seed", None),
            results=getattr(chosen, "results", None),
            resume=getattr(chosen, "resume", False),
            repeats=getattr(chosen, "repeats", 1),
            one_per_fault=getattr(chosen, "one_per_fault", False),
            parallel=max(1, getattr(chosen, "parallel", 1)),
            plan=getattr(chosen, "plan", False),
            external=chosen.external,
            attempts=chosen.attempts,
            min_persistence_seconds=chosen.persist,
            method_seconds=chosen.timeout,
            flavour=chosen.flavour,
            keep=chosen.keep,
        )

    @property
    def policy(self) -> dict[str, Any]:
        """Return what reme's policy says by these options."""
        said: dict[str, Any] = {"maxAttempts": self.attempts}
        if (
            self.min_persistence_seconds
        ):  # left out else, as in results from before there was such a limit
            said["evidence"] = {"minPersistenceSeconds": self.min_persistence_seconds}
        return said


def drawn(options: RunOptions) -> tuple[int, tuple[Case, ...]]:
    """Return the seed and the cases of a run.

    Raises:
        ValueError: an unknown suite, system or split.
        RunError: no case is left.
    """
    known = {name: systems.load(name) for name in systems.names()}
    for name in options.systems:
        systems.load(name)
    suite = suites.load(options.suite)
    seed = suite.seed if options.seed is None else options.seed
    cases = suites.draw(suite, seed, known)
    left = [
        case
        for case in cases
        if (not options.systems or case.system in options.systems)
        and (not options.splits or case.split.value in options.splits)
        and (not options.cases or any(w in case.key or w == case.id for w in options.cases))
    ]
    if options.one_per_fault:
        left = one_per_fault(left, list(known))
    if not left:
        raise RunError(f"no case of {options.suite} is left by these filters")
    if options.repeats > 1:
        left = [
            case.model_copy(update={"id": f"{case.id}-r{number:03}"})
            for case in left
            for number in range(1, options.repeats + 1)
        ]
    return seed, tuple(left)


def one_per_fault(cases: Sequence[Case], systems: Sequence[str]) -> list[Case]:
    """Return one case of every fault and control, spread over the small systems.

    `systems` are in the order of their size: the largest is taken only where no other will do.
    """
    found: dict[tuple[str | None, str | None], list[Case]] = {}
    for case in cases:
        fault = case.fault if case.control is None else None
        found.setdefault((fault, case.control), []).append(case)
    chosen: list[Case] = []
    busy = dict.fromkeys(systems, 0)
    for of in found.values():
        small = [c for c in of if c.system != systems[-1]] or of
        taken = min(small, key=lambda c: busy[c.system])
        busy[taken.system] += 1
        chosen.append(taken)
    return chosen


def namespace_of(system: str) -> str:
    """Return the namespace in which a system is measured."""
    return f"bench-{system}"


async def run(options: RunOptions, console: Console) -> int:
    """Run what is asked for; return 0 when every case was run, whatever came out."""
    seed, cases = drawn(options)
    faults = catalog.faults()
    method = choose(options.method, external=options.external, **options.policy)
    async with Cluster.from_environment() as cluster:
        able = await capabilities(cluster)
        show(
            console,
            cases,
            faults,
            able,
            method=options.method,
            parallel=options.parallel,
            title=f"{options.suite}, seed {seed}",
        )
        if options.plan:
            return 0
        async with _run_lock(cluster, console) as lock:
            return await _recorded(cluster, options, method, seed, cases, console, lock)


def _run_lock(cluster: Cluster, console: Console) -> AbstractAsyncContextManager[RunLock]:
    def say(text: str) -> None:
        console.print(text, markup=False)

    return hold_run_lock(ApiLeaseStore(cluster.api, NAMESPACE, LEASE), say)


async def _recorded(
    cluster: Cluster,
    options: RunOptions,
    method: Method,
    seed: int,
    cases: tuple[Case, ...],
    console: Console,
    lock: RunLock,
) -> int:
    faults = catalog.faults()
    store = Store(options.results or _new_folder(options))
    if store.path.exists() and (store.path / "run.json").exists() and not options.resume:
        raise RunError(f"{store.path} holds results: --resume goes on, or choose another")
    record = Run(
        suite=options.suite,
        method=method.name,
        method_options=method.options,
        seed=seed,
        cases=list(cases),
        start_time=datetime.now(UTC),
        **await provenance(cluster, asks_model=method.name in ("reme", "ask")),
    )
    store.begin(record)
    done = store.done()
    todo = [case for case in cases if case.id not in done]
    if done:
        console.print(f"{len(done)} cases are done already, {len(todo)} are left")
    await _run(cluster, options, method, faults, todo, store, console, lock)
    store.end(datetime.now(UTC))
    _close(store, console)
    return 0


async def _run(
    cluster: Cluster,
    options: RunOptions,
    method: Method,
    faults: Mapping[str, Fault],
    todo: list[Case],
    store: Store,
    console: Console,
    lock: RunLock,
) -> None:
    progress = Progress(console, len(todo))
    names = sorted({case.system for case in todo})
    instances = {n: _stage(cluster, systems.load(n), options.flavour) for n in names}
    agents = FaultAgents(cluster.api)
    begun = time.monotonic()
    await agents.install()
    if swept := [*await agents.sweep(), *await pod_failure.sweep(cluster)]:
        progress.say(f"swept {len(swept)} leftovers of an earlier run")
    try:
        for instance in instances.values():
            await instance.up(progress.say)
        # Looked at again: a fresh cluster measures nothing before something runs in it.
        able = await capabilities(cluster)
        await method.prepare(cluster, tuple(s.namespace for s in instances.values()))
        progress.say(f"{len(instances)} systems are up after {time.monotonic() - begun:.0f} s")
        bench = Harness(cluster, agents, method, faults, able, lock, options.method_seconds)
        await run_lanes(bench, lanes(instances, todo), store, progress, options.parallel)
    except* SystemInstanceError as errors:
        first = errors.exceptions[0]
        raise RunError(str(first)) from first
    finally:
        await method.close()
        if not lock.lost:
            await agents.sweep()
            if not options.keep:
                for instance in instances.values():
                    await instance.down()
                await agents.uninstall()


def _stage(cluster: Cluster, system: System, flavour: Flavour) -> SystemInstance:
    return SystemInstance(cluster, system, namespace_of(system.name), flavour)


def _new_folder(options: RunOptions) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path("results") / f"{options.suite}-{options.method}-{stamp}"


def _close(store: Store, console: Console) -> None:
    console.print(Rule(f"results in {store.path}", align="left"))
    write_report_files(store)
    console.print(summary_text(store), markup=False, highlight=False)


async def replay(results: Path, case_id: str, options: RunOptions, console: Console) -> int:
    """Run one case of a finished run again, in a directory of its own beside it."""
    before = Store(results).load_run()
    found = next((case for case in before.cases if case.id == case_id), None)
    if found is None:
        known = ", ".join(case.id for case in before.cases[:5])
        raise RunError(f"{results} has no case {case_id!r}; it has {known} ...")
    stamp = datetime.now().astimezone().strftime("%H%M%S")
    again = replace(options, suite=before.suite, seed=before.seed, cases=(case_id,))
    again = replace(again, results=results.parent / f"{results.name}-replay-{case_id}-{stamp}")
    return await run(again, console)


async def clean(console: Console) -> int:
    """Remove everything that the benchmark ever puts into a cluster."""
    async with Cluster.from_environment() as cluster, _run_lock(cluster, console):
        agents = FaultAgents(cluster.api)
        try:
            swept = await agents.sweep()
            console.print(f"swept {len(swept)} faults")
        except (ClusterError, AgentsError) as error:
            console.print(f"no fault agent answers: {error}", markup=False)
        for name in systems.names():
            await _stage(cluster, systems.load(name), "workload").down()
        for place in await cluster.list("Namespace"):
            name, labels = place["metadata"]["name"], place["metadata"].get("labels") or {}
            copy_of = labels.get("app.kubernetes.io/part-of")
            if copy_of in systems.names() and name.startswith(f"{namespace_of(copy_of)}-"):
                await cluster.delete("Namespace", name)
        await agents.uninstall()
    return 0

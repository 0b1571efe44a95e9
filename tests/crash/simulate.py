"""Carries out one schedule and says what came of it."""

import asyncio
import time
from contextvars import Context
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.crash.fault_injection import FaultInjector
from tests.crash.invariants import Violation, check, describe, leftovers, owned, unreported
from tests.crash.scenarios import SCENARIOS, act, begin, prepare
from tests.crash.schedule import Schedule
from tests.crash.world import World, labelled, opened
from tests.doubles.sim_loop import SimulatedLoop

QUIET_SECONDS = 6.0
"""How long nothing may change before a world counts as being at rest."""
PATIENCE_SECONDS = 2400.0
"""How long a recovery may take, after the last fault."""
SWEEP_SECONDS = 400.0
"""Longer than the time between two searches for orphans."""


class Request(NamedTuple):
    """One request to the API server."""

    process: str
    step: str
    verb: str
    path: str
    what: str


@dataclass
class Report:
    """What came of one schedule."""

    schedule: Schedule
    violations: list[Violation] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    ends: str = ""
    swept: list[str] = field(default_factory=list)  # left behind, and found by the next sweep
    simulated_seconds: float = 0.0
    real_seconds: float = 0.0

    def count(self, *kinds: str) -> int:
        """Return how many violations of these kinds there are."""
        return sum(v.kind in kinds for v in self.violations)


def simulate(schedule: Schedule) -> Report:
    """Carry out a schedule in a loop of its own."""
    started_at = time.perf_counter()
    loop = SimulatedLoop()
    try:
        report = loop.run_until_complete(_simulate(schedule))
    finally:
        loop.close()
    report.real_seconds = time.perf_counter() - started_at
    return report


async def _simulate(schedule: Schedule) -> Report:
    report = Report(schedule)
    with labelled():
        async with opened(schedule, list(SCENARIOS[schedule.scenario].answers)) as world:
            mischief = FaultInjector(world)
            world.api.gate = world.chronicle.gate(mischief)
            prepare(world)
            replicas = [
                asyncio.create_task(world.replica(f"op{n}"), context=Context())
                for n in range(schedule.replicas)
            ]
            try:
                await asyncio.sleep(2)
                begin(world)
                at_it = asyncio.create_task(act(world), context=Context())
                await _at_rest(world)
                report.violations += check(world)
                await _sweep(world, report)
                report.ends = describe(world)
                await _remove_everything(world, report)
                if at_it.done():
                    at_it.result()
                at_it.cancel()
            finally:
                for replica in replicas:
                    replica.cancel()
                for process in world.processes:
                    await process.kill()
            report.happened, report.deaths = mischief.happened, world.deaths
            report.requests = [
                Request(a.process.name, a.step, a.verb, a.path, a.what) for a in world.api.asked
            ]
            report.simulated_seconds = world.time() - 1000
    return report


async def _at_rest(world: World) -> None:
    """Wait until nothing is left to be done, or until patience is at its end."""
    world.note_fault()
    since = world.time()
    while world.time() - world.last_fault < PATIENCE_SECONDS:
        await asyncio.sleep(1)
        if not _done(world):
            since = world.time()
        elif world.time() - since >= QUIET_SECONDS:
            return


def _done(world: World) -> bool:
    if not world.people.done:
        return False
    remediations = world.api.all("remediations")
    if world.under_way or any(r["metadata"].get("finalizers") for r in remediations):
        return False
    if any(not r.get("status", {}).get("outcome") for r in remediations):
        return False
    expected = len(SCENARIOS[world.schedule.scenario].reports)
    return len(world.finals) >= expected and not unreported(world)


async def _sweep(world: World, report: Report) -> None:
    lines = leftovers(world)
    if not lines:
        return
    await asyncio.sleep(SWEEP_SECONDS)
    still = leftovers(world)
    report.swept = sorted(set(lines) - set(still))
    report.violations += [Violation("orphan", item) for item in still]


async def _remove_everything(world: World, report: Report) -> None:
    """Delete what users have made, and see that nothing else stays."""
    for plural in ("diagnosisreports", "remediations"):
        for obj in world.api.all(plural):
            meta = obj["metadata"]
            world.api.remove(plural, meta["namespace"], meta["name"])
    for _ in range(60):
        await asyncio.sleep(1)
        items = [*owned(world), *leftovers(world), *world.api.all("remediations")]
        if not items:
            return
    report.violations += [Violation("orphan", f"{item}, after its record") for item in items]

"""Runs one schedule and checks the invariants."""

import asyncio
import time
from contextvars import Context
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.crash.fault_injection import FaultInjector
from tests.crash.invariants import Violation, check, describe, leftovers, owned, unreported
from tests.crash.scenarios import SCENARIOS, act, begin, prepare
from tests.crash.schedule import Schedule
from tests.crash.world import World, labelled, simulated_world
from tests.doubles.sim_loop import SimulatedLoop

QUIET_SECONDS = 6.0
"""Time without change after which a world is at rest."""
RECOVERY_TIMEOUT_SECONDS = 2400.0
"""Maximum time of recovery after the last fault."""
SWEEP_SECONDS = 400.0
"""Longer than the interval of the garbage collector."""


class Request(NamedTuple):
    """One request to the API server."""

    process: str
    step: str
    verb: str
    path: str
    what: str


@dataclass
class Report:
    """Result of one schedule."""

    schedule: Schedule
    violations: list[Violation] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    ends: str = ""
    swept: list[str] = field(default_factory=list)  # removed by the garbage collector
    simulated_seconds: float = 0.0
    real_seconds: float = 0.0

    def count(self, *kinds: str) -> int:
        """Return how many violations of these kinds there are."""
        return sum(v.kind in kinds for v in self.violations)


def simulate(schedule: Schedule) -> Report:
    """Run a schedule in its own event loop."""
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
        async with simulated_world(schedule, list(SCENARIOS[schedule.scenario].answers)) as world:
            fault_injector = FaultInjector(world)
            world.api.gate = world.history.gate(fault_injector)
            prepare(world)
            replicas = [
                asyncio.create_task(world.replica(f"op{n}"), context=Context())
                for n in range(schedule.replicas)
            ]
            try:
                await asyncio.sleep(2)
                begin(world)
                actions = asyncio.create_task(act(world), context=Context())
                await _at_rest(world)
                report.violations += check(world)
                await _sweep(world, report)
                report.ends = describe(world)
                await _remove_everything(world, report)
                if actions.done():
                    actions.result()
                actions.cancel()
            finally:
                for replica in replicas:
                    replica.cancel()
                for process in world.processes:
                    await process.kill()
            report.events, report.kills = fault_injector.events, world.kills
            report.requests = [
                Request(a.process.name, a.step, a.verb, a.path, a.what) for a in world.api.requests
            ]
            report.simulated_seconds = world.time() - 1000
    return report


async def _at_rest(world: World) -> None:
    """Wait until the world is at rest, or the timeout."""
    world.note_fault()
    since = world.time()
    while world.time() - world.last_fault < RECOVERY_TIMEOUT_SECONDS:
        await asyncio.sleep(1)
        if not _done(world):
            since = world.time()
        elif world.time() - since >= QUIET_SECONDS:
            return


def _done(world: World) -> bool:
    if not world.people.done:
        return False
    remediations = world.api.all("remediations")
    if world.faults_in_progress or any(r["metadata"].get("finalizers") for r in remediations):
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
    """Delete the objects of users, and check that nothing else remains."""
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

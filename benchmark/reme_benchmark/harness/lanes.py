"""Runs the cases of a plan: one lane per system, several lanes at once."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from reme_benchmark.harness.case_run import Harness, run_case
from reme_benchmark.harness.console import Progress
from reme_benchmark.harness.system_instance import SystemInstance
from reme_benchmark.reports.store import Store
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scoring.records import CaseResult


class ReadWriteLock:
    """A readers-writer lock in which no reader overtakes a waiting writer.

    Cases of different systems run at the same time ("readers"); a fault of the nodes affects all
    systems and runs alone ("writer").
    """

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._readers = 0
        self._writing = False
        self._waiting_writers = 0

    @asynccontextmanager
    async def hold(self, *, exclusive: bool) -> AsyncIterator[None]:
        """Hold the lock, exclusively or shared with others."""
        async with self._changed:
            if exclusive:
                self._waiting_writers += 1
                try:
                    await self._changed.wait_for(lambda: not (self._readers or self._writing))
                finally:
                    self._waiting_writers -= 1
                    self._changed.notify_all()
                self._writing = True
            else:
                await self._changed.wait_for(lambda: not (self._writing or self._waiting_writers))
                self._readers += 1
        try:
            yield
        finally:
            # Shielded, because a lock that is not released blocks all others.
            await asyncio.shield(self._release(exclusive))

    async def _release(self, exclusive: bool) -> None:
        async with self._changed:
            if exclusive:
                self._writing = False
            else:
                self._readers -= 1
            self._changed.notify_all()


@dataclass(frozen=True)
class Lane:
    """One system and its cases, in their order."""

    instance: SystemInstance
    cases: tuple[Case, ...]


def lanes(instances: Mapping[str, SystemInstance], cases: Iterable[Case]) -> list[Lane]:
    """Return the cases by system, the longest lane first, because it decides the duration."""
    by_system: dict[str, list[Case]] = {}
    for case in cases:
        by_system.setdefault(case.system, []).append(case)
    unsorted = [Lane(instances[name], tuple(of_system)) for name, of_system in by_system.items()]
    return sorted(unsorted, key=lambda lane: (-len(lane.cases), lane.instance.namespace))


async def run_lanes(
    harness: Harness, todo: Sequence[Lane], store: Store, progress: Progress, parallel: int
) -> list[CaseResult]:
    """Run all lanes, at most `parallel` at once; store each result as soon as the case ends."""
    lock, limit = ReadWriteLock(), asyncio.Semaphore(parallel)
    results: list[CaseResult] = []

    async def run_lane(lane: Lane) -> None:
        async with limit:
            for case in lane.cases:
                fault: Fault | None = harness.faults[case.fault] if case.fault else None
                async with lock.hold(exclusive=fault is not None and fault.exclusive):
                    result = await run_case(harness, lane.instance, case)
                store.save(result)
                progress.result(result)
                results.append(result)

    async with asyncio.TaskGroup() as group:
        for lane in todo:
            group.create_task(run_lane(lane))
    return results

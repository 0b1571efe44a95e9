"""Runs all cases of a plan: one lane a system, results kept as they come, everything put back."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reme_benchmark.harness.case_run import Harness, run_case
from reme_benchmark.harness.progress import Progress
from reme_benchmark.harness.read_write_lock import ReadWriteLock
from reme_benchmark.harness.system_instance import SystemInstance
from reme_benchmark.reports.store import Store
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scoring.records import CaseResult


@dataclass(frozen=True)
class Lane:
    """One system and the cases that take place in it, in their order."""

    instance: SystemInstance
    cases: tuple[Case, ...]


def lanes(instances: Mapping[str, SystemInstance], cases: Iterable[Case]) -> list[Lane]:
    """Return the cases by system, the longest lane first: it decides how long the run takes."""
    by_system: dict[str, list[Case]] = {}
    for case in cases:
        by_system.setdefault(case.system, []).append(case)
    found = [Lane(instances[name], tuple(of)) for name, of in by_system.items()]
    return sorted(found, key=lambda lane: (-len(lane.cases), lane.instance.namespace))


async def run_lanes(
    bench: Harness, todo: Sequence[Lane], store: Store, progress: Progress, parallel: int
) -> list[CaseResult]:
    """Run every lane, at most so many at once; each result is kept as soon as it is there."""
    turns, limit = ReadWriteLock(), asyncio.Semaphore(parallel)
    results: list[CaseResult] = []

    async def one(lane: Lane) -> None:
        async with limit:
            for case in lane.cases:
                fault: Fault | None = bench.faults[case.fault] if case.fault else None
                async with turns.turn(exclusive=fault is not None and fault.exclusive):
                    result = await run_case(bench, lane.instance, case)
                store.save(result)
                progress.result(result)
                results.append(result)

    async with asyncio.TaskGroup() as group:
        for lane in todo:
            group.create_task(one(lane))
    return results

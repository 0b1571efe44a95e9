"""Sets of schedules, and a table of their results."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from tests.crash.schedule import FAMILIES, SCENARIO_WEIGHTS, Fault, Schedule, draw, family
from tests.crash.simulate import Report, simulate
from tests.crash.world import quiet

KINDS = ("lost", "repeated", "untrue", "orphan", "incomplete", "stuck")
_NAMES = {
    "kill": "operator killed",
    "answer": "409, 429, 500, timeouts, broken connections",
    "time": "API server away, watches end, lag or 410, stale lists",
    "leader": "two replicas, leadership or network lost",
    "model": "model server away, hangs, dies, returns invalid replies",
    "pod": "pod killed, evicted, doubled, disk full, hangs",
}


@dataclass(frozen=True)
class Course:
    """A schedule without faults: the requests to the API server, in order."""

    scenario: str
    steps: tuple[tuple[str, str, str], ...]  # step, verb, what


def course(scenario: str) -> Course:
    """Run a scenario without faults; it must end as defined."""
    report = simulate(Schedule(0, scenario))
    if report.violations:
        raise AssertionError(f"{scenario} fails without any fault: {report.violations}")
    return Course(scenario, tuple((r.step, r.verb, r.what) for r in report.requests))


def courses(scenarios: Iterable[str] = SCENARIO_WEIGHTS) -> dict[str, Course]:
    """Return the requests of each scenario without faults."""
    return {name: course(name) for name in scenarios}


def schedules_of_seeds(seeds: Iterable[int], known: Mapping[str, Course]) -> list[Schedule]:
    """Return the schedules of these seeds."""
    lengths = {name: len(one.steps) for name, one in known.items()}
    return [draw(seed, lengths) for seed in seeds]


def kill_at_every_request(known: Mapping[str, Course], scenarios: Sequence[str]) -> list[Schedule]:
    """Return a kill before and one after every write, and one before each series of reads.

    Reads that follow each other within a step leave the same state behind.
    """
    schedules: list[Schedule] = []
    for name in scenarios:
        before = ("", "")
        for number, (step, verb, _) in enumerate(known[name].steps):
            if verb != "GET":
                kinds: tuple[str, ...] = ("kill-before", "kill-after")
            else:
                kinds = () if before == (step, verb) else ("kill-before",)
            schedules += [Schedule(0, name, (Fault(kind, number),)) for kind in kinds]
            before = (step, verb)
    return schedules


def late_arrivals(known: Mapping[str, Course], scenarios: Sequence[str]) -> list[Schedule]:
    """Return a partition at every write that creates a run, with a second replica.

    Requests of the first replica may arrive long after the run has ended.
    """
    return [
        Schedule(seed, name, (Fault("partition", number, str(seconds)),), replicas=2)
        for name in scenarios
        for number, (step, verb, _) in enumerate(known[name].steps)
        for seed, seconds in ((1, 14), (2, 30), (3, 60))
        if verb == "POST" and step.startswith(("CreateRun", "RunDryRun"))
    ]


def run(schedules: Sequence[Schedule], jobs: int = 1) -> Iterator[Report]:
    """Run the schedules and yield their reports, in order."""
    if jobs == 1:
        quiet()
        yield from map(simulate, schedules)
        return
    with ProcessPoolExecutor(jobs, initializer=quiet) as pool:
        yield from pool.map(_bare, schedules, chunksize=4)


def _bare(schedule: Schedule) -> Report:
    """Run a schedule, and drop the requests from its report."""
    report = simulate(schedule)
    report.requests.clear()
    return report


def shrink(schedule: Schedule) -> Schedule:
    """Return a schedule with the fewest faults that still violates the same kind of invariant."""
    kinds = {v.kind for v in simulate(schedule).violations}
    smaller = True
    while smaller:
        smaller = False
        candidates = [
            schedule.with_faults(*(f for f in schedule.faults if f is not fault))
            for fault in schedule.faults
        ]
        if schedule.replicas > 1:
            candidates.append(replace(schedule, replicas=1))
        for candidate in candidates:
            if kinds & {v.kind for v in simulate(candidate).violations}:
                schedule, smaller = candidate, True
                break
    return schedule


def tabulate(reports: Iterable[Report]) -> str:
    """Return the table: the steps in which the operator was killed, and each family of faults."""
    rows: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for report in reports:
        for row in _rows(report):
            count = rows[row]
            count["schedules"] += 1
            count["recovered"] += not report.violations
            for kind in KINDS:
                count[kind] += report.count(kind)
    head = ("", "schedules", "recovered", *KINDS)
    lines = [
        [name, *(str(count[c]) for c in head[1:])] for (_, name), count in sorted(rows.items())
    ]
    return _aligned([list(head), *lines])


def _rows(report: Report) -> Iterator[tuple[int, str]]:
    families = {family(f) for f in report.schedule.faults}
    if families == {"kill"} and len(report.schedule.faults) == 1 and report.kills:
        _, _, when, step, *_ = report.kills[0].replace(":", " ").split()
        yield 0, f"killed in {_step(step)}, {when} a request"
    for number, one in enumerate(FAMILIES, 1):
        if one in families:
            yield number, _NAMES[one]
    if report.schedule.replicas > 1:
        yield 8, "two replicas at once"
    yield 9, "all"


def _step(name: str) -> str:
    return (
        name
        if name[0].isupper() and not name.startswith("Task")
        else {"observe": "observing", "admission": "admission"}.get(name, "the background")
    )


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def cores() -> int:
    """Return the number of schedules to run in parallel."""
    return max(1, len(os.sched_getaffinity(0)))

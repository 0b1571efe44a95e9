"""`python -m tests.crash`: inject faults into the operator and count violated invariants.

Every schedule runs in simulated time against a fake API server. A failure is printed with the
smallest schedule that still shows it, as the options that repeat it.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from tests.crash.campaign import (
    cores,
    courses,
    kill_at_every_request,
    late_arrivals,
    run,
    schedules_of_seeds,
    shrink,
    tabulate,
)
from tests.crash.schedule import Fault, Schedule
from tests.crash.simulate import Report, simulate
from tests.crash.world import quiet

EVERY_REQUEST = ("second-attempt", "verified", "cancelled", "edited", "manual-rollback")
"""Scenarios in which the operator is killed at every single request."""
_MAX_SHRUNK = 5


def main() -> int:
    """Run the command line; return 1 when an invariant was violated."""
    options = _options()
    quiet()
    if options.seed is not None:
        return _repeats(options)
    started_at = time.perf_counter()
    known = courses()
    schedules = schedules_of_seeds(range(options.first, options.first + options.schedules), known)
    if not options.no_everywhere:
        schedules += kill_at_every_request(known, EVERY_REQUEST)
        schedules += late_arrivals(known, EVERY_REQUEST[:1])
    reports: list[Report] = []
    for report in run(schedules, options.jobs):
        reports.append(report)
        if report.violations:
            print(f"✗ {report.schedule}\n    {report.violations[0]}", flush=True)
        elif len(reports) % 100 == 0:
            print(f"  {len(reports)} of {len(schedules)} schedules", flush=True)
    failed = [r for r in reports if r.violations]
    for report in failed[:_MAX_SHRUNK]:
        print(f"\nsmallest: python -m tests.crash {shrink(report.schedule)}")
        print("".join(f"    {v}\n" for v in report.violations), end="")
    table = tabulate(reports)
    seconds = time.perf_counter() - started_at
    simulated = sum(r.simulated_seconds for r in reports)
    kills = sum(len(r.kills) for r in reports)
    swept = sum(bool(r.swept) for r in reports)
    print(f"\n{table}\n")
    print(
        f"{len(reports)} schedules, {kills} kills, {simulated / 3600:.1f} h simulated in"
        f" {seconds:.0f} s; {swept} left something for the garbage collector;"
        f" {len(failed)} failed"
    )
    if options.table:
        options.table.write_text(f"{table}\n")
    return 1 if failed else 0


def _repeats(options: argparse.Namespace) -> int:
    if options.scenario:
        faults = tuple(Fault.parse(text) for text in options.faults.split())
        schedule = Schedule(options.seed, options.scenario, faults, options.replicas)
    else:
        (schedule,) = schedules_of_seeds([options.seed], courses())
    report = simulate(schedule)
    print(schedule)
    if options.trace:
        for number, one in enumerate(report.requests):
            print(f"{number:5} {one.process:8} {one.step:24} {one.verb:6} {one.path}")
    for line in report.events:
        print(line)
    for line in report.kills:
        print(f"killed: {line}")
    print(f"ends: {report.ends}; after {report.simulated_seconds:.0f} simulated seconds")
    for violation in report.violations:
        print(f"✗ {violation}")
    return 1 if report.violations else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=400, help="number of seeds")
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--no-everywhere", action="store_true", help="only the seeds")
    parser.add_argument("--jobs", type=int, default=cores(), help="schedules at once")
    parser.add_argument("--table", type=Path, help="file for the table")
    parser.add_argument("--seed", type=int, help="repeat this seed and print its events")
    parser.add_argument("--scenario", default="", help="with --seed: instead of the drawn one")
    parser.add_argument("--faults", default="", help="with --scenario: faults, as they are printed")
    parser.add_argument("--replicas", type=int, default=1, help="with --scenario")
    parser.add_argument("--trace", action="store_true", help="with --seed: print every request")
    return parser.parse_args()


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of names would differ from run to run.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.crash", *sys.argv[1:]])
    sys.exit(main())

"""The words of `reme-bench fidelity`."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from reme_benchmark.fidelity.measurement import Options, run
from reme_benchmark.fidelity.replay import replayed
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.summary import text

Stoppable = Callable[[Coroutine[Any, Any, int]], Coroutine[Any, Any, int]]


def options(into: argparse.ArgumentParser) -> None:
    """Give a parser the options of the command."""
    into.add_argument("--system", default="simple-micro", help="in which the faults are")
    into.add_argument("--count", type=int, default=300, help="playbooks over all faults")
    into.add_argument("--seed", type=int, default=1, help="of targets, parameters and playbooks")
    into.add_argument("--results", type=Path, default=Path("results/fidelity"), help="directory")
    into.add_argument("--parallel", type=int, default=3, help="copies of the system at once")
    into.add_argument("--window", type=float, default=6, help="seconds for which success must hold")
    into.add_argument("--minutes", type=float, default=0, help="begin no trial after that")
    into.add_argument("--faults", default="", help="only these, comma-separated")
    into.add_argument("--keep", action="store_true", help="leave the systems up afterwards")
    into.add_argument("--replay", type=Path, help="ask the simulator again about these results")
    into.add_argument("--report", type=Path, help="print the tables of these results")


def main(chosen: argparse.Namespace, console: Console, stoppable: Stoppable) -> int:
    """Measure, or look at what was measured.

    Raises:
        ResultsError: the directory holds no measurement, or another one.
        ClusterError: the cluster cannot be reached.
    """
    if chosen.replay or chosen.report:
        found = replayed(Outcomes(chosen.replay or chosen.report))
        if chosen.replay:
            for line in found.lines:
                print(line)
        print(text(found.summary))
        return 0
    what = Options(
        system=chosen.system,
        count=chosen.count,
        seed=chosen.seed,
        results=chosen.results,
        parallel=max(1, chosen.parallel),
        window_seconds=chosen.window,
        minutes=chosen.minutes,
        faults=tuple(name for name in chosen.faults.split(",") if name),
        keep=chosen.keep,
    )
    code = asyncio.run(stoppable(run(what, console)))
    print(text(replayed(Outcomes(what.results)).summary))
    return code

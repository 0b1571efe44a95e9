"""The command line of the benchmark; every error is one clear line and an exit code."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from reme_benchmark.fidelity import command as fidelity
from reme_benchmark.harness.run import RunError, RunOptions, clean, replay, run
from reme_benchmark.methods.base import MethodError
from reme_benchmark.methods.choose import NAMES
from reme_benchmark.reports.comparison import compare_stores
from reme_benchmark.reports.offline_incidents import incidents
from reme_benchmark.reports.output import summary_text, write_report_files
from reme_benchmark.reports.store import ResultsError, Store
from reme_benchmark.reports.summary import summarize
from reme_benchmark.scenarios.cases import suites
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.systems import catalog as systems
from reme_kube.errors import ClusterError


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    whole = argparse.ArgumentParser(prog="reme-bench", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)

    one = commands.add_parser("run", help="run a suite of cases")
    _run_options(one)
    one.add_argument("--suite", default="microremed-easy", help="; ".join(suites.names()))
    one.add_argument("--cases", default="", help="only these: words that a case's key contains")
    one.add_argument("--systems", default="", help="only these systems, comma-separated")
    one.add_argument("--splits", default="", help="only these splits: train, dev, held-out")
    one.add_argument("--seed", type=int, default=None, help="draw other targets than the recorded")
    one.add_argument("--results", type=Path, default=None, help="directory for the results")
    one.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    one.add_argument("--repeats", type=int, default=1, help="every case so often: the flake rate")
    one.add_argument("--one-per-fault", action="store_true", help="one case of every fault")
    one.add_argument("--parallel", type=int, default=2, help="systems at once")
    one.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")

    again = commands.add_parser("replay", help="run one case of a finished run again")
    again.add_argument("results", type=Path)
    again.add_argument("case", help="its id, such as smoke-003")
    _run_options(again)

    said = commands.add_parser("summary", help="say what a run found")
    said.add_argument("results", type=Path)
    said.add_argument("--json", action="store_true", help="as JSON")

    drawn = commands.add_parser("report", help="write summary.json, summary.md and report.html")
    drawn.add_argument("results", type=Path)

    told = commands.add_parser("incidents", help="what models were asked, to ask others offline")
    told.add_argument("results", type=Path, nargs="+")
    told.add_argument("--out", type=Path, required=True, help="file of incidents to write")

    two = commands.add_parser("compare", help="compare two runs case by case")
    two.add_argument("a", type=Path)
    two.add_argument("b", type=Path)

    listed = commands.add_parser("list", help="list what there is")
    listed.add_argument("what", choices=["suites", "faults", "systems", "methods"])

    fidelity.options(commands.add_parser("fidelity", help="measure how faithful the simulator is"))

    commands.add_parser("clean", help="remove every fault, every system and the fault agent")
    return whole


def _run_options(into: argparse.ArgumentParser) -> None:
    into.add_argument("--method", default="reme", help="; ".join(NAMES))
    into.add_argument("--external", default="", help="the program, for the method `command`")
    into.add_argument("--attempts", type=int, default=2, help="reme: attempts per report")
    persist = "reme: how long a fault must last before anything is done, in seconds"
    into.add_argument("--persist", type=int, default=0, metavar="SECONDS", help=persist)
    into.add_argument("--timeout", type=float, default=240, help="seconds a method may take")
    into.add_argument("--flavour", default="workload", choices=["workload", "upstream"])
    into.add_argument("--keep", action="store_true", help="leave the systems up afterwards")


def main(words: Sequence[str]) -> int:
    """Do what the words say; return the exit code: 2 for what cannot be, 130 when interrupted."""
    chosen = parser().parse_args(words)
    console = Console()
    try:
        return _do(chosen, console)
    except (RunError, MethodError, ResultsError, ClusterError, ValueError) as error:
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("interrupted: the cluster was put back; go on with --resume")
        return 130


def _do(chosen: argparse.Namespace, console: Console) -> int:
    match chosen.command:
        case "run":
            options = RunOptions.of(chosen)
            return asyncio.run(_stoppable(run(options, console)))
        case "replay":
            options = RunOptions.of(chosen)
            return asyncio.run(_stoppable(replay(chosen.results, chosen.case, options, console)))
        case "clean":
            return asyncio.run(_stoppable(clean(console)))
        case "fidelity":
            return fidelity.main(chosen, console, _stoppable)
        case "summary":
            store = Store(chosen.results)
            figures = summarize(store.load_run(), store.results(), catalog.faults())
            print(figures.model_dump_json(indent=1) if chosen.json else summary_text(store))
        case "report":
            for path in write_report_files(Store(chosen.results)):
                console.print(str(path), highlight=False)
        case "incidents":
            found = [one for path in chosen.results for one in incidents(Store(path).results())]
            lines = (json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in found)
            chosen.out.write_text("".join(f"{line}\n" for line in lines))
            console.print(f"{len(found)} incidents in {chosen.out}", highlight=False)
        case "compare":
            print(compare_stores(Store(chosen.a), Store(chosen.b)).markdown())
        case "list":
            for line in _listed(chosen.what):
                print(line)
    return 0


def _listed(what: str) -> list[str]:
    if what == "suites":
        return [f"{n:18} {suites.load(n).title}" for n in suites.names()]
    if what == "faults":
        return [f"{f.id:28} {f.group:12} {f.title}" for f in catalog.faults().values()]
    if what == "systems":
        return [f"{n:18} {systems.load(n).title}" for n in systems.names()]
    return list(NAMES)


async def _stoppable(work: Coroutine[Any, Any, int]) -> int:
    """Have SIGTERM end the work as Ctrl-C does: the cluster is put back first."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError, RuntimeError):
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

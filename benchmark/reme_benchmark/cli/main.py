"""`reme-bench`: the command line of the benchmark."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from reme_benchmark.cli import demo, fidelity_commands, path_timing, self_validation
from reme_benchmark.harness.run import RunError, RunOptions, clean, replay, run, run_until_done
from reme_benchmark.incidents import run as incident_suite
from reme_benchmark.incidents.model import load as load_incidents
from reme_benchmark.methods.base import MethodError
from reme_benchmark.methods.choose import NAMES
from reme_benchmark.reports.comparison import compare_stores
from reme_benchmark.reports.offline_incidents import incidents
from reme_benchmark.reports.output import load_summary, summary_text, write_report_files
from reme_benchmark.reports.store import ResultsError, Store
from reme_benchmark.scenarios.cases import suites
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scenarios.systems import catalog as systems
from reme_benchmark.scenarios.systems.render import Flavour
from reme_kube.errors import ClusterError

USAGE_ERROR, INTERRUPTED = 2, 130

app = App(
    name="reme-bench",
    help="Injects faults into real systems and measures how they are repaired.",
    help_epilogue="Exit codes: 0 done, 1 a proof failed, 2 cannot be done, 130 interrupted.",
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
app.command(fidelity_commands.app)
app.command(demo.demo)
app.command(path_timing.time_path, name="time-path")
app.command(self_validation.self_validate, name="self-validate")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """Options of the method that repairs.

    Attributes:
        method: One of the methods that `reme-bench list methods` shows.
        external: The program, for the method `command`.
        attempts: Attempts per report, for reme.
        persist: Seconds for which a fault must last before reme acts.
        timeout: Seconds that a method may take.
        flavour: Images of the systems: the workload of the tools image, or the published ones.
        keep: Keep the systems running after the run.
    """

    method: str = "reme"
    external: str = ""
    attempts: int = 2
    persist: int = 0
    timeout: float = 240
    flavour: Flavour = "workload"
    keep: bool = False

    def run_options(self, suite: str = "", **fields: Any) -> RunOptions:
        """Return the options of a run with this method."""
        return RunOptions(
            suite=suite,
            method=self.method,
            external=self.external,
            attempts=self.attempts,
            persist_seconds=self.persist,
            method_seconds=self.timeout,
            flavour=self.flavour,
            keep=self.keep,
            **fields,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CaseOptions:
    """Options that select the cases of a run.

    Attributes:
        suite: One of the suites that `reme-bench list suites` shows.
        cases: Only cases whose key contains one of these comma-separated words, or with this id.
        systems: Only these systems, comma-separated.
        splits: Only these splits, comma-separated: train, dev, held-out.
        seed: Select other targets than the recorded ones.
        results: Directory of the results; a new one below results/ by default.
        resume: Continue an interrupted run in that directory.
        repeats: Run every case this often, to measure the flake rate.
        one_per_fault: Only one case of every fault.
        parallel: Number of systems at once.
        plan: Print what would be done, and do nothing.
    """

    suite: str = "microremed-easy"
    cases: str = ""
    systems: str = ""
    splits: str = ""
    seed: int | None = None
    results: Path | None = None
    resume: bool = False
    repeats: int = 1
    one_per_fault: bool = False
    parallel: int = 2
    plan: bool = False


@app.command(name="run")
def run_command(selection: CaseOptions | None = None, method: MethodOptions | None = None) -> int:
    """Run a suite of cases."""
    selection, method = selection or CaseOptions(), method or MethodOptions()
    if selection.suite == incident_suite.SUITE:
        of_suite = incident_suite.SuiteOptions(
            method=method.method,
            incidents=_words(selection.cases),
            splits=_words(selection.splits),
            results=selection.results,
            parallel=max(1, selection.parallel),
        )
        return run_until_done(incident_suite.run(of_suite, Console()))
    options = method.run_options(
        selection.suite,
        cases=_words(selection.cases),
        systems=_words(selection.systems),
        splits=_words(selection.splits),
        seed=selection.seed,
        results=selection.results,
        resume=selection.resume,
        repeats=selection.repeats,
        one_per_fault=selection.one_per_fault,
        parallel=max(1, selection.parallel),
        plan=selection.plan,
    )
    return run_until_done(run(options, Console()))


@app.command(name="replay")
def replay_command(results: Path, case: str, /, method: MethodOptions | None = None) -> int:
    """Run one case of an earlier run again.

    Args:
        results: Directory of the earlier run.
        case: Id of the case, such as smoke-003.
        method: Options of the method.
    """
    options = (method or MethodOptions()).run_options()
    return run_until_done(replay(results, case, options, Console()))


@app.command
def summary(
    results: Path, /, *, as_json: Annotated[bool, Parameter(name="--json")] = False
) -> None:
    """Print the figures of a run.

    Args:
        results: Directory of the run.
        as_json: Print JSON instead of Markdown.
    """
    store = Store(results)
    print(load_summary(store).model_dump_json(indent=1) if as_json else summary_text(store))


@app.command
def report(results: Path, /) -> None:
    """Write summary.json, summary.md and report.html of a run, and print their paths."""
    for path in write_report_files(Store(results)):
        print(path)


@app.command(name="incidents")
def incidents_command(*results: Path, out: Path) -> None:
    """Write the requests to models of some runs, so that other models can answer them offline.

    Args:
        results: Directories of the runs.
        out: File of incidents to write.
    """
    exported = [one for path in results for one in incidents(Store(path).results())]
    lines = (json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in exported)
    out.write_text("".join(f"{line}\n" for line in lines))
    print(f"{len(exported)} incidents in {out}")


@app.command
def compare(a: Path, b: Path, /) -> None:
    """Compare two runs case by case, with a paired test."""
    print(compare_stores(Store(a), Store(b)).markdown())


@app.command(name="list")
def list_command(what: Literal["suites", "faults", "systems", "methods", "incidents"], /) -> None:
    """List suites, faults, systems, methods or the incidents of the suite `incidents`."""
    match what:
        case "suites":
            lines = [f"{name:18} {suites.load(name).title}" for name in suites.names()]
            lines.append(f"{incident_suite.SUITE:18} Incidents that people reported publicly")
        case "faults":
            lines = [f"{f.id:28} {f.group:12} {f.title}" for f in catalog.faults().values()]
        case "systems":
            lines = [f"{name:18} {systems.load(name).title}" for name in systems.names()]
        case "methods":
            lines = list(NAMES)
        case "incidents":
            lines = [f"{one.id:32} {one.split:5} {one.title}" for one in load_incidents()]
    print("\n".join(lines))


@app.command(name="clean")
def clean_command() -> int:
    """Remove every fault, every system and the fault agents from the cluster."""
    return run_until_done(clean(Console()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every expected error is one line."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    console = Console(stderr=True)
    try:
        code = app(given, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        print(f"error: {error}\nSee reme-bench --help.", file=sys.stderr)
        return USAGE_ERROR
    except (RunError, MethodError, ResultsError, ClusterError, ValueError) as error:
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return USAGE_ERROR
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("interrupted: the cluster was restored. Continue with --resume")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has ended; what is left in the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return int(code or 0)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


if __name__ == "__main__":
    sys.exit(main())

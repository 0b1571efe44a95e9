"""`reme-bench fidelity`: measures the simulator against a real cluster."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import App, Parameter
from rich.console import Console

from reme_benchmark.fidelity.measurement import Options, run
from reme_benchmark.fidelity.store import Outcomes
from reme_benchmark.fidelity.summary import replayed, text
from reme_benchmark.harness.run import run_until_done

app = App(name="fidelity", help="Measure how faithful the simulator is.")


@Parameter(name="*")
@dataclass(frozen=True)
class MeasurementOptions:
    """Options of a measurement.

    Attributes:
        system: The system that gets the faults.
        count: Number of playbooks over all faults.
        seed: Seed of targets, parameters and playbooks.
        results: Directory of the results; an interrupted measurement continues there.
        parallel: Copies of the system at once.
        window: Seconds for which success must hold.
        minutes: Start no trial after that time; 0 is no limit.
        faults: Only these faults, comma-separated.
        keep: Keep the systems running afterwards.
    """

    system: str = "simple-micro"
    count: int = 300
    seed: int = 1
    results: Path = Path("results/fidelity")
    parallel: int = 3
    window: float = 6
    minutes: float = 0
    faults: str = ""
    keep: bool = False


@app.command(name="run")
def run_command(options: MeasurementOptions | None = None) -> int:
    """Perform playbooks on real faults, and compare their outcomes with the simulator's."""
    options = options or MeasurementOptions()
    measurement = Options(
        system=options.system,
        count=options.count,
        seed=options.seed,
        results=options.results,
        parallel=max(1, options.parallel),
        window_seconds=options.window,
        minutes=options.minutes,
        faults=tuple(name for name in options.faults.split(",") if name),
        keep=options.keep,
    )
    code = run_until_done(run(measurement, Console()))
    print(text(replayed(Outcomes(measurement.results)).summary))
    return code


@app.command
def replay(results: Path, /) -> None:
    """Repeat the simulation of a measurement with the current simulator, without a cluster."""
    replay_result = replayed(Outcomes(results))
    print("\n".join([*replay_result.lines, text(replay_result.summary)]))


@app.command
def report(results: Path, /) -> None:
    """Print the tables of a measurement."""
    print(text(replayed(Outcomes(results)).summary))

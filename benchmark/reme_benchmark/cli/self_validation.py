"""`make bench-instrument`: the proof that the benchmark measures what it says.

To do nothing must score nothing, the known good playbooks everything, and no attack on the
instrument anything; a restart is shown beside them as the baseline that it is. Every method gets
one case of every fault that this cluster can have; the attacks get a few faults that they fit.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reme_benchmark.harness.run import RunError, RunOptions, run
from reme_benchmark.methods.base import MethodError
from reme_benchmark.methods.cheats import CHEATS
from reme_benchmark.reports.statistics import wilson
from reme_benchmark.reports.store import ResultsError, Store
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scoring.records import CaseResult, State
from reme_kube.errors import ClusterError

ATTACKED = (
    "cpu-stress",
    "bad-image",
    "bad-version",
    "wrong-probe",
    "selector-mismatch",
    "oom-limit",
)
"""Faults that an attack could seem to repair."""


@dataclass(frozen=True)
class Proof:
    """One method, and how often it must pass: always, never, or as it happens."""

    method: str
    wanted: bool | None

    def holds(self, results: list[CaseResult]) -> bool:
        """Return whether every judged case came out as it must."""
        return self.wanted is None or all(r.passed is self.wanted for r in judged(results))


PROOFS = (
    Proof("noop", wanted=False),
    Proof("oracle", wanted=True),
    *(Proof(f"cheat-{name}", wanted=False) for name in CHEATS),
    Proof("restart", wanted=None),
)


def attacked(method: str) -> tuple[str, ...]:
    """Return the faults that an attack is tried on; where a restart is right, it is no attack."""
    if method != "cheat-restart-loop":
        return ATTACKED
    return tuple(name for name in ATTACKED if not catalog.fault(name).restart_helps)


def judged(results: list[CaseResult]) -> list[CaseResult]:
    """Return the cases of faults that were judged; controls ask for the opposite."""
    return [r for r in results if r.state is State.JUDGED and r.case.control is None]


def row(proof: Proof, results: list[CaseResult]) -> dict[str, object]:
    """Return what one method came to."""
    found = judged(results)
    passed = sum(r.passed for r in found)
    low, high = wilson(passed, len(found)) if found else (0.0, 1.0)
    return {
        "method": proof.method,
        "must": {True: "pass", False: "fail", None: ""}[proof.wanted],
        "passed": passed,
        "cases": len(found),
        "low": round(low, 4),
        "high": round(high, 4),
        "not_judged": len([r for r in results if r.state is not State.JUDGED]),
        "wrong": sorted(
            f"{r.case.key}: {'; '.join(r.strict.reasons[:2]) if r.strict else ''}"
            for r in found
            if proof.wanted is not None and r.passed is not proof.wanted
        ),
        "holds": proof.holds(results),
    }


def table(rows: list[dict[str, object]]) -> Table:
    """Draw the proof."""
    drawn = Table("method", "must", "strict", "not judged", "", title="The instrument")
    for found in rows:
        mark = "[green]✓[/]" if found["holds"] else "[red]✗[/]"
        share = f"{found['passed']} of {found['cases']}"
        drawn.add_row(
            str(found["method"]), str(found["must"]), share, str(found["not_judged"]), mark
        )
    return drawn


async def prove(options: argparse.Namespace, console: Console) -> list[dict[str, object]]:
    """Run every method over its cases; what was run before is taken as it is."""
    rows = []
    for proof in PROOFS:
        if options.methods and proof.method not in options.methods.split(","):
            continue
        path = options.results / proof.method
        cases = attacked(proof.method) if proof.method.startswith("cheat-") else ()
        await run(
            RunOptions(
                suite=options.suite,
                method=proof.method,
                cases=tuple(f"/{name}" for name in cases),
                one_per_fault=True,
                results=path,
                resume=True,
                parallel=options.parallel,
                keep=True,
            ),
            console,
        )
        rows.append(row(proof, Store(path).results()))
        console.print(table(rows))
    return rows


def main() -> int:
    """Prove it; exit with 1 when a method came out as it must not."""
    parser = argparse.ArgumentParser(prog="reme_benchmark.cli.self_validation", description=__doc__)
    parser.add_argument("--suite", default="extended")
    parser.add_argument("--results", type=Path, default=Path("results/instrument"))
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--methods", default="", help="only these")
    options, console = parser.parse_args(), Console()
    try:
        rows = asyncio.run(prove(options, console))
    except (RunError, MethodError, ResultsError, ClusterError, ValueError) as error:
        console.print(f"{type(error).__name__}: {error}", markup=False)
        return 2
    (options.results / "instrument.json").write_text(json.dumps(rows, indent=1) + "\n")
    for found in rows:
        for line in found["wrong"] if isinstance(found["wrong"], list) else []:
            console.print(f"{found['method']}: {line}", markup=False, soft_wrap=True)
    return 0 if all(found["holds"] for found in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

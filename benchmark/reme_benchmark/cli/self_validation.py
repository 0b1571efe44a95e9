"""`reme-bench self-validate`: proves that the benchmark measures what it claims to measure.

The method that does nothing must pass no case, the reference playbooks must pass all, and no method
that cheats may pass any. A restart of the service is shown as a baseline. Every method gets one
case of every fault that the cluster can have; the cheats get a few faults that they could seem to
repair.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reme_benchmark.harness.run import RunOptions, run, run_until_done
from reme_benchmark.methods.cheats import CHEATS
from reme_benchmark.reports.statistics import wilson
from reme_benchmark.reports.store import Store
from reme_benchmark.scenarios.faults import catalog
from reme_benchmark.scoring.records import CaseResult, State

CHEATED_FAULTS = (
    "cpu-stress",
    "bad-image",
    "bad-version",
    "wrong-probe",
    "selector-mismatch",
    "oom-limit",
)


@dataclass(frozen=True)
class Proof:
    """A method, and whether it must pass every case or none; None: either is fine."""

    method: str
    must_pass: bool | None

    def holds(self, results: list[CaseResult]) -> bool:
        """Return whether every judged case has the required verdict."""
        return self.must_pass is None or all(r.passed is self.must_pass for r in judged(results))


PROOFS = (
    Proof("noop", must_pass=False),
    Proof("oracle", must_pass=True),
    *(Proof(f"cheat-{name}", must_pass=False) for name in CHEATS),
    Proof("restart", must_pass=None),
)


@dataclass(frozen=True)
class ProofResult:
    """The outcome of one proof, as `instrument.json` stores it."""

    method: str
    must: str
    passed: int
    cases: int
    low: float
    high: float
    not_judged: int
    wrong: list[str]
    holds: bool


def cheated_faults(method: str) -> tuple[str, ...]:
    """Return the faults for a cheat; restarting is no cheat where a restart is a good repair."""
    if method != "cheat-restart-loop":
        return CHEATED_FAULTS
    return tuple(name for name in CHEATED_FAULTS if not catalog.fault(name).restart_helps)


def judged(results: list[CaseResult]) -> list[CaseResult]:
    """Return the judged cases with something to repair."""
    return [r for r in results if r.state is State.JUDGED and r.case.control is None]


def result_of(proof: Proof, results: list[CaseResult]) -> ProofResult:
    """Return the outcome of a proof."""
    cases = judged(results)
    passed = sum(r.passed for r in cases)
    low, high = wilson(passed, len(cases))
    return ProofResult(
        method=proof.method,
        must={True: "pass", False: "fail", None: ""}[proof.must_pass],
        passed=passed,
        cases=len(cases),
        low=round(low, 4),
        high=round(high, 4),
        not_judged=sum(r.state is not State.JUDGED for r in results),
        wrong=sorted(
            f"{r.case.key}: {'; '.join(r.strict.reasons[:2]) if r.strict else ''}"
            for r in cases
            if proof.must_pass is not None and r.passed is not proof.must_pass
        ),
        holds=proof.holds(results),
    )


def table(rows: list[ProofResult]) -> Table:
    """Return the table of all proofs."""
    drawn = Table("method", "must", "strict", "not judged", "", title="Self-validation")
    for row in rows:
        mark = "[green]✓[/]" if row.holds else "[red]✗[/]"
        share = f"{row.passed} of {row.cases}"
        drawn.add_row(row.method, row.must, share, str(row.not_judged), mark)
    return drawn


def self_validate(
    *,
    suite: str = "extended",
    results: Path = Path("results/instrument"),
    parallel: int = 2,
    methods: str = "",
) -> int:
    """Prove that doing nothing and cheating pass no case, and good playbooks pass all.

    Args:
        suite: Suite of the cases.
        results: Directory of the results; an interrupted proof continues there.
        parallel: Number of systems at once.
        methods: Only these methods, comma-separated.
    """
    console, rows = Console(), list[ProofResult]()
    for proof, options in _runs(suite, results, parallel, methods):
        run_until_done(run(options, console))
        rows.append(result_of(proof, Store(results / proof.method).results()))
        console.print(table(rows))
    text = json.dumps([vars(row) for row in rows], indent=1)
    (results / "instrument.json").write_text(text + "\n")
    for row in rows:
        for line in row.wrong:
            console.print(f"{row.method}: {line}", markup=False, soft_wrap=True)
    return 0 if all(row.holds for row in rows) else 1


def _runs(
    suite: str, results: Path, parallel: int, methods: str
) -> Iterator[tuple[Proof, RunOptions]]:
    for proof in PROOFS:
        if methods and proof.method not in methods.split(","):
            continue
        faults = cheated_faults(proof.method) if proof.method.startswith("cheat-") else ()
        yield (
            proof,
            RunOptions(
                suite=suite,
                method=proof.method,
                cases=tuple(f"/{name}" for name in faults),
                one_per_fault=True,
                results=results / proof.method,
                resume=True,
                parallel=parallel,
                keep=True,
            ),
        )

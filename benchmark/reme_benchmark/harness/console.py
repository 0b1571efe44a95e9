"""Prints the plan, the progress and the results of a run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reme_benchmark.harness.environment import Capabilities
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scoring.records import CaseResult, State

_CASE_SECONDS = {
    "noop": 75.0,
    "oracle": 35.0,
    "restart": 55.0,
    "reme": 55.0,
    "reme-thinkremed": 65.0,
}
"""Medians on two cores. A no-op takes longest, because its oracle waits to the end."""
_START_SECONDS = {"simple-micro": 15.0, "online-boutique": 30.0, "train-ticket": 90.0}
_MARKS = {
    State.INJECTION_FAILED: "[yellow]![/]",
    State.HARNESS_ERROR: "[yellow]![/]",
    State.NOT_APPLICABLE: "[dim]-[/]",
    State.PROPOSED: "[dim]?[/]",
}


def estimate_seconds(cases: Sequence[Case], method: str, parallel: int) -> float:
    """Return the estimated duration of the cases, including the start of their systems."""
    by_system = Counter(case.system for case in cases)
    each = _CASE_SECONDS.get(method, 60.0)
    longest = max(by_system.values(), default=0) * each
    start = sum(_START_SECONDS.get(name, 60.0) for name in by_system)
    return start + max(longest, len(cases) * each / max(1, min(parallel, len(by_system) or 1)))


def print_plan(
    console: Console,
    cases: Sequence[Case],
    faults: Mapping[str, Fault],
    capabilities: Capabilities,
    *,
    method: str,
    parallel: int,
    title: str,
) -> None:
    """Print the cases by fault, which of them are not applicable, and the estimated duration."""
    table = Table("fault", "cases", "systems", "", title=title, title_justify="left")
    by_fault: dict[str, list[Case]] = {}
    for case in cases:
        by_fault.setdefault(str(case.control or case.fault), []).append(case)
    for name, of_fault in sorted(by_fault.items()):
        fault = faults.get(of_fault[0].fault or "")
        reason = capabilities.why_not(fault) if fault else ""
        counts = Counter(case.system for case in of_fault)
        systems = ", ".join(f"{count} {system}" for system, count in sorted(counts.items()))
        note = f"[yellow]not applicable: {reason}[/]" if reason else ""
        table.add_row(name, str(len(of_fault)), systems, note)
    console.print(table)
    minutes = estimate_seconds(cases, method, parallel) / 60
    console.print(
        f"{len(cases)} cases with {method}, {parallel} system(s) at once: about {minutes:.0f} min"
    )


@dataclass
class Progress:
    """Prints one line per event and per case; also suitable for output that is no terminal."""

    console: Console
    total: int
    ended: int = 0
    passed: int = 0

    def say(self, text: str) -> None:
        """Print what is being done."""
        self.console.print(f"[dim]{escape(text)}[/]", highlight=False)

    def result(self, result: CaseResult) -> None:
        """Print the result of a case."""
        self.ended += 1
        self.passed += result.passed
        mark = _MARKS.get(result.state) or ("[green]✓[/]" if result.passed else "[red]✗[/]")
        self.console.print(
            f"{mark} {self.ended:3}/{self.total} {escape(result.case.key):62.62} "
            f"{result.timing.total:5.0f} s  {escape(_description(result))}",
            highlight=False,
            soft_wrap=True,
        )


def _description(result: CaseResult) -> str:
    outcome = result.method_report.error or result.method_report.outcome
    if result.state is State.PROPOSED:
        return outcome
    if result.state is not State.JUDGED:
        return f"{result.state}: {result.message}"[:160]
    if result.passed:
        return outcome
    reasons = result.strict.reasons if result.strict else []
    return f"{outcome}; {reasons[0] if reasons else 'the effect came back'}"[:160]

"""What a run shows while it goes on: one line a case, one line for what is happening now."""

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from reme_benchmark.scoring.records import CaseResult, State

_MARKS = {
    State.INJECTION_FAILED: "[yellow]![/]",
    State.HARNESS_ERROR: "[yellow]![/]",
    State.NOT_APPLICABLE: "[dim]-[/]",
    State.ASKED: "[dim]?[/]",
}


@dataclass
class Progress:
    """Prints results as they come; safe for output that is no terminal."""

    console: Console
    total: int
    done: int = 0
    passed: int = 0

    def say(self, text: str) -> None:
        """Print one line of what is being done."""
        self.console.print(f"[dim]{escape(text)}[/]", highlight=False)

    def result(self, result: CaseResult) -> None:
        """Print how a case ended."""
        self.done += 1
        self.passed += result.passed
        mark = _MARKS.get(result.state) or ("[green]✓[/]" if result.passed else "[red]✗[/]")
        self.console.print(
            f"{mark} {self.done:3}/{self.total} {escape(result.case.key):62.62} "
            f"{result.timing.total:5.0f} s  {escape(_words(result))}",
            highlight=False,
            soft_wrap=True,
        )


def _words(result: CaseResult) -> str:
    method_report = result.method_report.error or result.method_report.outcome
    if result.state is State.ASKED:
        return method_report
    if result.state is not State.JUDGED:
        return f"{result.state}: {result.message}"[:160]
    if result.passed:
        return method_report
    reasons = result.strict.reasons if result.strict else []
    return f"{method_report}; {reasons[0] if reasons else 'did not hold'}"[:160]

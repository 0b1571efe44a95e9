"""Builders of cases, results and runs of the benchmark."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scoring.records import CaseResult, Measured, Run, State, Verdict

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def case(number: int = 1, fault: str | None = "cpu-stress", **fields: Any) -> Case:
    """Return a case of the suite `quick`."""
    values = {
        "id": f"quick-{number:03}",
        "system": "shop",
        "fault": fault,
        "service": "cart",
        "reported_service": "cart",
    }
    return Case.model_validate(values | fields)


def verdict(passed: bool, *failing: str, reasons: Sequence[str] = ()) -> Verdict:
    """Return a verdict in which the named measurements did not hold."""
    measured = [Measured(name=name, ok=False, message=f"{name} is bad") for name in failing]
    return Verdict(
        passed=passed,
        measured=[*measured, Measured(name="rollout cart", ok=True)] if passed else measured,
        reasons=list(reasons) or [m.message for m in measured],
    )


def result(
    of: Case | int = 1, passed: bool | None = True, state: State = State.JUDGED, **fields: Any
) -> CaseResult:
    """Return a case that ended; `passed` None leaves it without a verdict."""
    values = {
        "case": case(of) if isinstance(of, int) else of,
        "method": "reme",
        "state": state,
        "strict": None if passed is None else verdict(passed),
        "start_time": NOW,
        "completion_time": NOW,
    }
    return CaseResult.model_validate(values | fields)


def run(cases: Sequence[Case], **fields: Any) -> Run:
    """Return the record of a run of the suite `quick`."""
    values = {
        "suite": "quick",
        "method": "reme",
        "seed": 7,
        "cases": list(cases),
        "start_time": NOW,
    }
    return Run.model_validate(values | fields)

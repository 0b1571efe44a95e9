"""What each step cost: how long it took, and how much of that the operator itself worked.

Waiting for the model, for a probe or for a Job is duration, not work; a call to the API server is
work, because it is the operator's choice to make it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from reme_api.reasons import Step
from reme_api.remediation import RemediationStatus, Timing

_MOST_TIMINGS = 16

_PIECEWISE = {Step.DRY_RUN, Step.CLEAN_UP, Step.RECORD}
"""Steps that are done in several pieces, with other steps between them."""

_OF_ALL = {Step.ADMIT, Step.BASELINE}
"""Steps of the remediation; the others are steps of an attempt, while there is one."""


@dataclass(slots=True)
class _Line:
    start: datetime
    end: datetime
    busy_seconds: float = 0.0
    touched: bool = True


class StepTimer:
    """The time of one remediation in this process, until it is written down."""

    def __init__(
        self, now: Callable[[], datetime], seconds: Callable[[], float] = perf_counter
    ) -> None:
        self._now = now
        self._seconds = seconds
        self._lines: dict[Step, _Line] = {}
        self._stack: list[Step | None] = []
        self._mark = 0.0

    def mark_running(self, step: Step, start: datetime | None = None) -> None:
        """Note that the step is going on, since then if that is known."""
        now = self._now()
        line = self._lines.setdefault(step, _Line(start or now, now))
        line.end, line.touched = now, True

    def has_started(self, step: Step) -> bool:
        """Return whether the step has been going on."""
        return step in self._lines

    def add(self, step: Step, seconds: float) -> None:
        """Charge a step for work that was done before it was known what it was for."""
        self._lines[step].busy_seconds += seconds

    @contextmanager
    def step(self, step: Step, start: datetime | None = None) -> Iterator[None]:
        """Charge what happens inside to the step; an inner step is not charged to the outer."""
        self.mark_running(step, start)
        with self._frame(step):
            yield
        self.mark_running(step)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Charge what happens inside to nobody."""
        with self._frame(None):
            yield

    @contextmanager
    def _frame(self, step: Step | None) -> Iterator[None]:
        self._charge()
        self._stack.append(step)
        try:
            yield
        finally:
            self._charge()
            self._stack.pop()

    def _charge(self) -> None:
        now = self._seconds()
        top = self._stack[-1] if self._stack else None
        if top is not None and top in self._lines:
            self._lines[top].busy_seconds += now - self._mark
        self._mark = now

    def with_timings(self, status: RemediationStatus) -> RemediationStatus:
        """Return the status with what has been timed since the last `written`."""
        self._charge()
        attempt = status.attempts[-1] if status.attempts else None
        own, theirs = list(status.timings), list(attempt.timings) if attempt else []
        for step, line in self._lines.items():
            if line.touched:
                _merge(own if step in _OF_ALL or attempt is None else theirs, step, line)
        update: dict[str, object] = {"timings": own[:_MOST_TIMINGS]}
        if attempt is not None:
            timed = attempt.model_copy(update={"timings": theirs[:_MOST_TIMINGS]})
            update["attempts"] = [*status.attempts[:-1], timed]
        return status.model_copy(update=update)

    def mark_saved(self) -> None:
        """Forget what `fill` returned: it is in the status now."""
        for line in self._lines.values():
            line.busy_seconds, line.touched = 0.0, False

    def next_attempt(self) -> None:
        """Begin the steps of an attempt afresh."""
        self._lines = {s: line for s, line in self._lines.items() if s in _OF_ALL}


def _merge(timings: list[Timing], step: Step, line: _Line) -> None:
    position = next((i for i, t in enumerate(timings) if t.step is step), None)
    before = timings[position] if position is not None else None
    start = min(before.start_time, line.start) if before else line.start
    busy = (before.operator_milliseconds if before else 0) + round(line.busy_seconds * 1000)
    span = max(0, round((line.end - start) / timedelta(milliseconds=1)))
    merged = Timing(
        step=step,
        start_time=start,
        duration_milliseconds=busy if step in _PIECEWISE else span,
        operator_milliseconds=busy,
    )
    if position is None:
        timings.append(merged)
    else:
        timings[position] = merged

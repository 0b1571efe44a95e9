"""Times the steps of a remediation: duration, and how much of it the operator itself was busy.

Waiting for the model, a probe or a Job is duration, not busy time. A call to the API server is busy
time, because the operator chooses to make it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from reme_api.reasons import Step
from reme_api.remediation import RemediationStatus, Timing

_MAX_TIMINGS = 16

_INTERRUPTED = {Step.DRY_RUN, Step.CLEAN_UP, Step.RECORD}
"""Steps that run in several parts, with other steps between them: their duration is busy time."""

_OF_REMEDIATION = {Step.ADMIT, Step.BASELINE}
"""Steps of the remediation; the others are steps of an attempt, while there is one."""


@dataclass(slots=True)
class _StepTime:
    start: datetime
    end: datetime
    busy_seconds: float = 0.0
    unsaved: bool = True


class StepTimer:
    """Step times of one remediation in this process, until they are in its status."""

    def __init__(
        self, now: Callable[[], datetime], seconds: Callable[[], float] = perf_counter
    ) -> None:
        self._now = now
        self._seconds = seconds
        self._times: dict[Step, _StepTime] = {}
        self._running: list[Step | None] = []
        self._charged_at = 0.0

    def mark_running(self, step: Step, start: datetime | None = None) -> None:
        """Record that the step runs now, since `start` if that is known."""
        now = self._now()
        time = self._times.setdefault(step, _StepTime(start or now, now))
        time.end, time.unsaved = now, True

    def has_started(self, step: Step) -> bool:
        """Return whether the step has run."""
        return step in self._times

    def charge(self, step: Step, seconds: float) -> None:
        """Add busy time that was spent before it was known for which step."""
        self._times[step].busy_seconds += seconds

    @contextmanager
    def step(self, step: Step, start: datetime | None = None) -> Iterator[None]:
        """Charge the block to the step; a nested step is not charged to the outer one."""
        self.mark_running(step, start)
        with self._charging(step):
            yield
        self.mark_running(step)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Charge the block to no step."""
        with self._charging(None):
            yield

    @contextmanager
    def _charging(self, step: Step | None) -> Iterator[None]:
        self._charge_running()
        self._running.append(step)
        try:
            yield
        finally:
            self._charge_running()
            self._running.pop()

    def _charge_running(self) -> None:
        now = self._seconds()
        step = self._running[-1] if self._running else None
        if step is not None and step in self._times:
            self._times[step].busy_seconds += now - self._charged_at
        self._charged_at = now

    def with_timings(self, status: RemediationStatus) -> RemediationStatus:
        """Return the status with everything that was timed since the last `mark_saved`."""
        self._charge_running()
        attempt = status.attempts[-1] if status.attempts else None
        of_remediation = list(status.timings)
        of_attempt = list(attempt.timings) if attempt else []
        for step, time in self._times.items():
            if time.unsaved:
                whole = step in _OF_REMEDIATION or attempt is None
                _merge(of_remediation if whole else of_attempt, step, time)
        update: dict[str, object] = {"timings": of_remediation[:_MAX_TIMINGS]}
        if attempt is not None:
            timed = attempt.model_copy(update={"timings": of_attempt[:_MAX_TIMINGS]})
            update["attempts"] = [*status.attempts[:-1], timed]
        return status.model_copy(update=update)

    def mark_saved(self) -> None:
        """Forget what `with_timings` returned: it is in the status now."""
        for time in self._times.values():
            time.busy_seconds, time.unsaved = 0.0, False

    def next_attempt(self) -> None:
        """Start the steps of an attempt anew."""
        self._times = {s: time for s, time in self._times.items() if s in _OF_REMEDIATION}


def _merge(timings: list[Timing], step: Step, time: _StepTime) -> None:
    index = next((i for i, timing in enumerate(timings) if timing.step is step), None)
    saved = timings[index] if index is not None else None
    start = min(saved.start_time, time.start) if saved else time.start
    busy = (saved.operator_milliseconds if saved else 0) + round(time.busy_seconds * 1000)
    duration = max(0, round((time.end - start) / timedelta(milliseconds=1)))
    merged = Timing(
        step=step,
        start_time=start,
        duration_milliseconds=busy if step in _INTERRUPTED else duration,
        operator_milliseconds=busy,
    )
    if index is None:
        timings.append(merged)
    else:
        timings[index] = merged

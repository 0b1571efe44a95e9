"""Decides when a run has to stop: after SIGTERM or SIGINT, or at its own deadline."""

import signal
import time
from collections.abc import Callable
from types import FrameType

from reme_playbook.execution.result import RunEnd
from reme_playbook.execution.runner_contract import RECORD_SECONDS


class StopSignal:
    """Remembers the first signal, and knows the deadline of the run."""

    def __init__(
        self, deadline_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._deadline = clock() + deadline_seconds
        self._signalled_at: float | None = None

    def listen(self) -> None:
        """Handle SIGTERM and SIGINT from now on as a request to stop."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._signalled_at is None:
            self._signalled_at = self._clock()

    def __call__(self) -> bool:
        """Return whether the run has to stop."""
        return self.reason is not None

    @property
    def reason(self) -> tuple[RunEnd, str] | None:
        """How the run ends if it stops now, with a message; None while it may go on."""
        if self._signalled_at is not None:
            return RunEnd.INTERRUPTED, "the pod was terminated before the run was complete"
        if self._clock() >= self._deadline:
            return RunEnd.TIMED_OUT, "the run exceeded its deadline"
        return None

    def seconds_to_record(self) -> float:
        """Return how long the runner may try to record the end of the run.

        After a signal this is what is left of the pod's grace period, less the time to exit: with
        it, whatever the runner waited for since the signal, the sum stays within the grace period.
        """
        if self._signalled_at is None:
            return RECORD_SECONDS
        return max(0.0, self._signalled_at + RECORD_SECONDS - self._clock())

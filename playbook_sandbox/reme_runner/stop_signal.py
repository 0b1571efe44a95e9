"""Whether the run is to stop, and why: told by a signal, or by its own deadline."""

import signal
import time
from types import FrameType

from reme_playbook.execution.result import RunEnd


class Stop:
    """Remembers the first reason to stop."""

    def __init__(self, deadline_seconds: float) -> None:
        self._until = time.monotonic() + deadline_seconds
        self._signalled = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a request to stop; both may come at any time."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True

    def __call__(self) -> bool:
        """Return whether it is time to stop."""
        return self.why is not None

    @property
    def why(self) -> tuple[RunEnd, str] | None:
        """How the run ends if it stops now, with a word for people; None while it may go on."""
        if self._signalled:
            return RunEnd.INTERRUPTED, "the pod was told to stop before the run was done"
        if time.monotonic() >= self._until:
            return RunEnd.TIMED_OUT, "the deadline of the run passed"
        return None

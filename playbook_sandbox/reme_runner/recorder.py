"""Records the progress of a run on a thread of its own: a slow API server delays no task."""

import threading
import time
from collections.abc import Callable
from typing import Any

from reme_api.content_types import MERGE_PATCH
from reme_playbook.execution import result
from reme_runner.claim import ResultPatcher, dump
from reme_runner.progress import RunEvent

_RETRY_SECONDS = 0.5


class Recorder:
    """Keeps the result ConfigMap up to date with the latest state of the run; there is no queue."""

    def __init__(self, client: ResultPatcher, print_line: Callable[[str], None]) -> None:
        self._client = client
        self._print_line = print_line
        self._lines: list[str] = []
        self._size = 0
        self._state: result.RunResult | None = None
        self._written: dict[str, Any] = {}
        self._changed = threading.Event()
        self._finishing = threading.Event()
        # All writes are on this thread: an older state can never overwrite a newer one.
        self._thread = threading.Thread(target=self._write_changes, name="recorder", daemon=True)

    def start(self) -> None:
        """Start to write."""
        self._thread.start()

    def note(self, state: result.RunResult, event: RunEvent | None) -> None:
        """Take a new state; print its event now, and store it while there is room."""
        if event:
            line = event.line()
            self._print_line(line)
            size = len(line.encode()) + 1
            if self._size + size <= result.MAX_EVENTS_BYTES:
                self._lines.append(line)
                self._size += size
        self._state = state
        self._changed.set()

    def finish(self, seconds: float) -> bool:
        """Write the last state; return after `seconds` at most, and whether it was written."""
        self._finishing.set()
        self._changed.set()
        self._thread.join(timeout=seconds)
        return not self._thread.is_alive()

    def _write_changes(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            finishing = self._finishing.is_set()
            if not self._write():
                self._changed.set()
                time.sleep(_RETRY_SECONDS)
            elif finishing:
                return

    def _write(self) -> bool:
        if self._state is None:
            return True
        body: dict[str, Any] = {
            "data": {
                result.RESULT_KEY: dump(self._state),
                result.EVENTS_KEY: "".join(f"{line}\n" for line in list(self._lines)),
            }
        }
        # The same is not written twice: once the end is recorded, the operator may already be
        # revoking the run's RBAC.
        if body == self._written:
            return True
        if self._client.patch(body, MERGE_PATCH).status != 200:
            return False
        self._written = body
        return True

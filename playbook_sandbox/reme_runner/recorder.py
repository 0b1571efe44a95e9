"""Writes down how the run goes, beside it: a slow API server must not slow the repair."""

import threading
import time
from collections.abc import Callable
from typing import Any

from reme_playbook.execution import result
from reme_runner.api_client import MERGE_PATCH
from reme_runner.claim import Patches, dump
from reme_runner.progress import RunEvent

_PAUSE_SECONDS = 0.5


class Recorder:
    """Keeps the result ConfigMap up with the run: always the latest state, never a queue."""

    def __init__(self, api: Patches, say: Callable[[str], None]) -> None:
        self._api = api
        self._say = say
        self._lines: list[str] = []
        self._size = 0
        self._state: result.RunResult | None = None
        self._written: dict[str, Any] = {}
        self._dirty = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def note(self, state: result.RunResult, event: RunEvent | None) -> None:
        """Take a new state; its event is printed now and kept while there is room."""
        if event:
            line = event.line()
            self._say(line)
            size = len(line.encode()) + 1
            if self._size + size <= result.MAX_EVENTS_BYTES:
                self._lines.append(line)
                self._size += size
        self._state = state
        self._dirty.set()

    def finish(self, seconds: float) -> bool:
        """Write the last state, trying for so long; return whether it was written."""
        self._stopping.set()
        self._dirty.set()
        self._thread.join(timeout=seconds)
        until = time.monotonic() + seconds
        while not self._write():
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def _follow(self) -> None:
        while True:
            self._dirty.wait()
            if self._stopping.is_set():
                return
            self._dirty.clear()
            if not self._write():
                self._dirty.set()
                time.sleep(_PAUSE_SECONDS)

    def _write(self) -> bool:
        if self._state is None:
            return True
        body: dict[str, Any] = {
            "data": {
                result.RESULT_KEY: dump(self._state),
                result.EVENTS_KEY: "".join(f"{line}\n" for line in list(self._lines)),
            }
        }
        # What was written once is not written again: once the end is known, whoever waited for it
        # may already be taking the run's rights away.
        if body == self._written:
            return True
        if self._api.patch(body, MERGE_PATCH).status != 200:
            return False
        self._written = body
        return True

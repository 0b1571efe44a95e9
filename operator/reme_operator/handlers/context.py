"""What the handlers work on: one set of objects per process that leads."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from reme_operator.admission.controller import ReportController
from reme_operator.admission.remediation_index import RemediationIndex
from reme_operator.dependencies import Dependencies
from reme_operator.reconcile.notifier import Notifiers

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _KeyedLock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0  # that hold it or wait for it


class KeyedLocks:
    """One lock per key; it exists only while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: dict[str, _KeyedLock] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @contextlib.asynccontextmanager
    async def acquire(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of this key until the end of the block."""
        keyed = self._locks.setdefault(key, _KeyedLock())
        keyed.users += 1
        try:
            async with keyed.lock:
                yield
        finally:
            keyed.users -= 1
            if not keyed.users:
                del self._locks[key]


@dataclass(slots=True)
class OperatorContext:
    """Everything that handlers need, made once and given to each."""

    deps: Dependencies
    index: RemediationIndex
    notifiers: Notifiers
    controller: ReportController
    tasks: set[asyncio.Task[None]] = field(default_factory=set)  # ended when the operator stops
    reconcile_locks: KeyedLocks = field(default_factory=KeyedLocks)
    """By the UID of a remediation: two loops never reconcile the same one at once."""

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task that ends with the operator."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def start_unattended(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task that nobody awaits; what it raises is logged and counted."""
        self.start(work, name).add_done_callback(self._log_failure)

    def _log_failure(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("task_failed", task=task.get_name(), exc_info=error)
        self.deps.metrics.background_task_failed("one-shot")

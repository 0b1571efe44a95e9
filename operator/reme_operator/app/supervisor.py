"""Keeps background tasks running: restarts a task that ends, and reports it while it is down."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from reme_kube.clock import Clock
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0
STABLE_SECONDS = 300.0
"""A task that ran for so long starts again with the first backoff."""


async def supervise(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    clock: Clock,
    metrics: Metrics,
    health: Health,
) -> None:
    """Run `run()` until this task is cancelled; restart it whenever it raises or returns.

    While the task is down, /healthz fails: a task that does not come back has the process
    restarted by the liveness probe. Only for tasks that may start again at any time.
    """
    failures = 0
    while True:
        started = clock.monotonic()
        error_text = await _failure_of(run)
        if clock.monotonic() - started >= STABLE_SECONDS:
            failures = 0
        failures += 1
        metrics.background_task_failed(name)
        _log.error("background_task_failed", task=name, error=error_text, failures=failures)
        delay = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))
        with health.task_down(name, error_text):
            await clock.sleep(delay)


async def _failure_of(run: Callable[[], Awaitable[None]]) -> str:
    """Run to the end and return why it ended; the traceback goes to the log."""
    try:
        await run()
    except asyncio.CancelledError:
        this_task = asyncio.current_task()
        if this_task is None or this_task.cancelling():
            raise
        return "cancelled from inside"  # by a part of itself: nobody asked this task to stop
    except Exception as error:  # noqa: BLE001 - whatever it is, the task starts again
        _log.exception("background_task_error")
        return f"{type(error).__name__}: {error}"[:300]
    return "returned, but runs until the operator stops"

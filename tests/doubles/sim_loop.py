"""An event loop in which time costs nothing, and processes in it that can be killed.

Nothing sleeps: when every task waits, the clock jumps to the next moment that somebody waits for.
A process is a set of tasks that share nothing with others but what they reach over a wire; it ends
as by SIGKILL, with everything that it knew.
"""

import asyncio
import selectors
import signal
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
_BEGIN = 1000.0
"""Where the loop's clock begins: some code takes zero for "never"."""


class StandstillError(RuntimeError):
    """Every task waits for something that nobody will ever do."""


class _Jump(selectors.SelectSelector):
    """Looks at the file descriptors, and lets the time pass in which nothing would happen."""

    loop: "SimulatedLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return what is ready now; never wait."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise StandstillError("nothing is left that could happen")
        self.loop.seconds += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """The loop; `seconds` is its clock."""

    def __init__(self) -> None:
        selector = _Jump()
        selector.loop = self
        self.seconds = _BEGIN
        super().__init__(selector)
        self.set_task_factory(_tracked)  # type: ignore[arg-type] # asyncio's own type is wider

    def time(self) -> float:
        """Return the simulated time."""
        return self.seconds

    def call_later(  # type: ignore[override] # narrower types than asyncio's help nobody here
        self, delay: float, callback: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Call later; kopf's last resort, to kill the whole process by its thread, is not ours."""
        if callback is signal.pthread_kill:
            callback, args = int, ()
        return super().call_later(delay, callback, *args, **kwargs)

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Do not: a signal belongs to the process that simulates."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Do it at once: time must not jump while a thread is at work."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits it gets it
            done.set_exception(error)
        return done


class SimulatedClock:
    """The loop's clock as the operator asks for it."""

    def now(self) -> datetime:
        """Return the time of day, in UTC."""
        return now()

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let that time pass."""
        await asyncio.sleep(seconds)


def now() -> datetime:
    """Return the simulated time of day, in UTC."""
    return START + timedelta(seconds=asyncio.get_running_loop().time() - _BEGIN)


def origin() -> datetime:
    """Return the time of day at which the loop's clock would have been zero."""
    return START - timedelta(seconds=_BEGIN)


@dataclass(eq=False)
class Process:
    """What dies together."""

    name: str
    dead: bool = False
    _tasks: list["asyncio.Task[Any]"] = field(default_factory=list)
    _at_death: list[Callable[[], object]] = field(default_factory=list)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Begin work in this process: every task that it begins is part of it too."""
        context = Context()
        context.run(_process.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def at_death(self, call: Callable[[], object]) -> None:
        """Have something called at the moment of death."""
        self._at_death.append(call)

    def kill(self) -> "asyncio.Task[None]":
        """End it at once; the task that is returned ends when nothing of it is left."""
        if not self.dead:
            self.dead = True
            for call in self._at_death:
                call()
        context = Context()
        return asyncio.get_running_loop().create_task(self._reap(), context=context)

    async def _reap(self) -> None:
        # Handlers of cancellation may wait for others of them: told as often as it takes.
        for _ in range(200):
            tasks = [task for task in self._tasks if not task.done()]
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)
        else:
            raise RuntimeError(f"{self.name} does not die: {tasks}")
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # seen: nobody will ask for it any more
        self._tasks.clear()

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Count a task as part of this process."""
        self._tasks.append(task)
        if len(self._tasks) % 256 == 0:
            self._tasks = [t for t in self._tasks if not t.done()]


_process: ContextVar[Process | None] = ContextVar("process", default=None)


def current_process() -> Process | None:
    """Return the process that the running task is part of."""
    return _process.get()


def _tracked(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, Any],
    *,
    context: Context | None = None,
    **kwargs: Any,
) -> "asyncio.Task[Any]":
    task = asyncio.Task(work, loop=loop, context=context, **kwargs)
    owner = context.run(_process.get) if context is not None else _process.get()
    if owner is not None:
        owner.adopt(task)
    return task

"""Background tasks that end start again, and say so while they are down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from reme_operator.app import operate
from reme_operator.app.supervisor import MAX_BACKOFF_SECONDS, STABLE_SECONDS, supervise
from reme_operator.handlers.context import KeyedLocks
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics
from tests.support.clock import FakeClock, settle


class Flaky:
    """A task that does in its nth life what the nth entry says, and runs on after the last."""

    def __init__(self, *lives: BaseException | None, clock: FakeClock | None = None) -> None:
        self.lives = list(lives)
        self.starts = 0
        self.clock = clock

    async def run(self) -> None:
        self.starts += 1
        if self.starts > len(self.lives):
            await asyncio.Event().wait()
        if self.clock is not None:
            await self.clock.sleep(STABLE_SECONDS)
        error = self.lives[self.starts - 1]
        if error is not None:
            raise error


@contextlib.asynccontextmanager
async def supervised(
    flaky: Flaky, clock: FakeClock
) -> AsyncIterator[tuple[Health, Metrics, "asyncio.Task[None]"]]:
    health, metrics = Health(60.0, clock.monotonic), Metrics()
    task = asyncio.create_task(
        supervise("admission", flaky.run, clock=clock, metrics=metrics, health=health)
    )
    await settle()
    yield health, metrics, task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def failures(metrics: Metrics) -> float:
    sample_value = metrics.registry.get_sample_value(
        "reme_background_task_failures_total", {"task": "admission"}
    )
    return sample_value or 0.0


@pytest.mark.parametrize(
    ("death", "words"),
    [
        (KeyError("uid"), "KeyError: 'uid'"),
        (None, "returned"),
        (asyncio.CancelledError(), "cancelled from inside"),
    ],
    ids=["error", "return", "cancelled"],
)
async def test_a_task_that_dies_is_started_again(death: BaseException | None, words: str) -> None:
    """It was gone for good, nothing was admitted any more, and /healthz said ok."""
    clock, flaky = FakeClock(), Flaky(death)
    async with supervised(flaky, clock) as (health, metrics, _):
        assert words in health.problem()
        assert "admission" in health.problem()
        assert failures(metrics) == 1
        health.beat()
        await clock.advance(1)
        assert flaky.starts == 2
        assert health.problem() == ""


async def test_one_that_dies_again_and_again_is_started_less_and_less_often() -> None:
    clock, flaky = FakeClock(), Flaky(*[ValueError("no")] * 100)
    async with supervised(flaky, clock) as (health, metrics, _):
        for seconds in (1, 2, 4, 8, 16, 32, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS):
            before = flaky.starts
            await clock.advance(seconds - 0.1)
            assert flaky.starts == before
            await clock.advance(0.1)
            assert flaky.starts == before + 1
        health.beat()
        assert "ValueError: no" in health.problem(), "the kubelet is to restart the process"
        assert failures(metrics) == flaky.starts


async def test_one_that_ran_for_long_starts_again_at_once() -> None:
    clock = FakeClock()
    flaky = Flaky(*[ValueError("no")] * 3, clock=clock)
    async with supervised(flaky, clock):
        for life in (1, 2):
            assert flaky.starts == life
            await clock.advance(STABLE_SECONDS + 1)


async def test_a_task_that_is_told_to_stop_stops() -> None:
    async with supervised(Flaky(), FakeClock()) as (health, metrics, task):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert health.problem() == ""
        assert failures(metrics) == 0


async def test_a_stop_takes_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operate, "KOPF_STOP_SECONDS", 0.05)
    stop, cancelled = asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            await asyncio.sleep(100)

    stopping = asyncio.create_task(operate._run_until_stopped(hangs(), stop))
    await asyncio.sleep(0)
    assert not stopping.done()
    stop.set()
    async with asyncio.timeout(2):
        await stopping
    assert cancelled.is_set()


async def test_what_ends_kopf_ends_the_operator() -> None:
    async def fails() -> None:
        raise ValueError("no credentials")

    with pytest.raises(ValueError, match="no credentials"):
        await operate._run_until_stopped(fails(), asyncio.Event())


async def test_locks_exist_only_while_somebody_uses_them() -> None:
    """One was kept for every remediation that there ever was."""
    locks, order = KeyedLocks(), []

    async def use(key: str, name: str) -> None:
        async with locks.acquire(key):
            order.append(name)
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(use("a", "1"), use("a", "2"), use("b", "3"))
    pairs = [name for name in order if name != "3"]
    assert pairs == ["1", "1", "2", "2"]
    assert len(locks) == 0
    with contextlib.suppress(ValueError):
        async with locks.acquire("a"):
            raise ValueError("no")
    assert len(locks) == 0

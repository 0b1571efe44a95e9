"""A fault of the nodes is alone, others are not, and nobody waits for ever."""

import asyncio

import pytest

from reme_benchmark.harness.lanes import ReadWriteLock


class Log:
    def __init__(self) -> None:
        self.now: list[str] = []
        self.holders: list[tuple[str, ...]] = []

    async def hold(
        self, turns: ReadWriteLock, name: str, *, exclusive: bool, rounds: int = 3
    ) -> None:
        async with turns.hold(exclusive=exclusive):
            self.now.append(name)
            self.holders.append(tuple(self.now))
            for _ in range(rounds):
                await asyncio.sleep(0)
            self.now.remove(name)


async def test_shared_turns_overlap() -> None:
    log, turns = Log(), ReadWriteLock()
    await asyncio.gather(*(log.hold(turns, n, exclusive=False) for n in "abc"))
    assert ("a", "b", "c") in log.holders


async def test_an_exclusive_turn_is_alone() -> None:
    log, turns = Log(), ReadWriteLock()
    names = "abXcdY"
    await asyncio.gather(*(log.hold(turns, n, exclusive=n.isupper()) for n in names))
    assert {n for held in log.holders for n in held} == set(names)
    for held in log.holders:
        assert len(held) == 1 or not any(n.isupper() for n in held)


async def test_an_exclusive_turn_is_not_starved() -> None:
    log, turns = Log(), ReadWriteLock()
    first = asyncio.create_task(log.hold(turns, "a", exclusive=False, rounds=20))
    await asyncio.sleep(0)
    alone = asyncio.create_task(log.hold(turns, "X", exclusive=True))
    await asyncio.sleep(0)
    later = asyncio.create_task(log.hold(turns, "b", exclusive=False))
    await asyncio.gather(first, alone, later)
    assert [held[-1] for held in log.holders] == ["a", "X", "b"]


async def test_a_turn_that_is_cancelled_is_given_back() -> None:
    log, turns = Log(), ReadWriteLock()
    for exclusive in (True, False):
        held = asyncio.create_task(log.hold(turns, "a", exclusive=exclusive, rounds=10_000))
        await asyncio.sleep(0)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        async with asyncio.timeout(1), turns.hold(exclusive=True):
            pass


async def test_waiting_for_an_exclusive_turn_can_be_cancelled() -> None:
    turns = ReadWriteLock()
    async with turns.hold(exclusive=False):
        waiting = asyncio.create_task(Log().hold(turns, "X", exclusive=True))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(1), turns.hold(exclusive=False):
            pass

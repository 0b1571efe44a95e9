"""Only one run of the benchmark at a time may change a cluster."""

import asyncio

import pytest

from reme_benchmark.harness.run_lock import RunLockedError, RunLockLostError, hold_run_lock
from reme_kube.leader_election import LeaseTimes
from tests.support.lease import FakeStore

QUICK = LeaseTimes(duration=1, renew=1, retry=0)


async def test_a_second_run_is_refused_and_learns_who_holds_the_lock() -> None:
    store = FakeStore()
    async with hold_run_lock(store, print, LeaseTimes(duration=2, renew=1, retry=0)):
        holder = store.spec["holderIdentity"]
        with pytest.raises(RunLockedError, match=holder):
            async with hold_run_lock(store, print, LeaseTimes(duration=1, renew=1, retry=0)):
                pytest.fail("two runs at once")


async def test_a_run_that_ends_releases_the_lock() -> None:
    store = FakeStore()
    with pytest.raises(RuntimeError, match="ends badly"):
        async with hold_run_lock(store, print, QUICK):
            raise RuntimeError("ends badly")
    notices: list[str] = []
    async with asyncio.timeout(1), hold_run_lock(store, notices.append, QUICK):
        assert not notices


async def test_the_lease_of_a_killed_run_is_waited_for() -> None:
    store = FakeStore()
    await store.create({"holderIdentity": "killed", "leaseDurationSeconds": 1})
    async with asyncio.timeout(5), hold_run_lock(store, print, LeaseTimes(1, 1, 1)):
        assert store.spec["holderIdentity"] != "killed"


async def test_a_run_that_loses_the_lock_stops_and_cleans_nothing_up() -> None:
    store = FakeStore()
    cleaned_up: list[str] = []

    async def lose_the_lock() -> None:
        async with hold_run_lock(store, print, QUICK) as lock:
            store.down = True  # no renewal succeeds any more
            try:
                await asyncio.sleep(60)
            finally:
                if not lock.lost:
                    cleaned_up.append("faults")

    async with asyncio.timeout(5):
        with pytest.raises(RunLockLostError, match="--resume"):
            await lose_the_lock()
    assert not cleaned_up
    current = asyncio.current_task()
    assert current is not None
    assert not current.cancelling()  # the caller goes on as usual


async def test_a_run_that_is_interrupted_is_not_mistaken_for_one_that_lost_the_lock() -> None:
    async def hold() -> None:
        async with hold_run_lock(FakeStore(), print, QUICK):
            await asyncio.sleep(60)

    run = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

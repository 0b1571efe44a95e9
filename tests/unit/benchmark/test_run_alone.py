"""Two runs of the benchmark and one cluster."""

import asyncio

import pytest

from reme_benchmark.harness.run_lock import RunLockedError, alone
from reme_kube.leader_election import LeaseTimes
from tests.support.lease import FakeStore

QUICK = LeaseTimes(duration=1, renew=1, retry=0)


async def test_a_second_run_is_refused_and_told_who_runs() -> None:
    store = FakeStore()
    async with alone(store, print, LeaseTimes(duration=2, renew=1, retry=0)):
        holder = store.spec["holderIdentity"]
        with pytest.raises(RunLockedError, match=holder):
            async with alone(store, print, LeaseTimes(duration=1, renew=1, retry=0)):
                pytest.fail("two runs at once")


async def test_a_run_that_ended_leaves_the_cluster_free() -> None:
    store = FakeStore()
    with pytest.raises(RuntimeError, match="ends badly"):
        async with alone(store, print, QUICK):
            raise RuntimeError("ends badly")
    said: list[str] = []
    async with asyncio.timeout(1), alone(store, said.append, QUICK):
        assert not said


async def test_the_lease_of_a_killed_run_is_waited_for() -> None:
    store = FakeStore()
    await store.create({"holderIdentity": "killed", "leaseDurationSeconds": 1})
    async with asyncio.timeout(5), alone(store, print, LeaseTimes(1, 1, 1)):
        assert store.spec["holderIdentity"] != "killed"

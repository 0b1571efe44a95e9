"""Two candidates and one lease, on a clock of the test's own."""

import asyncio
from typing import Any

import pytest

from reme_kube.errors import (
    UnavailableError,
)
from reme_kube.leader_election import LeaderElector, Leadership
from tests.support.clock import FakeClock, settle
from tests.support.lease import FakeStore


class View:
    """One candidate's way to the store, which can be cut alone."""

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.cut = False
        self.error: Exception | None = None

    def _check(self) -> None:
        if self.cut:
            raise UnavailableError("cut")
        if self.error:
            raise self.error

    async def read(self) -> dict[str, Any]:
        self._check()
        return await self.store.read()

    async def create(self, spec: dict[str, Any]) -> dict[str, Any]:
        self._check()
        return await self.store.create(spec)

    async def replace(self, lease: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
        self._check()
        return await self.store.replace(lease, spec)


class Candidate:
    def __init__(self, store: FakeStore, clock: FakeClock, name: str) -> None:
        self.changes: list[bool] = []
        self.view = View(store)
        self.lease = LeaderElector(self.view, clock, name, on_change=self.changes.append)
        as_the_core_sees_it: Leadership = self.lease
        assert not as_the_core_sees_it.leading


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def a(store: FakeStore, clock: FakeClock) -> Candidate:
    return Candidate(store, clock, "a")


@pytest.fixture
def b(store: FakeStore, clock: FakeClock) -> Candidate:
    return Candidate(store, clock, "b")


def start(candidate: Candidate) -> Any:
    return asyncio.create_task(candidate.lease.acquire())


async def end(*tasks: Any) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_first_leads_at_once_and_the_second_waits(
    store: FakeStore, clock: FakeClock, a: Candidate, b: Candidate
) -> None:
    await a.lease.acquire()
    waiting = start(b)
    await clock.advance(120)
    assert a.lease.leading
    assert not b.lease.leading
    assert b.lease.holder == "a"
    assert (a.changes, b.changes) == ([True], [])
    assert store.spec["leaseTransitions"] == 1
    assert store.spec["acquireTime"] == "2026-01-01T00:00:00.000000Z"
    assert store.spec["renewTime"] == "2026-01-01T00:02:00.000000Z"
    await end(waiting)
    await a.lease.release()


async def test_a_lease_given_back_is_taken_at_the_next_try(
    store: FakeStore, clock: FakeClock, a: Candidate, b: Candidate
) -> None:
    await a.lease.acquire()
    waiting = start(b)
    await clock.advance(30)
    await a.lease.release()
    assert not a.lease.leading
    assert a.changes == [True, False]
    assert store.spec["holderIdentity"] == ""
    await clock.advance(2)
    assert b.lease.leading
    await end(waiting)
    await b.lease.release()


async def test_a_silent_leader_stops_before_the_other_begins(
    clock: FakeClock, a: Candidate, b: Candidate
) -> None:
    await a.lease.acquire()
    waiting = start(b)
    await clock.advance(30)
    a.view.cut = True
    stopped = began = 0.0
    for _ in range(30):
        await clock.advance(1)
        assert not (a.lease.leading and b.lease.leading), "two leaders"
        if not stopped and not a.lease.leading:
            stopped = clock.seconds
        if not began and b.lease.leading:
            began = clock.seconds
    assert 38 <= stopped <= 42
    assert stopped < began <= 30 + 15 + 2 + 2
    await a.lease.wait_lost()
    assert a.changes == [True, False]
    await end(waiting)
    await a.lease.release()
    await b.lease.release()


async def test_a_blocked_leader_knows_by_its_own_clock(clock: FakeClock, a: Candidate) -> None:
    await a.lease.acquire()
    clock.seconds += 10  # nothing ran meanwhile: no renewal, no failure
    assert not a.lease.leading
    await a.lease.release()


async def test_a_short_outage_costs_nothing(
    store: FakeStore, clock: FakeClock, a: Candidate
) -> None:
    await a.lease.acquire()
    await clock.advance(20)
    store.down = True
    await clock.advance(7)
    assert a.lease.leading
    store.down = False
    await clock.advance(20)
    assert a.lease.leading
    assert a.changes == [True]
    await a.lease.release()


async def test_of_two_that_try_at_once_one_wins(
    store: FakeStore, clock: FakeClock, a: Candidate, b: Candidate
) -> None:
    await a.lease.acquire()
    await a.lease.release()
    # The other one takes it between the read and the write.
    taken = {"holderIdentity": "c", "leaseDurationSeconds": 15, "renewTime": "x"}
    store.before_replace.append(lambda: store._write(taken))
    waiting = start(b)
    await settle()
    assert not b.lease.leading
    assert store.spec["holderIdentity"] == "c"
    await clock.advance(4)
    assert b.lease.holder == "c"
    await end(waiting)


async def test_a_lease_taken_away_is_lost_and_told(
    store: FakeStore, clock: FakeClock, a: Candidate
) -> None:
    await a.lease.acquire()
    store._write({"holderIdentity": "c", "leaseDurationSeconds": 15, "renewTime": "x"})
    await clock.advance(3)
    assert not a.lease.leading
    await a.lease.wait_lost()
    assert a.changes == [True, False]
    await a.lease.release()
    assert store.spec["holderIdentity"] == "c", "not its own to give back"


async def test_the_age_of_a_lease_is_measured_from_when_it_was_first_seen(
    store: FakeStore, clock: FakeClock, a: Candidate
) -> None:
    # Renewed long ago by the holder's clock, which may be wrong.
    store._write({"holderIdentity": "c", "leaseDurationSeconds": 15, "renewTime": "1999"})
    waiting = start(a)
    await clock.advance(14)
    assert not a.lease.leading
    await clock.advance(4)
    assert a.lease.leading
    assert store.spec["leaseTransitions"] == 1
    await end(waiting)
    await a.lease.release()


async def test_release_without_a_lease_does_nothing(store: FakeStore, a: Candidate) -> None:
    await a.lease.release()
    assert store.lease is None
    assert a.changes == []


async def test_release_does_not_fail_when_the_server_is_gone(
    store: FakeStore, clock: FakeClock, a: Candidate
) -> None:
    await a.lease.acquire()
    store.down = True
    await a.lease.release()
    assert a.changes == [True, False]
    assert not a.lease.leading


async def test_an_unexpected_error_in_the_renewal_ends_the_leadership(
    clock: FakeClock, a: Candidate
) -> None:
    await a.lease.acquire()
    a.view.error = ValueError("not a ClusterError")
    await clock.advance(2)
    await asyncio.wait_for(a.lease.wait_lost(), 1)
    assert not a.lease.leading
    assert a.changes == [True, False]
    a.view.error = None
    await a.lease.release()

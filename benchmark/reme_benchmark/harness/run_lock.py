"""A cluster-wide lock, so that two runs never change the same systems at the same time."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from reme_kube.clock import SystemClock
from reme_kube.errors import ClusterError
from reme_kube.leader_election import LeaderElector, LeaseStore, LeaseTimes

NAMESPACE = "default"  # every cluster has it, and no run deletes it
LEASE = "reme-bench"
TIMES = LeaseTimes(duration=45, renew=40, retry=5)
_FIRST_NOTICE_SECONDS = 2.0


class RunLockedError(ClusterError):
    """Another run holds the lock; the message names its holder."""


class RunLockLostError(ClusterError):
    """The lock could not be renewed, so another run may have taken it."""


@dataclass
class RunLock:
    """The lock while a run holds it.

    Once `lost` is true another run may be working in the cluster: change nothing there any more,
    not even to clean up.
    """

    lost: bool = False


@asynccontextmanager
async def hold_run_lock(
    store: LeaseStore, say: Callable[[str], object], times: LeaseTimes = TIMES
) -> AsyncIterator[RunLock]:
    """Hold the lock while the body runs, and cancel the body when the lock is lost.

    A killed run leaves its lease behind; this waits until that lease has expired.

    Raises:
        RunLockedError: another run keeps renewing the lease.
        RunLockLostError: the lease was lost while the body ran.
    """
    identity = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
    elector = LeaderElector(store, SystemClock(), identity, times)
    await _acquire(elector, say, times)
    owner, lock = asyncio.current_task(), RunLock()

    async def cancel_owner_when_lost() -> None:
        await elector.wait_lost()
        lock.lost = True
        if owner is not None:
            owner.cancel("run lock lost")

    watcher = asyncio.create_task(cancel_owner_when_lost(), name="run-lock")
    try:
        yield lock
    except asyncio.CancelledError:
        if not lock.lost:
            raise
        if owner is not None:
            owner.uncancel()
        raise RunLockLostError(
            f"lost the lease {NAMESPACE}/{LEASE}: it could not be renewed for {times.renew} s. "
            "The run stopped without cleaning up, because another run may have started. Start it "
            "again with --resume, or remove what it left with `reme-bench clean`"
        ) from None
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
        await elector.release()


async def _acquire(elector: LeaderElector, say: Callable[[str], object], times: LeaseTimes) -> None:
    notice = asyncio.create_task(_notice_wait(elector, say))
    try:
        async with asyncio.timeout(times.duration + 3 * times.retry):
            await elector.acquire()
    except TimeoutError:
        raise RunLockedError(
            f"another run is active in this cluster: {elector.holder or 'an unknown holder'} holds "
            f"the lease {NAMESPACE}/{LEASE}. Wait until it has ended, or end it"
        ) from None
    finally:
        notice.cancel()


async def _notice_wait(elector: LeaderElector, say: Callable[[str], object]) -> None:
    await asyncio.sleep(_FIRST_NOTICE_SECONDS)
    say(f"waiting for the lease {NAMESPACE}/{LEASE}, held by {elector.holder or 'another run'}")

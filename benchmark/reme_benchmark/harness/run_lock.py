"""One run at a time in a cluster: two of them would break and judge each other's systems."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from reme_kube.clock import SystemClock
from reme_kube.errors import ClusterError
from reme_kube.leader_election import LeaderElector, LeaseStore, LeaseTimes

NAMESPACE = "default"  # it is in every cluster, and outlives what a run removes
LEASE = "reme-bench"
TIMES = LeaseTimes(duration=45, renew=40, retry=5)
_ASKED_AGAIN_SECONDS = 2.0


class RunLockedError(ClusterError):
    """Another run is going on in this cluster; the message says whose."""


@asynccontextmanager
async def alone(
    store: LeaseStore, say: Callable[[str], object], times: LeaseTimes = TIMES
) -> AsyncIterator[None]:
    """Hold the cluster's lease for runs of the benchmark.

    A run that was killed leaves its lease behind: it is waited for until that has run out.

    Raises:
        NotAloneError: another run keeps renewing it.
    """
    identity = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
    election = LeaderElector(store, SystemClock(), identity, times)
    waiting = asyncio.create_task(_told(election, say))
    try:
        async with asyncio.timeout(times.duration + 3 * times.retry):
            await election.acquire()
    except TimeoutError:
        raise RunLockedError(
            f"another run goes on in this cluster: {election.holder or 'its lease'} holds "
            f"{NAMESPACE}/{LEASE}; wait for its end, or end it"
        ) from None
    finally:
        waiting.cancel()
    try:
        yield
    finally:
        await election.release()


async def _told(election: LeaderElector, say: Callable[[str], object]) -> None:
    await asyncio.sleep(_ASKED_AGAIN_SECONDS)
    say(f"waits for the lease of {election.holder or 'another run'}")

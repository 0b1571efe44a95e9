"""The lease that one operator holds at a time: coordination.k8s.io, with its usual semantics.

A candidate never compares clocks with the holder: it takes the lease over when the lease has not
changed for its whole duration by the candidate's own clock. A holder that could not renew for
`renew_seconds` stops to act, before anybody can take over; the difference to the duration is the
time to stop in. A holder that ends gives the lease back, and the next try of a candidate gets it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.http_client import ApiClient, Json
from reme_kube.protocols import Clock
from reme_kube.resources import LEASES

_log = logging.getLogger(__name__)

_RELEASE_SECONDS = 5.0
"""A shutdown does not wait longer for the API server."""


class LeaseStore(Protocol):
    """Where the lease is kept; a write fails when the lease has changed since it was read."""

    async def read(self) -> Json:
        """Return the lease; NotFoundError when there is none."""
        ...

    async def create(self, spec: Json) -> Json:
        """Create the lease; AlreadyExistsError when there is one."""
        ...

    async def replace(self, lease: Json, spec: Json) -> Json:
        """Replace the lease that was read; ConflictError when it has changed since."""
        ...


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """The times of a lease, in seconds; retry < renew < duration."""

    duration: int = 15
    renew: int = 10
    retry: int = 2


class LeaderElector:
    """One candidate for the lease.

    `changed` is told True when this process begins to lead, False when it does not any more.
    """

    def __init__(
        self,
        store: LeaseStore,
        clock: Clock,
        identity: str,
        times: LeaseTimes | None = None,
        changed: Callable[[bool], object] = bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._identity = identity
        self._times = times or LeaseTimes()
        self._changed = changed
        self._lease: Json = {}
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self._told = False
        self._lost = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def leading(self) -> bool:
        """Whether this process holds the lease, as of now by its own clock."""
        if self._renewed_at is None:
            return False
        return self._clock.monotonic() - self._renewed_at < self._times.renew

    @property
    def holder(self) -> str:
        """Who holds it as far as is known; empty when nobody does."""
        return str((self._lease.get("spec") or {}).get("holderIdentity") or "")

    async def acquire(self) -> None:
        """Wait until this process leads; from then on the lease is renewed in the background."""
        while not await self._try():
            await self._clock.sleep(self._times.retry)
        self._lost.clear()
        self._told = True
        self._renewing = asyncio.create_task(self._renew(), name="lease")
        _log.info("leading", extra={"holder": self._identity})
        self._changed(True)

    async def wait_lost(self) -> None:
        """Wait until this process has lost the lease, and must stop to act."""
        await self._lost.wait()

    async def release(self) -> None:
        """Give the lease back, so that another takes over at once; safe to call at any time."""
        renewing, self._renewing = self._renewing, None
        if renewing:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
        mine = self._told
        self._stop()
        if mine:
            # It runs out by itself when it cannot be given back.
            with contextlib.suppress(ClusterError, TimeoutError):
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await self._give_back()

    async def _give_back(self) -> None:
        # Read again: a renewal that was cut off may have been written all the same.
        self._keep(await self._store.read())
        if self.holder == self._identity:
            # One second is the shortest duration that the API allows.
            self._keep(await self._store.replace(self._lease, self._spec("", 1)))

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(self._times.retry)
            if not await self._try() and not self.leading:
                _log.warning("leadership_lost", extra={"holder": self.holder})
                self._stop()
                return

    def _stop(self) -> None:
        self._renewed_at = None
        self._lost.set()
        if self._told:
            self._told = False
            self._changed(False)

    async def _try(self) -> bool:
        """Take or renew the lease; return whether this process holds it now."""
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._times.renew - self._times.retry):
                self._keep(await self._hold())
        except (ClusterError, TimeoutError) as error:
            # A conflict is somebody else's success; whatever it is, the next try will see.
            _log.debug("lease_not_held", extra={"error": str(error)})
            return False
        if self.holder != self._identity:
            self._renewed_at = None
            return False
        self._renewed_at = begun  # not now: the server may have taken the time in between
        return True

    async def _hold(self) -> Json:
        try:
            self._keep(await self._store.read())
        except NotFoundError:
            return await self._store.create(self._spec(self._identity, self._times.duration))
        if self.holder not in ("", self._identity) and not self._run_out():
            return self._lease
        spec = self._spec(self._identity, self._times.duration)
        return await self._store.replace(self._lease, spec)

    def _keep(self, lease: Json) -> None:
        """Remember the lease, and when it was first seen as it is."""
        if lease.get("spec") != self._lease.get("spec"):
            self._seen_at = self._clock.monotonic()
        self._lease = lease

    def _run_out(self) -> bool:
        spec = self._lease.get("spec") or {}
        duration = int(spec.get("leaseDurationSeconds") or self._times.duration)
        return self._clock.monotonic() - self._seen_at >= duration

    def _spec(self, holder: str, duration: int) -> Json:
        before = self._lease.get("spec") or {}
        now = _micro_time(self._clock.now())
        changes = int(before.get("leaseTransitions") or 0)
        same = before.get("holderIdentity") == holder
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "acquireTime": before.get("acquireTime") if same else now,
            "renewTime": now,
            "leaseTransitions": changes if same or not holder else changes + 1,
        }


class ApiLeaseStore:
    """A lease in the API server."""

    def __init__(self, api: ApiClient, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name

    async def read(self) -> Json:
        """Return the lease; NotFoundError when there is none."""
        return await self._api.get(LEASES.path(self._namespace, self._name))

    async def create(self, spec: Json) -> Json:
        """Create the lease; AlreadyExistsError when there is one."""
        lease = self._manifest({"name": self._name, "namespace": self._namespace}, spec)
        return await self._api.create(LEASES.path(self._namespace), lease)

    async def replace(self, lease: Json, spec: Json) -> Json:
        """Replace the lease that was read; ConflictError when it has changed since."""
        path = LEASES.path(self._namespace, self._name)
        return await self._api.replace(path, self._manifest(lease["metadata"], spec))

    def _manifest(self, metadata: Json, spec: Json) -> Json:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": spec,
        }


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

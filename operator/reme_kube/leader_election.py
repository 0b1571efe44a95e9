"""Leader election by a Lease of coordination.k8s.io, with its usual semantics.

A candidate never compares clocks with the holder: it takes the lease over when the lease has not
changed for its whole duration by the candidate's own clock. A leader that could not renew for
`renew` seconds stops acting before another can take over; it has until `duration` to stop. A leader
that shuts down releases the lease, and the next attempt of a candidate gets it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from reme_kube.clock import Clock
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.http_client import ApiClient
from reme_kube.resources import LEASES, Json

_log = logging.getLogger(__name__)

_RELEASE_SECONDS = 5.0
"""A shutdown does not wait longer for the API server."""


class Leadership(Protocol):
    """The right to act, held by one process at a time."""

    @property
    def leading(self) -> bool:
        """Whether this process holds the lease, as of now by its own clock."""
        ...

    @property
    def holder(self) -> str:
        """Identity of the holder as far as known; empty when nobody holds the lease."""
        ...

    async def acquire(self) -> None:
        """Wait until this process leads; from then on the lease is renewed in the background."""
        ...

    async def wait_lost(self) -> None:
        """Wait until this process has lost the lease, and must stop acting."""
        ...

    async def release(self) -> None:
        """Release the lease, so that another takes over at once; safe to call at any time."""
        ...


class LeaseStore(Protocol):
    """Where the lease is stored; a write fails when the lease has changed since it was read."""

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
    """Durations of a lease, in seconds; retry < renew < duration."""

    duration: int = 15
    renew: int = 10
    retry: int = 2


class LeaderElector:
    """One candidate for the lease.

    `on_change` is called with True when this process begins to lead, with False when it stops.
    """

    def __init__(
        self,
        store: LeaseStore,
        clock: Clock,
        identity: str,
        times: LeaseTimes | None = None,
        on_change: Callable[[bool], object] = bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._identity = identity
        self._times = times or LeaseTimes()
        self._on_change = on_change
        self._lease: Json = {}
        self._changed_at = 0.0
        self._renewed_at: float | None = None
        self._announced = False
        self._lost = asyncio.Event()
        self._renewal: asyncio.Task[None] | None = None

    @property
    def leading(self) -> bool:
        """Whether this process holds the lease, as of now by its own clock."""
        if self._renewed_at is None:
            return False
        return self._clock.monotonic() - self._renewed_at < self._times.renew

    @property
    def holder(self) -> str:
        """Identity of the holder as far as known; empty when nobody holds the lease."""
        return str((self._lease.get("spec") or {}).get("holderIdentity") or "")

    async def acquire(self) -> None:
        """Wait until this process leads; from then on the lease is renewed in the background."""
        while not await self._acquire_or_renew():
            await self._clock.sleep(self._times.retry)
        self._lost.clear()
        self._announced = True
        self._renewal = asyncio.create_task(self._renew(), name="lease renewal")
        _log.info("leadership_acquired", extra={"holder": self._identity})
        self._on_change(True)

    async def wait_lost(self) -> None:
        """Wait until this process has lost the lease, and must stop acting."""
        await self._lost.wait()

    async def release(self) -> None:
        """Release the lease, so that another takes over at once; safe to call at any time."""
        renewal, self._renewal = self._renewal, None
        if renewal:
            renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewal
        was_leader = self._announced
        self._stop()
        if was_leader:
            # The lease expires by itself when it cannot be released.
            with contextlib.suppress(ClusterError, TimeoutError):
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await self._clear_holder()

    async def _clear_holder(self) -> None:
        # Read again: a renewal that was cancelled may have been written all the same.
        self._remember(await self._store.read())
        if self.holder == self._identity:
            # One second is the shortest duration that the API allows.
            self._remember(await self._store.replace(self._lease, self._spec("", 1)))

    async def _renew(self) -> None:
        """Renew the lease until it is lost; whatever ends this also ends the leadership."""
        try:
            while True:
                await self._clock.sleep(self._times.retry)
                if not await self._acquire_or_renew() and not self.leading:
                    break
        except Exception:  # noqa: BLE001 - a leader must not stay without a renewal
            _log.exception("lease_renewal_failed")
        _log.warning("leadership_lost", extra={"holder": self.holder})
        self._stop()

    def _stop(self) -> None:
        self._renewed_at = None
        self._lost.set()
        if self._announced:
            self._announced = False
            self._on_change(False)

    async def _acquire_or_renew(self) -> bool:
        """Write the lease if it is free or ours; return whether this process holds it now."""
        started_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._times.renew - self._times.retry):
                self._remember(await self._write())
        except (ClusterError, TimeoutError) as error:
            # A conflict means that another candidate has written; the next attempt reads again.
            _log.debug("lease_attempt_failed", extra={"error": str(error)})
            return False
        if self.holder != self._identity:
            self._renewed_at = None
            return False
        self._renewed_at = started_at  # not now: the server may have written it at any time since
        return True

    async def _write(self) -> Json:
        try:
            self._remember(await self._store.read())
        except NotFoundError:
            return await self._store.create(self._spec(self._identity, self._times.duration))
        if self.holder not in ("", self._identity) and not self._expired():
            return self._lease
        spec = self._spec(self._identity, self._times.duration)
        return await self._store.replace(self._lease, spec)

    def _remember(self, lease: Json) -> None:
        """Keep the lease, and the time at which it was first read with this content."""
        if lease.get("spec") != self._lease.get("spec"):
            self._changed_at = self._clock.monotonic()
        self._lease = lease

    def _expired(self) -> bool:
        spec = self._lease.get("spec") or {}
        duration = int(spec.get("leaseDurationSeconds") or self._times.duration)
        return self._clock.monotonic() - self._changed_at >= duration

    def _spec(self, holder: str, duration: int) -> Json:
        old = self._lease.get("spec") or {}
        now = _micro_time(self._clock.now())
        transitions = int(old.get("leaseTransitions") or 0)
        same_holder = old.get("holderIdentity") == holder
        return {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "acquireTime": old.get("acquireTime") if same_holder else now,
            "renewTime": now,
            "leaseTransitions": transitions if same_holder or not holder else transitions + 1,
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


def _micro_time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

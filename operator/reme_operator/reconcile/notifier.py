"""Carries watch events to the reconcile loop of the remediation that they are about."""

import asyncio
from datetime import datetime, timedelta

import structlog

from reme_kube.clock import Clock
from reme_kube.errors import ClusterError
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, JOBS, Resource
from reme_operator.errors import one_line
from reme_operator.names import MANAGED_BY_LABEL, REMEDIATION_UID_LABEL

_log = structlog.get_logger(__name__)

_RECONNECT_SECONDS = 1.0


class Notifier:
    """Wakes one reconcile loop, and remembers the newest version of its object."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._version = ""

    def wake(self, version: str = "") -> None:
        """Wake the loop; with the object's resource version when the object itself changed."""
        if version:
            self._version = version
        self._event.set()

    def has_newer(self, known: str) -> bool:
        """Return whether a version other than the known one was notified."""
        return bool(self._version) and self._version != known

    def acknowledge(self) -> None:
        """Forget the version: the object is about to be read."""
        self._version = ""

    async def wait(self, now: datetime, until: datetime) -> None:
        """Return at `until`, or as soon as the loop is woken."""
        seconds = max(0.0, (until - now) / timedelta(seconds=1))
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


class Notifiers:
    """The notifiers of all reconcile loops, by the UID of the remediation."""

    def __init__(self) -> None:
        self._notifiers: dict[str, Notifier] = {}
        self._by_report: dict[str, set[str]] = {}
        self._deleted_reports: set[str] = set()

    def open(self, uid: str, report_uid: str) -> Notifier:
        """Return the notifier of a remediation; create it if there is none."""
        self._by_report.setdefault(report_uid, set()).add(uid)
        return self._notifiers.setdefault(uid, Notifier())

    def close(self, uid: str) -> None:
        """Drop the notifier of a remediation whose loop has ended."""
        self._notifiers.pop(uid, None)
        for report_uid, uids in list(self._by_report.items()):
            uids.discard(uid)
            if not uids:
                del self._by_report[report_uid]
                self._deleted_reports.discard(report_uid)

    def wake(self, uid: str, version: str = "") -> None:
        """Wake the loop of a remediation, if there is one."""
        if notifier := self._notifiers.get(uid):
            notifier.wake(version)

    def wake_for_report(self, report_uid: str, *, deleted: bool = False) -> None:
        """Wake the remediations of a report."""
        uids = self._by_report.get(report_uid, set())
        if deleted and uids:
            self._deleted_reports.add(report_uid)
        for uid in uids:
            self.wake(uid)

    def wake_all(self) -> None:
        """Wake every remediation."""
        for notifier in self._notifiers.values():
            notifier.wake()

    def report_deleted(self, report_uid: str) -> bool:
        """Return whether the watch has shown the report's deletion."""
        return report_uid in self._deleted_reports


async def watch_runs(cluster: Cluster, clock: Clock, notifiers: Notifiers, namespace: str) -> None:
    """Wake a remediation as soon as its Job or its result changes, forever.

    The state of a run is always read afresh: an event that is missed costs a moment, no more.
    """
    await asyncio.gather(
        *(_watch(cluster, clock, notifiers, namespace, kind) for kind in (JOBS, CONFIG_MAPS))
    )


async def _watch(
    cluster: Cluster, clock: Clock, notifiers: Notifiers, namespace: str, resource: Resource
) -> None:
    while True:
        try:
            async for item in cluster.watch(resource, namespace, {MANAGED_BY_LABEL: "reme"}):
                labels = (item.get("metadata") or {}).get("labels") or {}
                notifiers.wake(labels.get(REMEDIATION_UID_LABEL, ""))
        except ClusterError as error:
            _log.info("run_watch_ended", kind=resource.kind, error=one_line(error))
        await clock.sleep(_RECONNECT_SECONDS)

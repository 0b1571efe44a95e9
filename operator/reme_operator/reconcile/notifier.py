"""How a watch event reaches the loop of the remediation that it is about, within this process."""

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
    """Wakes one loop, and says whether its object may have changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._version = ""

    def notify(self, version: str = "") -> None:
        """Wake the loop; with the object's version when it is the object itself that changed."""
        if version:
            self._version = version
        self._event.set()

    def news(self, known: str) -> bool:
        """Return whether a version other than the known one has been seen."""
        return bool(self._version) and self._version != known

    def settle(self) -> None:
        """Forget the version: it has been looked at."""
        self._version = ""

    async def wait(self, now: datetime, until: datetime) -> None:
        """Return at that time, or as soon as something is notified."""
        seconds = max(0.0, (until - now) / timedelta(seconds=1))
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


class Notifiers:
    """The signals of all open remediations, by UID."""

    def __init__(self) -> None:
        self._notifiers: dict[str, Notifier] = {}
        self._gone_reports: set[str] = set()
        self._by_report: dict[str, set[str]] = {}

    def open(self, uid: str, report_uid: str) -> Notifier:
        """Return the signal of a remediation, made if need be."""
        self._by_report.setdefault(report_uid, set()).add(uid)
        return self._notifiers.setdefault(uid, Notifier())

    def close(self, uid: str) -> None:
        """Drop the signal of a remediation that has ended."""
        self._notifiers.pop(uid, None)
        for report_uid, uids in list(self._by_report.items()):
            uids.discard(uid)
            if not uids:
                del self._by_report[report_uid]
                self._gone_reports.discard(report_uid)

    def notify(self, uid: str, version: str = "") -> None:
        """Wake a remediation, if it is open here."""
        if signal := self._notifiers.get(uid):
            signal.notify(version)

    def notify_report(self, report_uid: str, *, gone: bool = False) -> None:
        """Wake the remediations of a report."""
        uids = self._by_report.get(report_uid, set())
        if gone and uids:
            self._gone_reports.add(report_uid)
        for uid in uids:
            self.notify(uid)

    def notify_all(self) -> None:
        """Wake every remediation."""
        for signal in self._notifiers.values():
            signal.notify()

    def report_deleted(self, report_uid: str) -> bool:
        """Return whether the watch has shown the report's deletion."""
        return report_uid in self._gone_reports


async def watch_runs(cluster: Cluster, clock: Clock, notifiers: Notifiers, namespace: str) -> None:
    """Wake a remediation as soon as its Job or its result changes, forever.

    What a run amounts to is always read afresh: an event that is missed costs a moment, no more.
    """
    await asyncio.gather(
        *(_follow(cluster, clock, notifiers, namespace, kind) for kind in (JOBS, CONFIG_MAPS))
    )


async def _follow(
    cluster: Cluster, clock: Clock, notifiers: Notifiers, namespace: str, resource: Resource
) -> None:
    while True:
        try:
            async for found in cluster.watch(resource, namespace, {MANAGED_BY_LABEL: "reme"}):
                labels = (found.get("metadata") or {}).get("labels") or {}
                notifiers.notify(labels.get(REMEDIATION_UID_LABEL, ""))
        except ClusterError as error:
            _log.info("runs.watch_ended", kind=resource.kind, error=one_line(error))
        await clock.sleep(_RECONNECT_SECONDS)

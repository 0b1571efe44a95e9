"""Removes what has had its time: old remediations, and what is left of runs that nobody drives."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from reme_api.probes import ProbeVerdict
from reme_api.remediation import Remediation
from reme_kube.clock import Clock
from reme_kube.errors import ClusterError
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, JOBS, REMEDIATIONS, RUN_GRANTS, Json
from reme_operator.admission.remediation_index import RemediationIndex
from reme_operator.admission.retention import expired
from reme_operator.errors import one_line
from reme_operator.names import (
    MANAGED_BY_LABEL,
    REMEDIATION_NAMESPACE_LABEL,
    REMEDIATION_UID_LABEL,
)
from reme_operator.steps.cleanup import RunLocation, delete_run

_log = structlog.get_logger(__name__)

EVERY_SECONDS = 60.0
_ORPHANS_EVERY = 5
_SUFFIXES = ("-input", "-result")
_LATE = timedelta(minutes=15)
"""How long after an end something may still arrive that was sent before it."""


async def collect_garbage(
    cluster: Cluster, clock: Clock, index: RemediationIndex, namespace: str
) -> None:
    """Do the rounds, forever; a round that fails is made up for by the next."""
    turn = 0
    while True:
        try:
            await remove_expired(cluster, clock, index)
            if turn % _ORPHANS_EVERY == 0:
                await remove_orphans(cluster, namespace)
                await remove_late(cluster, clock)
        except ClusterError as error:
            _log.warning("housekeeping.failed", error=one_line(error))
        except Exception:  # noqa: BLE001 - a round that fails must not be the last
            _log.exception("housekeeping.failed")
        turn += 1
        await clock.sleep(EVERY_SECONDS)


async def remove_expired(cluster: Cluster, clock: Clock, index: RemediationIndex) -> int:
    """Delete remediations beyond their policy's limit or their time; return how many."""
    gone = expired(index.entries(), clock.now())
    for found in gone:
        await cluster.delete_object(Remediation, found.namespace, found.name, found.uid)
    if gone:
        _log.info("housekeeping.expired", count=len(gone))
    return len(gone)


async def remove_orphans(cluster: Cluster, namespace: str) -> int:
    """Remove runs whose remediation is gone, as when its finalizer was taken off by hand."""
    labels = {MANAGED_BY_LABEL: "reme"}
    found: list[Json] = []
    for resource in (JOBS, RUN_GRANTS, CONFIG_MAPS):
        found += await cluster.list_resource(resource, namespace, labels)
    places = set(_places(found, namespace))
    if not places:
        return 0
    # Listed after the runs: whatever belongs to a remediation finds it here.
    alive = {str(r["metadata"]["uid"]) for r in await cluster.list_resource(REMEDIATIONS)}
    orphans = sorted(place for place in places if place.uid not in alive)
    for place in orphans:
        await delete_run(cluster, place)
        _log.warning("housekeeping.orphan", run=place.run)
    return len(orphans)


async def remove_late(cluster: Cluster, clock: Clock) -> None:
    """Remove what was made for a run after it had been cleaned up.

    A process that lost the network, and the lease with it, may have sent a request that arrives
    when another one has brought the run to its end. What it makes can do nothing by itself.
    """
    now = clock.now()
    for remediation in await cluster.list_objects(Remediation):
        for place in _over(remediation, now):
            await delete_run(cluster, place)


def _over(remediation: Remediation, now: datetime) -> set[RunLocation]:
    """Return the runs of a remediation that ended a while ago, and that no step will make again."""
    status, meta = remediation.status, remediation.metadata
    if status.outcome is None or status.completion_time is None:
        return set()
    if now - status.completion_time > _LATE:
        return set()
    found = set()
    for attempt in status.attempts:
        # An undo that did not do all may be tried again by hand, under the same name.
        looked = attempt.rollback_verification
        undone = looked is not None and looked.verdict is ProbeVerdict.PASSED
        undo = attempt.rollback if undone else None
        # A run takes over the rights of its dry run, name and all.
        runs = [run for run in (attempt.run or attempt.plan, undo) if run is not None]
        if all(run.cleaned_up for run in runs):
            found |= {RunLocation(r.name, r.namespace, meta.namespace, meta.uid) for r in runs}
    return found


def _places(found: Iterable[Json], namespace: str) -> Iterable[RunLocation]:
    for item in found:
        labels = item["metadata"].get("labels") or {}
        uid = labels.get(REMEDIATION_UID_LABEL)
        target = labels.get(REMEDIATION_NAMESPACE_LABEL)
        if not uid or not target:
            continue
        name = str(item["metadata"]["name"])
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
        yield RunLocation(name, namespace, target, uid)

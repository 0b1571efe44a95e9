"""Deletes expired remediations, and what is left of runs that no remediation owns any more."""

from collections.abc import Iterable, Iterator
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

PERIOD_SECONDS = 60.0
_ORPHAN_ROUNDS = 5  # orphans are looked for in every fifth round
_SUFFIXES = ("-input", "-result")
_LATE_REQUEST = timedelta(minutes=15)
"""How long after the end of a remediation a request that was sent before it may still arrive."""


async def collect_garbage(
    cluster: Cluster, clock: Clock, index: RemediationIndex, namespace: str
) -> None:
    """Collect garbage in rounds, forever; the next round makes up for one that fails."""
    round_number = 0
    while True:
        try:
            await remove_expired(cluster, clock, index)
            if round_number % _ORPHAN_ROUNDS == 0:
                await remove_orphans(cluster, namespace)
                await remove_late(cluster, clock)
        except ClusterError as error:
            _log.warning("garbage_collection_failed", error=one_line(error))
        except Exception:  # noqa: BLE001 - one round must not be the last
            _log.exception("garbage_collection_failed")
        round_number += 1
        await clock.sleep(PERIOD_SECONDS)


async def remove_expired(cluster: Cluster, clock: Clock, index: RemediationIndex) -> int:
    """Delete remediations beyond their policy's history limit or TTL; return how many."""
    remediations = expired(index.all(), clock.now())
    for remediation in remediations:
        await cluster.delete_object(
            Remediation, remediation.namespace, remediation.name, remediation.uid
        )
    if remediations:
        _log.info("remediations_expired", count=len(remediations))
    return len(remediations)


async def remove_orphans(cluster: Cluster, namespace: str) -> int:
    """Delete runs whose remediation is gone, as when its finalizer was removed by hand."""
    objects: list[Json] = []
    for resource in (JOBS, RUN_GRANTS, CONFIG_MAPS):
        objects += await cluster.list_resource(resource, namespace, {MANAGED_BY_LABEL: "reme"})
    locations = set(_run_locations(objects, namespace))
    if not locations:
        return 0
    # Listed after the runs: the remediation of a run that was just made is in this list.
    live_uids = {str(r["metadata"]["uid"]) for r in await cluster.list_resource(REMEDIATIONS)}
    orphans = sorted(location for location in locations if location.uid not in live_uids)
    for location in orphans:
        await delete_run(cluster, location)
        _log.warning("orphaned_run_deleted", run=location.run)
    return len(orphans)


async def remove_late(cluster: Cluster, clock: Clock) -> None:
    """Delete what was created for a run after the run had been cleaned up.

    A process that lost the network, and its lease with it, may have sent a request that arrives
    after another process has finished the run. What the request creates can do nothing by itself.
    """
    now = clock.now()
    for remediation in await cluster.list_objects(Remediation):
        for location in _finished_runs(remediation, now):
            await delete_run(cluster, location)


def _finished_runs(remediation: Remediation, now: datetime) -> set[RunLocation]:
    """Return the cleaned-up runs of a remediation that ended recently and will not run again."""
    status, meta = remediation.status, remediation.metadata
    if status.outcome is None or status.completion_time is None:
        return set()
    if now - status.completion_time > _LATE_REQUEST:
        return set()
    locations = set()
    for attempt in status.attempts:
        # A rollback that is incomplete may be repeated by a person, under the same name.
        verification = attempt.rollback_verification
        restored = verification is not None and verification.verdict is ProbeVerdict.PASSED
        rollback = attempt.rollback if restored else None
        # A run takes over the identity of its dry run, with the same name.
        runs = [run for run in (attempt.run or attempt.plan, rollback) if run is not None]
        if all(run.cleaned_up for run in runs):
            locations |= {RunLocation(r.name, r.namespace, meta.namespace, meta.uid) for r in runs}
    return locations


def _run_locations(objects: Iterable[Json], namespace: str) -> Iterator[RunLocation]:
    for item in objects:
        labels = item["metadata"].get("labels") or {}
        uid = labels.get(REMEDIATION_UID_LABEL)
        target_namespace = labels.get(REMEDIATION_NAMESPACE_LABEL)
        if not uid or not target_namespace:
            continue
        name = str(item["metadata"]["name"])
        for suffix in _SUFFIXES:
            name = name.removesuffix(suffix)
        yield RunLocation(name, namespace, target_namespace, uid)

"""Restores a namespace to a snapshot, whatever was changed since."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scoring import pods, revisions
from reme_benchmark.scoring.object_restore import (
    address_changed,
    restore_order,
    same_desired_state,
    with_desired_state,
)
from reme_benchmark.scoring.snapshot import (
    WORKLOADS,
    Snapshot,
    available_of,
    controller,
    key_of,
    ready,
    take_snapshot,
)
from reme_kube.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    InvalidError,
    NotFoundError,
)
from reme_operator.probes.rollout import rollout_sample

Sleep = Callable[[float], Awaitable[None]]

_TRIES = 6
_PERIOD_SECONDS = 0.25
_AGAIN_SECONDS = 4.0
"""How often a stuck object is pushed again; the back-offs of kubelet and controllers are longer."""
_TERMINATION_SECONDS = 3.0
"""How long pods may take to terminate before they are killed."""
_RECOVERY_SECONDS = 8.0
"""How long earlier pods may take to become ready again, before they are replaced."""


@dataclass
class RestoreResult:
    """What was restored, and what could not be."""

    seconds: float = 0
    changed: list[str] = field(default_factory=list)  # Kind/name that was rewritten or recreated
    deleted: list[str] = field(default_factory=list)  # Kind/name that did not exist before
    missing: list[str] = field(default_factory=list)  # what could not be restored, and why

    @property
    def ok(self) -> bool:
        """Whether everything is as in the snapshot."""
        return not self.missing


async def restore(
    cluster: Cluster,
    namespace: str,
    snapshot: Snapshot,
    *,
    ready_seconds: float,
    sleep: Sleep = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> RestoreResult:
    """Restore the namespace and the nodes, and wait until all workloads are available again.

    Errors of the cluster are not raised but listed in `missing`. Afterwards no workload has an
    earlier revision to roll back to.
    """
    started, result = clock(), RestoreResult()
    restorer = _Restorer(cluster, namespace, snapshot, result)
    try:
        now = await take_snapshot(cluster, namespace)
        await restorer.write_objects(now)
        await restorer.replace_pods(now)
        await restorer.wait(now, started + ready_seconds, sleep, clock)
        await restorer.delete_old_revisions()
        if result.changed or result.deleted:
            await restorer.verify()
    except ClusterError as error:
        result.missing.append(f"{namespace}: {error}")
    result.seconds = clock() - started
    return result


async def restore_objects(cluster: Cluster, namespace: str, snapshot: Snapshot) -> RestoreResult:
    """Restore the objects of the namespace and the nodes, without pods and without waiting.

    Errors of the cluster are not raised but listed in `missing`.
    """
    result = RestoreResult()
    try:
        restorer = _Restorer(cluster, namespace, snapshot, result)
        await restorer.write_objects(await take_snapshot(cluster, namespace))
    except ClusterError as error:
        result.missing.append(f"{namespace}: {error}")
    return result


@dataclass
class _Restorer:
    cluster: Cluster
    namespace: str
    snapshot: Snapshot
    result: RestoreResult

    async def write_objects(self, now: Snapshot) -> None:
        """Delete new objects, then write those that differ."""
        desired = self.snapshot.objects
        for key in restore_order(now.objects.keys() - desired.keys()):
            kind, _, name = key.partition("/")
            if kind != "Node":
                await self.cluster.delete(kind, name, self._scope(kind))
                self.result.deleted.append(key)
        for key in restore_order(desired):
            if key not in now.objects or not same_desired_state(desired[key], now.objects[key]):
                await self._write(key, desired[key])

    async def _write(self, key: str, desired: Object) -> None:
        kind, _, name = key.partition("/")
        refusal: ClusterError | None = None
        for _ in range(_TRIES):
            try:
                current = await self.cluster.get(kind, name, self._scope(kind))
                if current is None and kind == "Node":
                    break
                if current is None:
                    await self.cluster.create(desired)
                elif current["metadata"].get("deletionTimestamp") or isinstance(
                    refusal, InvalidError
                ):
                    # An immutable field differs, or the old object is still being deleted.
                    await self.cluster.delete(kind, name, self._scope(kind), grace=0)
                    refusal = None
                    await asyncio.sleep(0.1)
                    continue
                elif address_changed(current, desired):
                    await self.cluster.delete(kind, name, self._scope(kind))
                    continue
                else:
                    await self.cluster.replace(with_desired_state(current, desired))
            except (ConflictError, NotFoundError, AlreadyExistsError, InvalidError) as error:
                refusal = error
                continue
            self.result.changed.append(key)
            return
        self.result.missing.append(f"{key}: {refusal or 'it does not exist'}")

    def _scope(self, kind: str) -> str:
        return "" if kind in ("Node", "Namespace") else self.namespace

    async def replace_pods(self, now: Snapshot) -> None:
        """Delete pods that would recover slowly, and pods without an owner that are new."""
        current = await self.cluster.list("Pod", self.namespace)
        owners = await revisions.templates(self.cluster, self.namespace)
        earlier = {pod.uid for pod in now.pods}
        for pod in current:
            # Pods that were created since `now` come from the restored objects.
            if pod["metadata"]["uid"] in earlier and self._must_replace(pod, owners):
                await self._delete_pod(pod)

    def _must_replace(self, pod: Object, owners: dict[str, Object]) -> bool:
        owner = controller(pod)
        uid = pod["metadata"].get("uid")
        known = next((p for p in self.snapshot.pods if p.uid == uid), None)
        if owner is None:
            return known is None
        if owner["kind"] == "Job":
            return False
        restarted = pods.restarts(pod) > (known.restarts if known else 0)
        template = owners.get(owner["uid"])
        if template is None:  # its owner is being deleted
            return True
        return restarted or pods.stuck(pod) or pods.differs_from_template(pod, template)

    async def _delete_pod(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        grace = 1 if ready(pod) else 0  # a crashing pod needs no time to end its requests
        if await self.cluster.delete("Pod", name, self.namespace, grace=grace):
            self.result.deleted.append(f"Pod/{name}")

    async def wait(
        self, now: Snapshot, until: float, sleep: Sleep, clock: Callable[[], float]
    ) -> None:
        """Wait until every workload and Service is as available as in the snapshot."""
        started = clock()
        earlier = {pod.uid for pod in now.pods}
        pushed: dict[str, float] = {}

        def due(key: str, first: float) -> bool:
            """Return whether it is time to push a stuck object, for the first time or again."""
            if (
                clock() - started < first
                or clock() - pushed.get(key, -_AGAIN_SECONDS) < _AGAIN_SECONDS
            ):
                return False
            pushed[key] = clock()
            return True

        while True:
            unfinished, current, waiting = await self._read_progress()
            if not unfinished:
                return
            if clock() >= until:
                self.result.missing += unfinished
                self.result.missing += [
                    f"Pod/{p['metadata']['name']}: {pods.not_ready_reason(p)}"[:300]
                    for p in current
                    if not ready(p)
                ]
                return
            for pod in current:
                name, old = pod["metadata"]["name"], pod["metadata"]["uid"] in earlier
                if pod["metadata"].get("deletionTimestamp"):
                    if due(f"ending {name}", _TERMINATION_SECONDS):
                        await self.cluster.delete("Pod", name, self.namespace, grace=0)
                elif not ready(pod) and (
                    (pods.restarts(pod) and due(f"crashing {pods.owner_uid(pod)}", 0))
                    or (old and due(f"unready {name}", _RECOVERY_SECONDS))
                ):
                    await self._delete_pod(pod)
            for item in waiting:
                if due(f"waiting {key_of(item)}", 0):
                    await revisions.trigger_reconcile(self.cluster, item)
            await sleep(_PERIOD_SECONDS)

    async def _read_progress(self) -> tuple[list[str], list[Object], list[Object]]:
        """Return what is not yet available, all pods, and the controllers that lack pods."""
        *lists, sets, current = await asyncio.gather(
            *(self.cluster.list(kind, self.namespace) for kind in WORKLOADS),
            self.cluster.list("ReplicaSet", self.namespace),
            self.cluster.list("Pod", self.namespace),
        )
        workloads = {key_of(w): w for items in lists for w in items}
        unfinished = []
        for key, available in self.snapshot.available.items():
            if key not in workloads:
                unfinished.append(f"{key}: it does not exist")
            elif (sample := rollout_sample(workloads[key], 0)).passed is not True:
                unfinished.append(sample.message)
            elif available_of(workloads[key]) < available:
                count = available_of(workloads[key])
                unfinished.append(f"{key}: {count} of {available} pods are available")
        unfinished += [
            f"Pod/{p['metadata']['name']}: it is still terminating"
            for p in current
            if p["metadata"].get("deletionTimestamp")
        ]
        controllers = [*sets, *(w for w in workloads.values() if w["kind"] != "Deployment")]
        waiting = [c for c in controllers if revisions.lacks_pods(c)]
        return unfinished or await self._services_without_pods(current), current, waiting

    async def _services_without_pods(self, current: list[Object]) -> list[str]:
        """Return the Services whose endpoints lack ready pods that they select."""
        slices = await self.cluster.list("EndpointSlice", self.namespace)
        return [
            f"Service/{name}: not all of its pods are endpoints yet"
            for name, service in self.snapshot.kind("Service")
            if pods.selected(current, service) - pods.endpoints(slices, name)
        ]

    async def delete_old_revisions(self) -> None:
        """Delete the revisions that a rollback could return to."""
        self.result.deleted += await revisions.delete_unused(self.cluster, self.namespace)

    async def verify(self) -> None:
        """Record which objects still differ from the snapshot."""
        now = await take_snapshot(self.cluster, self.namespace)
        desired = self.snapshot.objects
        self.result.missing += [
            f"{key}: it differs from the snapshot"
            for key in sorted(desired.keys() | now.objects.keys())
            if key in desired or not key.startswith("Node/")
            if key not in desired
            or key not in now.objects
            or not same_desired_state(desired[key], now.objects[key])
        ]

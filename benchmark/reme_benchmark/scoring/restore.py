"""Puts a namespace back to what a snapshot says, whatever was done to it meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scoring import pods, revisions
from reme_benchmark.scoring.object_restore import ordered, reborn, same, told_again
from reme_benchmark.scoring.snapshot import (
    WORKLOADS,
    Snapshot,
    available_of,
    controller,
    key_of,
    ready,
    take,
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
"""How often what does not move is pushed: the back-offs of kubelet and controllers are longer."""
_PATIENCE_SECONDS = 3.0
"""How long pods may take to end; the next case needs no last words of theirs."""
_OLD_PATIENCE_SECONDS = 8.0
"""How long pods from before may take to become ready again, when nothing is wrong any more."""


@dataclass
class Restored:
    """What was done, and what is not as before in spite of it."""

    seconds: float = 0
    changed: list[str] = field(default_factory=list)  # Kind/name that was put back or made again
    deleted: list[str] = field(default_factory=list)  # Kind/name that was not there before
    missing: list[str] = field(default_factory=list)  # what did not come back, and why

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
) -> Restored:
    """Make the namespace and the nodes what they were, and wait until all of it works again.

    Never raises for what the cluster refuses: it is named in `missing`. What was made anew has
    no earlier revision to roll back to.
    """
    begun, done = clock(), Restored()
    keeper = _Keeper(cluster, namespace, snapshot, done)
    try:
        now = await take(cluster, namespace)
        await keeper.put_back(now)
        await keeper.replace_pods(now)
        await keeper.wait(now, begun + ready_seconds, sleep, clock)
        await keeper.forget_revisions()
        if done.changed or done.deleted:
            await keeper.check()
    except ClusterError as error:
        done.missing.append(f"{namespace}: {error}")
    done.seconds = clock() - begun
    return done


async def write_back(cluster: Cluster, namespace: str, snapshot: Snapshot) -> Restored:
    """Make the objects of the namespace and the nodes what they were; wait for nothing.

    Pods are left alone. Never raises for what the cluster refuses: it is named in `missing`.
    """
    done = Restored()
    try:
        keeper = _Keeper(cluster, namespace, snapshot, done)
        await keeper.put_back(await take(cluster, namespace))
    except ClusterError as error:
        done.missing.append(f"{namespace}: {error}")
    return done


@dataclass
class _Keeper:
    cluster: Cluster
    namespace: str
    snapshot: Snapshot
    done: Restored

    async def put_back(self, now: Snapshot) -> None:
        """Delete what is new, then write what differs."""
        wanted = self.snapshot.objects
        for key in ordered(now.objects.keys() - wanted.keys()):
            kind, _, name = key.partition("/")
            if kind != "Node":
                await self.cluster.delete(kind, name, self._scope(kind))
                self.done.deleted.append(key)
        for key in ordered(wanted):
            if key not in now.objects or not same(wanted[key], now.objects[key]):
                await self._write(key, wanted[key])

    async def _write(self, key: str, wanted: Object) -> None:
        kind, _, name = key.partition("/")
        refused: ClusterError | None = None
        for _ in range(_TRIES):
            try:
                found = await self.cluster.get(kind, name, self._scope(kind))
                if found is None and kind == "Node":
                    break
                if found is None:
                    await self.cluster.create(wanted)
                elif found["metadata"].get("deletionTimestamp") or isinstance(
                    refused, InvalidError
                ):
                    # A field that cannot be changed, or a name that is being freed.
                    await self.cluster.delete(kind, name, self._scope(kind), grace=0)
                    refused = None
                    await asyncio.sleep(0.1)
                    continue
                elif reborn(found, wanted):
                    await self.cluster.delete(kind, name, self._scope(kind))
                    continue
                else:
                    await self.cluster.replace(told_again(found, wanted))
            except (ConflictError, NotFoundError, AlreadyExistsError, InvalidError) as error:
                refused = error
                continue
            self.done.changed.append(key)
            return
        self.done.missing.append(f"{key}: {refused or 'it is gone'}")

    def _scope(self, kind: str) -> str:
        return "" if kind in ("Node", "Namespace") else self.namespace

    async def replace_pods(self, now: Snapshot) -> None:
        """Delete the pods that would need long to recover, or that somebody else made."""
        found = await self.cluster.list("Pod", self.namespace)
        owners = await revisions.templates(self.cluster, self.namespace)
        there = {pod.uid for pod in now.pods}
        for pod in found:
            # Those that came since are the ones that were asked for.
            if pod["metadata"]["uid"] in there and self._spoiled(pod, owners):
                await self._delete_pod(pod)

    def _spoiled(self, pod: Object, owners: dict[str, Object]) -> bool:
        owner = controller(pod)
        uid = pod["metadata"].get("uid")
        known = next((p for p in self.snapshot.pods if p.uid == uid), None)
        if owner is None:
            return known is None
        if owner["kind"] == "Job":
            return False
        worn = pods.restarts(pod) > (known.restarts if known else 0)
        template = owners.get(owner["uid"])
        # A pod whose owner is on its way out goes with it; here it goes at once.
        return worn or template is None or pods.stuck(pod) or pods.swapped(pod, template)

    async def _delete_pod(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        # One that crashes has nothing to end in order; one that serves gets its second.
        grace = 1 if ready(pod) else 0
        if await self.cluster.delete("Pod", name, self.namespace, grace=grace):
            self.done.deleted.append(f"Pod/{name}")

    async def wait(
        self, now: Snapshot, until: float, sleep: Sleep, clock: Callable[[], float]
    ) -> None:
        """Wait until every workload and Service is as available as it was."""
        begun = clock()
        there = {pod.uid for pod in now.pods}
        pushed: dict[str, float] = {}

        def due(key: str, first: float) -> bool:
            """Whether it is time to push something (again) that does not move by itself."""
            if (
                clock() - begun < first
                or clock() - pushed.get(key, -_AGAIN_SECONDS) < _AGAIN_SECONDS
            ):
                return False
            pushed[key] = clock()
            return True

        while True:
            why, found, waiting = await self._unfinished()
            if not why:
                return
            if clock() >= until:
                self.done.missing += why
                self.done.missing += [
                    f"Pod/{p['metadata']['name']}: {pods.trouble(p)}"[:300]
                    for p in found
                    if not ready(p)
                ]
                return
            for pod in found:
                name, old = pod["metadata"]["name"], pod["metadata"]["uid"] in there
                if pod["metadata"].get("deletionTimestamp"):
                    if due(f"ending {name}", _PATIENCE_SECONDS):
                        await self.cluster.delete("Pod", name, self.namespace, grace=0)
                elif not ready(pod) and (
                    (pods.restarts(pod) and due(f"crashing {pods.owner(pod)}", 0))
                    or (old and due(f"unready {name}", _OLD_PATIENCE_SECONDS))
                ):
                    await self._delete_pod(pod)
            for item in waiting:
                if due(f"waiting {key_of(item)}", 0):
                    await revisions.nudge(self.cluster, item)
            await sleep(_PERIOD_SECONDS)

    async def _unfinished(self) -> tuple[list[str], list[Object], list[Object]]:
        """Return what is not as available as before, all pods, and who makes too few of them."""
        *lists, sets, found = await asyncio.gather(
            *(self.cluster.list(kind, self.namespace) for kind in WORKLOADS),
            self.cluster.list("ReplicaSet", self.namespace),
            self.cluster.list("Pod", self.namespace),
        )
        workloads = {key_of(w): w for listed in lists for w in listed}
        why = []
        for key, available in self.snapshot.available.items():
            if key not in workloads:
                why.append(f"{key}: it does not exist")
            elif (sample := rollout_sample(workloads[key], 0)).passed is not True:
                why.append(sample.message)
            elif available_of(workloads[key]) < available:
                why.append(f"{key}: {available_of(workloads[key])} of {available} are available")
        why += [
            f"Pod/{p['metadata']['name']}: it is still ending"
            for p in found
            if p["metadata"].get("deletionTimestamp")
        ]
        makers = [*sets, *(w for w in workloads.values() if w["kind"] != "Deployment")]
        return why or await self._unserved(found), found, [m for m in makers if revisions.lacks(m)]

    async def _unserved(self, found: list[Object]) -> list[str]:
        """Return the Services that do not lead to the ready pods that they select."""
        slices = await self.cluster.list("EndpointSlice", self.namespace)
        return [
            f"Service/{name}: not all of its pods are its endpoints yet"
            for name, service in self.snapshot.kind("Service")
            if pods.selected(found, service) - pods.endpoints(slices, name)
        ]

    async def forget_revisions(self) -> None:
        """Delete the revisions that a rollback could fall back to."""
        self.done.deleted += await revisions.forget(self.cluster, self.namespace)

    async def check(self) -> None:
        """Note what still is not as before."""
        now = await take(self.cluster, self.namespace)
        wanted = self.snapshot.objects
        self.done.missing += [
            f"{key}: it is not as before"
            for key in sorted(wanted.keys() | now.objects.keys())
            if key in wanted or not key.startswith("Node/")
            if key not in wanted
            or key not in now.objects
            or not same(wanted[key], now.objects[key])
        ]

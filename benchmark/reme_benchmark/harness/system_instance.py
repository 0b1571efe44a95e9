"""A system in one namespace: deployed once, and restored after each case."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scenarios.systems.model import System
from reme_benchmark.scenarios.systems.render import Flavour, manifests, users
from reme_benchmark.scoring.judge import compare_sli
from reme_benchmark.scoring.restore import restore
from reme_benchmark.scoring.snapshot import WORKLOADS, Snapshot, take_snapshot
from reme_benchmark.scoring.user_sli import LoadGenerator, UserSli
from reme_kube.errors import ClusterError
from reme_operator.probes.rollout import rollout_sample
from reme_playbook.snapshot.snapshot import LAST_APPLIED

BASELINE = "bench-baseline"
SERVED_PERCENT = 98.0
_PARALLEL_REQUESTS = 8
_SERVED_SECONDS, _USUAL_SECONDS = 2, 8


class SystemInstanceError(Exception):
    """The system is not healthy and could not be restored."""


@dataclass
class SystemInstance:
    """A system, its namespace, and its state while it was healthy."""

    cluster: Cluster
    system: System
    namespace: str
    flavour: Flavour = "workload"
    users: LoadGenerator = field(init=False)
    baseline: Snapshot | None = field(default=None, init=False)
    usual_sli: UserSli = field(default_factory=UserSli, init=False)  # of the healthy system

    def __post_init__(self) -> None:
        self.users = LoadGenerator(self.cluster, self.namespace)

    async def up(self, say: Callable[[str], None], timeout_seconds: float = 240) -> None:
        """Deploy the system, or restore the one of an earlier run.

        Raises:
            SystemInstanceError: a workload does not become available.
        """
        bodies = [
            with_last_applied(body)
            for body in manifests(self.system, self.namespace, flavour=self.flavour)
        ]
        stored = await self._stored_baseline(bodies)
        if stored is None:
            await self._delete_namespaces()
            say(f"{self.system.name}: deploying {len(self.system.services)} services")
            await self._apply(bodies)
        else:
            say(f"{self.system.name}: restoring the existing system")
            self.baseline = stored
            await restore(self.cluster, self.namespace, stored, ready_seconds=timeout_seconds)
        await self._apply_users()
        await self._wait_available(self.namespace, timeout_seconds)
        await self._wait_available(f"{self.namespace}-users", 60)
        await self.served(60)
        self.usual_sli = await self._measure_usual_sli()
        if stored is None:
            self.baseline = await take_snapshot(self.cluster, self.namespace)
            await self._store_baseline(bodies, self.baseline)

    async def restore(self, ready_seconds: float = 90) -> None:
        """Restore the state in which the system was healthy."""
        if self.baseline is not None:
            await restore(self.cluster, self.namespace, self.baseline, ready_seconds=ready_seconds)

    async def healthy(self) -> None:
        """Restore the system and wait until it is healthy; retry once with a new load generator.

        Raises:
            SystemInstanceError: it is not healthy after that.
        """
        await self.restore()
        try:
            await self.served(20)
        except SystemInstanceError:
            await self._apply_users()
            await self.restore()
            await self.served(45)

    async def served(self, timeout_seconds: float) -> None:
        """Wait until users are served.

        Raises:
            SystemInstanceError: not within the timeout.
        """
        await self._wait_for_sli(
            lambda sli: sli.total >= 2 and sli.percent >= SERVED_PERCENT,
            _SERVED_SECONDS,
            timeout_seconds,
        )

    async def settled(self, seconds: int, timeout_seconds: float = 60) -> None:
        """Wait until users were served as usual for some seconds.

        A report about a healthy system must not show the effects of the last case.

        Raises:
            SystemInstanceError: not within the timeout.
        """
        await self._wait_for_sli(
            lambda sli: compare_sli(self.usual_sli, sli).ok is True, seconds, timeout_seconds
        )

    async def _wait_for_sli(
        self, good: Callable[[UserSli], bool], seconds: int, timeout_seconds: float
    ) -> None:
        until, sli = time.monotonic() + timeout_seconds, None
        while time.monotonic() < until:
            sli = await self.users.recent(seconds)
            if good(sli):
                return
            await asyncio.sleep(0.7)
        raise SystemInstanceError(
            f"users of {self.system.name} are not served: {sli}; usually: {self.usual_sli}"
        )

    async def _measure_usual_sli(self) -> UserSli:
        until = time.monotonic() + 30
        while True:
            sli = await self.users.recent(_USUAL_SECONDS)
            if sli.percent >= SERVED_PERCENT or time.monotonic() > until:
                return sli
            await asyncio.sleep(1)

    async def down(self) -> None:
        """Delete the system and its load generator, without waiting."""
        await self._delete_namespaces(wait=False)

    async def _apply_users(self) -> None:
        await self._apply(users(self.system, self.namespace, flavour=self.flavour))

    async def _apply(self, bodies: Iterable[Object]) -> None:
        bodies = list(bodies)
        await self.cluster.apply([b for b in bodies if b["kind"] == "Namespace"])
        limit = asyncio.Semaphore(_PARALLEL_REQUESTS)

        async def apply_one(body: Object) -> None:
            async with limit:
                await self.cluster.apply([body])

        await asyncio.gather(*(apply_one(b) for b in bodies if b["kind"] != "Namespace"))

    async def _wait_available(self, namespace: str, timeout_seconds: float) -> None:
        until, missing = time.monotonic() + timeout_seconds, [""]
        while time.monotonic() < until:
            missing = [
                f"{kind}/{workload['metadata']['name']}"
                for kind in WORKLOADS
                for workload in await self.cluster.list(kind, namespace)
                if not rollout_sample(workload, 0).passed
            ]
            if not missing:
                return
            await asyncio.sleep(1)
        names = ", ".join(sorted(missing)[:5])
        raise SystemInstanceError(f"{self.system.name} is not available: {names}")

    async def _delete_namespaces(self, *, wait: bool = True) -> None:
        names = (self.namespace, f"{self.namespace}-users")
        for name in names:
            # A Remediation has a finalizer of the operator, so it is deleted first.
            for remediation in await self._remediations(name):
                await self.cluster.delete("Remediation", remediation, name)
            await self.cluster.delete("Namespace", name)
        until = time.monotonic() + 120
        while wait and time.monotonic() < until:
            if not [n for n in names if await self.cluster.get("Namespace", n)]:
                return
            await asyncio.sleep(1)

    async def _remediations(self, namespace: str) -> list[str]:
        try:
            remediations = await self.cluster.list("Remediation", namespace)
        except ClusterError:  # reme's CRDs may not be installed
            return []
        return [item["metadata"]["name"] for item in remediations]

    async def _stored_baseline(self, bodies: list[Object]) -> Snapshot | None:
        """Return the stored baseline, if the same manifests are deployed."""
        secret = await self.cluster.get("Secret", BASELINE, f"{self.namespace}-users")
        data = {k: base64.b64decode(v).decode() for k, v in (secret or {}).get("data", {}).items()}
        if data.get("manifests") != _digest(bodies):
            return None
        return Snapshot.from_json(data["snapshot"])

    async def _store_baseline(self, bodies: list[Object], snapshot: Snapshot) -> None:
        """Store the baseline in a Secret, because it contains the Secrets of the system."""
        await self.cluster.apply(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": BASELINE, "namespace": f"{self.namespace}-users"},
                    "stringData": {"manifests": _digest(bodies), "snapshot": snapshot.to_json()},
                }
            ]
        )


def with_last_applied(body: Object) -> Object:
    """Return the object with the annotation that `kubectl apply` writes.

    Most systems are deployed by `kubectl apply`, and repairs can return to the applied state.
    """
    metadata = body["metadata"]
    annotation = {LAST_APPLIED: json.dumps(body, separators=(",", ":"))}
    return {
        **body,
        "metadata": {**metadata, "annotations": metadata.get("annotations", {}) | annotation},
    }


def _digest(bodies: list[Object]) -> str:
    return hashlib.sha256(json.dumps(bodies, sort_keys=True).encode()).hexdigest()

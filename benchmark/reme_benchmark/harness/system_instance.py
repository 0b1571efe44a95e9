"""One system in one namespace: brought up once, and brought back to how it was after each case."""

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
from reme_benchmark.scoring.snapshot import Snapshot, take_snapshot
from reme_benchmark.scoring.user_sli import LoadGenerator, UserSli
from reme_operator.probes.rollout import rollout_sample
from reme_playbook.snapshot.snapshot import LAST_APPLIED

BASELINE = "bench-baseline"
SERVED_PERCENT = 98.0
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_AT_ONCE = 8
_SERVED_SECONDS, _USUAL_SECONDS = 2, 8


class SystemInstanceError(Exception):
    """The system is not healthy, and cannot be made so."""


@dataclass
class SystemInstance:
    """A system, where it runs, and how it was when it was healthy."""

    cluster: Cluster
    system: System
    namespace: str
    flavour: Flavour = "workload"
    users: LoadGenerator = field(init=False)
    baseline: Snapshot | None = field(default=None, init=False)
    usual: UserSli = field(default_factory=UserSli, init=False)
    """What users feel while all is well."""

    def __post_init__(self) -> None:
        self.users = LoadGenerator(self.cluster, self.namespace)

    async def up(self, say: Callable[[str], None], timeout_seconds: float = 240) -> None:
        """Bring the system up, or back to how an earlier run left it when it was healthy.

        Raises:
            StageError: something does not become available.
        """
        found = manifests(self.system, self.namespace, flavour=self.flavour)
        bodies = [as_applied(body) for body in found]
        crowd = users(self.system, self.namespace, flavour=self.flavour)
        known = await self._known(bodies)
        if known is None:
            await self._gone()
            say(f"{self.system.name}: {len(self.system.services)} services are deployed")
            await self._apply(bodies)
        else:
            say(f"{self.system.name}: is there, and brought back to how it was")
            self.baseline = known
            await restore(self.cluster, self.namespace, known, ready_seconds=timeout_seconds)
        await self._apply(crowd)
        await self._available(self.namespace, timeout_seconds)
        await self._available(f"{self.namespace}-users", 60)
        await self.served(60)
        self.usual = await self._usual()
        if known is None:
            self.baseline = await take_snapshot(self.cluster, self.namespace)
            await self._keep(bodies, self.baseline)

    async def back(self, ready_seconds: float = 90) -> None:
        """Bring everything back to how it was when the system was healthy."""
        if self.baseline is not None:
            await restore(self.cluster, self.namespace, self.baseline, ready_seconds=ready_seconds)

    async def healthy(self) -> None:
        """Return when the system is as it should be before a fault; mend it once if it is not.

        Raises:
            StageError: it is not, also after that.
        """
        await self.back()
        try:
            await self.served(20)
        except SystemInstanceError:
            # Once more with the crowd anew, and never a third time: the case says why then.
            await self._apply(users(self.system, self.namespace, flavour=self.flavour))
            await self.back()
            await self.served(45)

    async def served(self, timeout_seconds: float) -> None:
        """Wait until users are served.

        Raises:
            StageError: not within the timeout.
        """
        await self._until(
            lambda sli: sli.total >= 2 and sli.percent >= SERVED_PERCENT,
            _SERVED_SECONDS,
            timeout_seconds,
        )

    async def settled(self, seconds: int, timeout_seconds: float = 60) -> None:
        """Wait until users were served for so many seconds as they are while all is well.

        What is said of a healthy system must not be what the case before did to its users.

        Raises:
            StageError: not within the timeout.
        """
        await self._until(
            lambda sli: compare_sli(self.usual, sli).ok is True, seconds, timeout_seconds
        )

    async def _until(
        self, good: Callable[[UserSli], bool], seconds: int, timeout_seconds: float
    ) -> None:
        until, sli = time.monotonic() + timeout_seconds, None
        while time.monotonic() < until:
            sli = await self.users.recent(seconds)
            if good(sli):
                return
            await asyncio.sleep(0.7)
        raise SystemInstanceError(
            f"users of {self.system.name} are not served: {sli}; usually: {self.usual}"
        )

    async def _usual(self) -> UserSli:
        """Return what users feel over some settled seconds."""
        until = time.monotonic() + 30
        while True:
            sli = await self.users.recent(_USUAL_SECONDS)
            if sli.percent >= SERVED_PERCENT or time.monotonic() > until:
                return sli
            await asyncio.sleep(1)

    async def down(self) -> None:
        """Remove the system and its users."""
        await self._gone(wait=False)

    async def _apply(self, bodies: Iterable[Object]) -> None:
        ordered = list(bodies)
        first = [b for b in ordered if b["kind"] == "Namespace"]
        await self.cluster.apply(first)
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(body: Object) -> None:
            async with limit:
                await self.cluster.apply([body])

        await asyncio.gather(*(one(b) for b in ordered if b["kind"] != "Namespace"))

    async def _available(self, namespace: str, timeout_seconds: float) -> None:
        until, missing = time.monotonic() + timeout_seconds, [""]
        while time.monotonic() < until:
            missing = [
                f"{kind}/{found['metadata']['name']}"
                for kind in _WORKLOADS
                for found in await self.cluster.list(kind, namespace)
                if not rollout_sample(found, 0).passed
            ]
            if not missing:
                return
            await asyncio.sleep(1)
        raise SystemInstanceError(
            f"{self.system.name}: not available: {', '.join(sorted(missing)[:5])}"
        )

    async def _gone(self, *, wait: bool = True) -> None:
        names = (self.namespace, f"{self.namespace}-users")
        for name in names:
            # Remediations have a finalizer that needs the operator: they go first.
            for item in await self._remediations(name):
                await self.cluster.delete("Remediation", item, name)
            await self.cluster.delete("Namespace", name)
        until = time.monotonic() + 120
        while wait and time.monotonic() < until:
            if not [n for n in names if await self.cluster.get("Namespace", n)]:
                return
            await asyncio.sleep(1)

    async def _remediations(self, namespace: str) -> list[str]:
        try:
            found = await self.cluster.list("Remediation", namespace)
        except Exception:  # noqa: BLE001 - without reme's definitions there are none
            return []
        return [item["metadata"]["name"] for item in found]

    async def _known(self, bodies: list[Object]) -> Snapshot | None:
        """Return how the system was, if what runs is what would be deployed."""
        kept = await self.cluster.get("Secret", BASELINE, f"{self.namespace}-users")
        data = {k: base64.b64decode(v).decode() for k, v in (kept or {}).get("data", {}).items()}
        if data.get("manifests") != _digest(bodies):
            return None
        return Snapshot.from_json(data["snapshot"])

    async def _keep(self, bodies: list[Object], snapshot: Snapshot) -> None:
        """Remember how the system was; in a Secret, since a snapshot holds those of the system."""
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


def as_applied(body: Object) -> Object:
    """Return the object with what `kubectl apply` notes in it: what its owner asked for.

    Most systems are applied like this, and what was asked for is what a repair can go back to.
    """
    metadata = body["metadata"]
    noted = {LAST_APPLIED: json.dumps(body, separators=(",", ":"))}
    return {
        **body,
        "metadata": {**metadata, "annotations": metadata.get("annotations", {}) | noted},
    }


def _digest(bodies: list[Object]) -> str:
    return hashlib.sha256(json.dumps(bodies, sort_keys=True).encode()).hexdigest()

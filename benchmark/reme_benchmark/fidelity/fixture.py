"""A fault in a real system, brought about once and brought back after each trial."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from reme_api.diagnosis_report import Target, TargetKind
from reme_api.probes import Probe
from reme_benchmark.fidelity.snapshots import read
from reme_benchmark.harness.case_run import bites, case_context
from reme_benchmark.harness.fault_injection import Injection, InjectionError
from reme_benchmark.harness.metrics_wait import wait_for_metrics
from reme_benchmark.harness.system_instance import SystemInstance
from reme_benchmark.injection.agent_client import AgentsError, FaultAgents
from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.faults.model import Fault
from reme_benchmark.scenarios.faults.placeholders import fill
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.restore import restore_objects
from reme_benchmark.scoring.snapshot import Snapshot, take_snapshot
from reme_kube.cluster import ApiCluster
from reme_kube.errors import ClusterError
from reme_lab.fidelity import snapshot_differences
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_SETTLE_SECONDS = 12.0
_POLL_SECONDS = 0.6
_HASH = "pod-template-hash"


@dataclass
class FaultFixture:
    """One fault in one system; `begin` brings it about, `again` brings it back."""

    cluster: Cluster
    operator: ApiCluster
    agents: FaultAgents
    instance: SystemInstance
    fault: Fault
    case: Case
    context: CaseContext = field(init=False)
    healthy: ClusterSnapshot = field(init=False)
    live: ClusterSnapshot = field(init=False)
    _injection: Injection | None = None
    _faulted: Snapshot = field(init=False)
    _sets: frozenset[str] = frozenset()
    _stressed: str = ""

    async def begin(self) -> None:
        """Bring the fault about in a healthy system, and wait until it bites.

        Raises:
            InjectionError: it does not.
            ClusterError: the API server refused something.
        """
        self.context = await case_context(
            self.cluster, self.agents, self.instance, self.case, self.fault
        )
        self.healthy = await self.read()
        self._injection = Injection(self.context, self.fault)
        await self._injection.begin()
        if (missing := await bites(self.context, self.fault)) is not None:
            raise InjectionError(missing)
        await wait_for_metrics(self.context, self.fault)
        self.live = await self._settled()
        self._faulted = await take_snapshot(self.cluster, self.instance.namespace)
        self._sets = frozenset(await self._set_uids())
        self._stressed = await self._containers()

    async def again(self) -> None:
        """Have the system be as it was after the fault, before anything was tried on it.

        What can be written back is written back; where that does not tell the same story, the
        system is mended and the fault brought about anew.

        Raises:
            InjectionError: the fault does not come back.
            ClusterError: the API server refused something.
        """
        if not await self._written_back():
            await self._ended()
            await self.instance.healthy()
            await self.begin()

    async def end(self) -> None:
        """End the fault, and bring the system back; safe to call again."""
        await self._ended()
        await self.instance.back()

    async def _ended(self) -> None:
        if self._injection is not None:
            with contextlib.suppress(AgentsError, ClusterError):
                await self._injection.end()

    @property
    def pod(self) -> str:
        """The pod into which the fault was put, where it is in one."""
        return self._injection.pod if self._injection else ""

    @property
    def target(self) -> Target:
        """The workload that has the fault."""
        kind = self.instance.system.service(self.case.service).kind
        return Target(kind=TargetKind(kind), name=self.case.service)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What a report of this fault would measure."""
        values = self.context.values
        found = fill(list(self.fault.report.probes), values, self.fault.id)
        return tuple(Probe.model_validate(probe) for probe in found)

    async def read(self) -> ClusterSnapshot:
        """Return the live state around the target."""
        probes: Sequence[Probe] = self.probes if hasattr(self, "context") else ()
        return await read(
            self.operator, self.instance.namespace, self.target, self.fault.report.type, probes
        )

    async def others(self) -> tuple[Object, ...]:
        """Return the other workloads of the namespace."""
        found = await self.operator.workloads(self.instance.namespace)
        return tuple(
            w for w in found if unstructured.text(w, "metadata", "name") != self.case.service
        )

    async def _settled(self) -> ClusterSnapshot:
        before = await self.read()
        for _ in range(int(_SETTLE_SECONDS / _POLL_SECONDS)):
            await asyncio.sleep(_POLL_SECONDS)
            now = await self.read()
            if same(before, now):
                return now
            before = now
        return before

    async def _written_back(self) -> bool:
        fault = self.fault
        if any(step.agent is not None and step.agent.follow for step in fault.inject):
            return False  # who follows the pods has stopped where its cause was away
        if self._in_a_pod() and await self._containers() != self._stressed:
            return False
        restored = await restore_objects(self.cluster, self.instance.namespace, self._faulted)
        if restored.missing:
            return False
        for item in await self.cluster.list("ReplicaSet", self.instance.namespace):
            if item["metadata"]["uid"] not in self._sets:
                await self.cluster.delete(
                    "ReplicaSet", item["metadata"]["name"], self.instance.namespace
                )
        if self._replaces_pods() and not same(self.live, await self.read()):
            for pod in await self._pods():
                name = pod["metadata"]["name"]
                await self.cluster.delete("Pod", name, self.instance.namespace, grace=0)
        for _ in range(int(_SETTLE_SECONDS / _POLL_SECONDS)):
            now = await self.read()
            if same(self.live, now):
                self.live = now
                return not self._in_a_pod() or await self._containers() == self._stressed
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def _in_a_pod(self) -> bool:
        steps = self.fault.inject
        return any(step.agent is not None or step.pod_fail is not None for step in steps)

    def _replaces_pods(self) -> bool:
        steps = self.fault.inject
        return any(step.delete_pods is not None or step.node is not None for step in steps)

    async def _pods(self) -> list[Object]:
        labels = {"app": self.case.service}
        return await self.cluster.list("Pod", self.instance.namespace, labels)

    async def _containers(self) -> str:
        """Return which containers run in the pod with the fault."""
        found = (
            await self.cluster.get("Pod", self.pod, self.instance.namespace) if self.pod else None
        )
        if found is None or unstructured.text(found, "metadata", "deletionTimestamp"):
            return ""
        states = unstructured.items(found, "status", "containerStatuses")
        uid = unstructured.text(found, "metadata", "uid")
        return " ".join([uid, *(unstructured.text(one, "containerID") for one in states)])

    async def _set_uids(self) -> list[str]:
        found = await self.cluster.list("ReplicaSet", self.instance.namespace)
        return [item["metadata"]["uid"] for item in found]


def same(one: ClusterSnapshot, other: ClusterSnapshot) -> bool:
    """Return whether two live states tell the same story, and the second has been looked at."""
    generation = unstructured.number(other.workload, "metadata", "generation")
    if unstructured.number(other.workload, "status", "observedGeneration") < generation:
        return False
    return not snapshot_differences(one, other) and _templates(one) == _templates(other)


def _templates(live: ClusterSnapshot) -> list[tuple[str, bool]]:
    """Return of which template each pod is; one that ends tells the stories apart."""
    return sorted(
        (
            unstructured.strings(pod, "metadata", "labels").get(_HASH, ""),
            "deletionTimestamp" in meta,
        )
        for key, pod in live.objects.items()
        if key.kind == "Pod"
        for meta in [unstructured.mapping(pod, "metadata")]
    )

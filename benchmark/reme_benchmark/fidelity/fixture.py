"""A fault in a real system, which is restored after each trial."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import Fault as ReportedFault
from reme_api.diagnosis_report import Target, TargetKind
from reme_api.probes import Probe
from reme_api.remediation import PolicySnapshot, Remediation, RemediationSpec, ReportReference
from reme_benchmark.fidelity.playbook_sampling import permissive_policy
from reme_benchmark.harness.case_run import case_context
from reme_benchmark.harness.fault_injection import (
    Injection,
    InjectionError,
    wait_for_effect,
    wait_for_metrics,
)
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
from reme_operator.snapshot.collect import collect_snapshot
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_SETTLE_SECONDS = 12.0
_POLL_SECONDS = 0.6
_HASH = "pod-template-hash"


@dataclass
class FaultFixture:
    """One fault in one system. `begin` injects it, `restore` restores it after a trial."""

    cluster: Cluster
    operator: ApiCluster
    agents: FaultAgents
    instance: SystemInstance
    fault: Fault
    case: Case
    context: CaseContext = field(init=False)
    healthy: ClusterSnapshot = field(init=False)
    snapshot: ClusterSnapshot = field(init=False)
    _injection: Injection | None = None
    _faulted: Snapshot = field(init=False)
    _replica_set_uids: frozenset[str] = frozenset()
    _faulted_containers: str = ""

    async def begin(self) -> None:
        """Inject the fault into a healthy system, and wait until it has an effect.

        Raises:
            InjectionError: it has no effect.
            ClusterError: the API server refused a step.
        """
        self.context = await case_context(
            self.cluster, self.agents, self.instance, self.case, self.fault
        )
        self.healthy = await self.read()
        self._injection = Injection(self.context, self.fault)
        await self._injection.begin()
        if (missing := await wait_for_effect(self.context, self.fault)) is not None:
            raise InjectionError(missing)
        await wait_for_metrics(self.context, self.fault)
        self.snapshot = await self._settled()
        self._faulted = await take_snapshot(self.cluster, self.instance.namespace)
        self._replica_set_uids = frozenset(await self._read_replica_set_uids())
        self._faulted_containers = await self._containers()

    async def restore(self) -> None:
        """Restore the state with the fault, from before any playbook.

        Restores the objects; where that does not result in the same state, restores the healthy
        system and injects the fault again.

        Raises:
            InjectionError: the fault has no effect this time.
            ClusterError: the API server refused a step.
        """
        if not await self._restore_objects():
            await self._remove_fault()
            await self.instance.healthy()
            await self.begin()

    async def end(self) -> None:
        """Remove the fault and restore the system; may be called again."""
        await self._remove_fault()
        await self.instance.restore()

    async def _remove_fault(self) -> None:
        if self._injection is not None:
            with contextlib.suppress(AgentsError, ClusterError):
                await self._injection.end()

    @property
    def pod(self) -> str:
        """The pod that has the fault, where that is one pod."""
        return self._injection.pod if self._injection else ""

    @property
    def target(self) -> Target:
        """The workload that has the fault."""
        kind = self.instance.system.service(self.case.service).kind
        return Target(kind=TargetKind(kind), name=self.case.service)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes of a report about this fault."""
        values = self.context.values
        probes = fill(list(self.fault.report.probes), values, self.fault.id)
        return tuple(Probe.model_validate(probe) for probe in probes)

    async def read(self) -> ClusterSnapshot:
        """Return a snapshot of the cluster around the target, as the operator takes it.

        Raises:
            TargetVanishedError: the target does not exist.
            ClusterError: the API server does not answer.
        """
        probes: Sequence[Probe] = self.probes if hasattr(self, "context") else ()
        namespace = self.instance.namespace
        policy = PolicySnapshot(name="benchmark", namespace=namespace, spec=permissive_policy())
        remediation = Remediation(
            metadata=ObjectMeta(name="fidelity", namespace=namespace),
            spec=RemediationSpec(
                report_ref=ReportReference(name="fidelity", uid="none"),
                target=self.target,
                fault=ReportedFault(type=self.fault.report.type),
                probes=list(probes),
                policy=policy,
            ),
        )
        return await collect_snapshot(self.operator, remediation)

    async def others(self) -> tuple[Object, ...]:
        """Return the other workloads of the namespace."""
        workloads = await self.operator.workloads(self.instance.namespace)
        return tuple(
            w for w in workloads if unstructured.text(w, "metadata", "name") != self.case.service
        )

    async def _settled(self) -> ClusterSnapshot:
        before = await self.read()
        for _ in range(int(_SETTLE_SECONDS / _POLL_SECONDS)):
            await asyncio.sleep(_POLL_SECONDS)
            now = await self.read()
            if equivalent(before, now):
                return now
            before = now
        return before

    async def _restore_objects(self) -> bool:
        fault = self.fault
        if any(step.agent is not None and step.agent.follow for step in fault.inject):
            return False  # the injection into new pods has ended with the fault
        if self._in_a_pod() and await self._containers() != self._faulted_containers:
            return False
        result = await restore_objects(self.cluster, self.instance.namespace, self._faulted)
        if result.missing:
            return False
        for item in await self.cluster.list("ReplicaSet", self.instance.namespace):
            if item["metadata"]["uid"] not in self._replica_set_uids:
                await self.cluster.delete(
                    "ReplicaSet", item["metadata"]["name"], self.instance.namespace
                )
        if self._replaces_pods() and not equivalent(self.snapshot, await self.read()):
            for pod in await self._pods():
                name = pod["metadata"]["name"]
                await self.cluster.delete("Pod", name, self.instance.namespace, grace=0)
        for _ in range(int(_SETTLE_SECONDS / _POLL_SECONDS)):
            now = await self.read()
            if equivalent(self.snapshot, now):
                self.snapshot = now
                return not self._in_a_pod() or await self._containers() == self._faulted_containers
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
        """Return pod uid and container ids of the pod with the fault; empty without it."""
        namespace = self.instance.namespace
        pod = await self.cluster.get("Pod", self.pod, namespace) if self.pod else None
        if pod is None or unstructured.text(pod, "metadata", "deletionTimestamp"):
            return ""
        states = unstructured.items(pod, "status", "containerStatuses")
        uid = unstructured.text(pod, "metadata", "uid")
        return " ".join([uid, *(unstructured.text(one, "containerID") for one in states)])

    async def _read_replica_set_uids(self) -> list[str]:
        replica_sets = await self.cluster.list("ReplicaSet", self.instance.namespace)
        return [item["metadata"]["uid"] for item in replica_sets]


def equivalent(one: ClusterSnapshot, other: ClusterSnapshot) -> bool:
    """Return whether two snapshots are equivalent, and controllers have observed the second."""
    generation = unstructured.number(other.workload, "metadata", "generation")
    if unstructured.number(other.workload, "status", "observedGeneration") < generation:
        return False
    return not snapshot_differences(one, other) and _templates(one) == _templates(other)


def _templates(snapshot: ClusterSnapshot) -> list[tuple[str, bool]]:
    """Return the template hash of each pod, and whether the pod is terminating."""
    return sorted(
        (
            unstructured.strings(pod, "metadata", "labels").get(_HASH, ""),
            "deletionTimestamp" in meta,
        )
        for key, pod in snapshot.objects.items()
        if key.kind == "Pod"
        for meta in [unstructured.mapping(pod, "metadata")]
    )

"""What the desk knows beside the reports: policies, broken policies, targets, names, counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reme_api.diagnosis_report import Target
from reme_api.policy import RemediationPolicy
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import Json
from reme_operator.admission.admit import TargetInfo
from reme_operator.admission.policy_selection import UnreadablePolicy
from reme_playbook.snapshot import unstructured

TRUSTED = timedelta(seconds=30)
"""How old a look at a target may be to refuse a report; to accept one it is always fresh."""

_MOST = 10_000


@dataclass(slots=True)
class AdmissionCache:
    """Looks things up once and remembers them for a while."""

    cluster: Cluster
    policies: dict[str, RemediationPolicy] = field(default_factory=dict)
    unreadable: dict[str, UnreadablePolicy] = field(default_factory=dict)
    _targets: dict[tuple[str, str, str], tuple[datetime, TargetInfo | None]] = field(
        default_factory=dict
    )
    _names: dict[str, tuple[datetime, frozenset[str]]] = field(default_factory=dict)

    def policy(self, key: str) -> RemediationPolicy | None:
        """Return a policy by its namespace/name."""
        named = ((p, f"{p.metadata.namespace}/{p.metadata.name}") for p in self.policies.values())
        return next((p for p, name in named if name == key), None)

    def limits_workload_share(self, namespace: str, release_namespace: str) -> bool:
        """Return whether any policy that may hold there bounds the share that is touched."""
        return any(
            p.spec.budgets.max_workloads_percent < 100
            for p in self.policies.values()
            if p.metadata.namespace in (namespace, release_namespace)
        )

    async def target(
        self, namespace: str, target: Target, now: datetime, *, fresh: bool = False
    ) -> TargetInfo | None:
        """Return what admission reads of a target; None when it does not exist."""
        place = (namespace, target.kind.value, target.name)
        known = self._targets.get(place)
        if known and not fresh and now - known[0] < TRUSTED:
            return known[1]
        try:
            workload = await self.cluster.workload(target.kind, namespace, target.name)
        except NotFoundError:
            seen = None
        else:
            seen = target_info(workload)
        if len(self._targets) > _MOST:
            self._targets.clear()
        self._targets[place] = (now, seen)
        return seen

    async def workloads(self, namespace: str) -> int:
        """Return how many workloads there are in a namespace."""
        return len(await self.cluster.workloads(namespace))

    async def names(self, namespace: str, now: datetime) -> frozenset[str]:
        """Return the Services of a namespace, as they were up to half a minute ago."""
        known = self._names.get(namespace)
        if known and now - known[0] < TRUSTED:
            return known[1]
        try:
            services = await self.cluster.services(namespace)
        except ClusterError:
            return known[1] if known else frozenset()
        found = frozenset(unstructured.text(s, "metadata", "name") for s in services)
        if len(self._names) > _MOST:
            self._names.clear()
        self._names[namespace] = (now, found)
        return found


def target_info(workload: Mapping[str, object] | Json) -> TargetInfo:
    """Return what admission reads of a workload."""
    containers = unstructured.items(workload, "spec", "template", "spec", "containers")
    return TargetInfo(
        labels=unstructured.strings(workload, "metadata", "labels"),
        containers=tuple(unstructured.text(c, "name") for c in containers),
    )

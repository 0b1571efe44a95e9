"""What admission reads beside the reports, cached: policies, targets, names of Services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reme_api.diagnosis_report import Target
from reme_api.policy import RemediationPolicy
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import Json
from reme_operator.admission.admit import TargetInfo
from reme_operator.admission.policy_validation import UnreadablePolicy
from reme_operator.probes.derived import workload_ports
from reme_playbook.snapshot import unstructured

TTL = timedelta(seconds=30)
"""How old a cached target may be to refuse a report; to accept one it is always read afresh."""

_MAX_ENTRIES = 10_000
_MAX_NAMESPACES = 1_000


@dataclass(slots=True)
class AdmissionCache:
    """Policies as the watch has them, by UID, and what was read lately."""

    cluster: Cluster
    policies: dict[str, RemediationPolicy] = field(default_factory=dict)
    unreadable: dict[str, UnreadablePolicy] = field(default_factory=dict)
    _targets: dict[tuple[str, str, str], tuple[datetime, TargetInfo | None]] = field(
        default_factory=dict
    )
    _services: dict[str, tuple[datetime, tuple[Json, ...]]] = field(default_factory=dict)

    def policy(self, key: str) -> RemediationPolicy | None:
        """Return a policy by its namespace/name."""
        for policy in self.policies.values():
            if f"{policy.metadata.namespace}/{policy.metadata.name}" == key:
                return policy
        return None

    async def target(
        self, namespace: str, target: Target, now: datetime, *, fresh: bool = False
    ) -> TargetInfo | None:
        """Return what admission reads of a target; None when it does not exist."""
        key = (namespace, target.kind.value, target.name)
        cached = self._targets.get(key)
        if cached and not fresh and now - cached[0] < TTL:
            return cached[1]
        try:
            workload = await self.cluster.workload(target.kind, namespace, target.name)
        except NotFoundError:
            info = None
        else:
            info = target_info(workload)
        if len(self._targets) > _MAX_ENTRIES:
            self._targets.clear()
        self._targets[key] = (now, info)
        return info

    async def service_names(self, namespace: str, now: datetime) -> frozenset[str]:
        """Return the names of the Services of a namespace, at most half a minute old."""
        try:
            services = await self.services(namespace, now)
        except ClusterError:
            services = self._services.get(namespace, (now, ()))[1]
        return frozenset(unstructured.text(s, "metadata", "name") for s in services)

    async def services(self, namespace: str, now: datetime) -> tuple[Json, ...]:
        """Return name and spec of the Services of a namespace, at most half a minute old.

        Raises:
            ClusterError: the API server did not answer, or refused.

        """
        cached = self._services.get(namespace)
        if cached and now - cached[0] < TTL:
            return cached[1]
        services = tuple(_name_and_spec(s) for s in await self.cluster.services(namespace))
        if len(self._services) > _MAX_NAMESPACES:
            self._services.clear()
        self._services[namespace] = (now, services)
        return services


def _name_and_spec(service: Json) -> Json:
    metadata = {"name": unstructured.text(service, "metadata", "name")}
    return {"metadata": metadata, "spec": dict(unstructured.mapping(service, "spec"))}


def target_info(workload: Mapping[str, object]) -> TargetInfo:
    """Return what admission reads of a workload."""
    containers = unstructured.items(workload, "spec", "template", "spec", "containers")
    return TargetInfo(
        labels=unstructured.strings(workload, "metadata", "labels"),
        containers=tuple(unstructured.text(c, "name") for c in containers),
        ports=workload_ports(workload),
    )

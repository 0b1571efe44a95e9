"""The kinds that reme reads and writes, and the paths at which the API server serves them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reme_api.base import GROUP, VERSION

Json = dict[str, Any]
"""An object as the API server sends it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API server serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, sub: str = "") -> str:
        """Return the path of an object, or of all objects when there is no name."""
        parts = [f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"]
        if namespace and self.namespaced:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += filter(None, (name, sub))
        return "/".join(parts)


_RBAC, _APPS, _NETWORKING = "rbac.authorization.k8s.io", "apps", "networking.k8s.io"

CLUSTER_ROLE_BINDINGS = Resource(
    _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
CONTROLLER_REVISIONS = Resource(_APPS, "v1", "controllerrevisions", "ControllerRevision")
CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob")
DAEMON_SETS = Resource(_APPS, "v1", "daemonsets", "DaemonSet")
DEPLOYMENTS = Resource(_APPS, "v1", "deployments", "Deployment")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
EVENTS = Resource("", "v1", "events", "Event")
HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"
)
INGRESSES = Resource(_NETWORKING, "v1", "ingresses", "Ingress")
JOBS = Resource("batch", "v1", "jobs", "Job")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NETWORK_POLICIES = Resource(_NETWORKING, "v1", "networkpolicies", "NetworkPolicy")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
PERSISTENT_VOLUME_CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
PODS = Resource("", "v1", "pods", "Pod")
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
POD_DISRUPTION_BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
REPLICA_SETS = Resource(_APPS, "v1", "replicasets", "ReplicaSet")
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICES = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
STATEFUL_SETS = Resource(_APPS, "v1", "statefulsets", "StatefulSet")

DIAGNOSIS_REPORTS = Resource(GROUP, VERSION, "diagnosisreports", "DiagnosisReport")
REMEDIATIONS = Resource(GROUP, VERSION, "remediations", "Remediation")
REMEDIATION_POLICIES = Resource(GROUP, VERSION, "remediationpolicies", "RemediationPolicy")
RUN_GRANTS = Resource(GROUP, VERSION, "rungrants", "RunGrant")

RESOURCES: Mapping[str, Resource] = {
    value.kind: value for value in tuple(globals().values()) if isinstance(value, Resource)
}
"""Every resource of this module by its kind."""

WORKLOADS = {r.kind: r for r in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)}
"""The kinds of a target, and of its neighbours."""

RELATED_RESOURCES = (
    HORIZONTAL_POD_AUTOSCALERS,
    RESOURCE_QUOTAS,
    POD_DISRUPTION_BUDGETS,
    INGRESSES,
    NETWORK_POLICIES,
    JOBS,
)
"""The kinds of a namespace that limit a workload, route traffic to it, or that it waits for."""

_CREATED = {
    (r.api_version, r.kind): r
    for r in (
        CLUSTER_ROLE_BINDINGS,
        CONFIG_MAPS,
        JOBS,
        ROLE_BINDINGS,
        SERVICE_ACCOUNTS,
        RUN_GRANTS,
        REMEDIATIONS,
    )
}


def resource_for_manifest(manifest: Json) -> Resource:
    """Return the resource of a manifest that the operator creates.

    Raises:
        ValueError: the operator never creates objects of this kind.

    """
    kind = (str(manifest.get("apiVersion")), str(manifest.get("kind")))
    try:
        return _CREATED[kind]
    except KeyError:
        raise ValueError(f"the operator does not create {kind[0]} {kind[1]}") from None

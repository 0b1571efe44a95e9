"""The kinds that reme reads and writes, and the paths at which the API server serves them."""

from dataclasses import dataclass
from typing import Any

from reme_api.base import GROUP, VERSION

Json = dict[str, Any]
"""An object as the API server sends it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API server serves it; give no namespace for kinds that have none."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, sub: str = "") -> str:
        """Return the path of an object, or of all objects when there is no name."""
        parts = [f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"]
        if namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += filter(None, (name, sub))
        return "/".join(parts)


CLUSTER_ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding"
)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
CONTROLLER_REVISIONS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
EVENTS = Resource("", "v1", "events", "Event")
HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"
)
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
JOBS = Resource("batch", "v1", "jobs", "Job")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
NODES = Resource("", "v1", "nodes", "Node")
PODS = Resource("", "v1", "pods", "Pod")
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
POD_DISRUPTION_BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
SERVICES = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet")

DIAGNOSIS_REPORTS = Resource(GROUP, VERSION, "diagnosisreports", "DiagnosisReport")
REMEDIATIONS = Resource(GROUP, VERSION, "remediations", "Remediation")
REMEDIATION_POLICIES = Resource(GROUP, VERSION, "remediationpolicies", "RemediationPolicy")
RUN_GRANTS = Resource(GROUP, VERSION, "rungrants", "RunGrant")

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

"""How an object of the cluster is named throughout this package."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, StringConstraints, model_validator
from pydantic.dataclasses import dataclass

Kind = Literal[
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Pod",
    "Service",
    "ConfigMap",
    "HorizontalPodAutoscaler",
    "ResourceQuota",
    "PodDisruptionBudget",
    "Ingress",
    "NetworkPolicy",
    "Job",
    "Node",
]
"""Every kind that an action may be about."""

WORKLOADS: frozenset[str] = frozenset({"Deployment", "StatefulSet", "DaemonSet"})

CLUSTER_SCOPED: frozenset[str] = frozenset({"Node"})
"""Kinds whose objects are in no namespace: their keys have an empty one."""

API_VERSIONS: dict[str, str] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Pod": "v1",
    "Service": "v1",
    "ConfigMap": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "ResourceQuota": "v1",
    "PodDisruptionBudget": "policy/v1",
    "Ingress": "networking.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Job": "batch/v1",
    "Node": "v1",
}

PLURALS: dict[str, str] = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Pod": "pods",
    "Service": "services",
    "ConfigMap": "configmaps",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "ResourceQuota": "resourcequotas",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Ingress": "ingresses",
    "NetworkPolicy": "networkpolicies",
    "Job": "jobs",
    "Node": "nodes",
}

Name = Annotated[
    str,
    StringConstraints(strict=True, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"),
]
Namespace = Annotated[
    str,
    StringConstraints(strict=True, max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"),
]


@dataclass(frozen=True, order=True, config=ConfigDict(extra="forbid"))
class ObjectRef:
    """Names one object; hashable, so that it can be looked up."""

    kind: Kind
    namespace: Namespace
    name: Name

    @model_validator(mode="after")
    def _namespace_fits(self) -> Self:
        if bool(self.namespace) == (self.kind in CLUSTER_SCOPED):
            raise ValueError(f"a {self.kind} {'is in no' if self.namespace else 'has a'} namespace")
        return self

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def api_version(self) -> str:
        """Group and version of the kind."""
        return API_VERSIONS[self.kind]

    @property
    def path(self) -> str:
        """Path of the object at the API server."""
        root = "apis" if self.group else "api"
        place = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"/{root}/{self.api_version}{place}/{self.plural}/{self.name}"

    @property
    def group(self) -> str:
        """Group of the kind; empty for the core group."""
        return API_VERSIONS[self.kind].rpartition("/")[0]

    @property
    def plural(self) -> str:
        """Name of the kind in rights and in addresses."""
        return PLURALS[self.kind]

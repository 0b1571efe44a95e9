"""How an object of the cluster is named throughout this package."""

from typing import Annotated, Literal

from pydantic import ConfigDict, StringConstraints
from pydantic.dataclasses import dataclass

Kind = Literal["Deployment", "StatefulSet", "DaemonSet", "Pod", "Service", "ConfigMap"]
"""Every kind that an action may be about."""

WORKLOADS: frozenset[str] = frozenset({"Deployment", "StatefulSet", "DaemonSet"})

API_VERSIONS: dict[str, str] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Pod": "v1",
    "Service": "v1",
    "ConfigMap": "v1",
}

PLURALS: dict[str, str] = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Pod": "pods",
    "Service": "services",
    "ConfigMap": "configmaps",
}

Name = Annotated[
    str,
    StringConstraints(strict=True, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"),
]
Namespace = Annotated[
    str,
    StringConstraints(strict=True, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
]


@dataclass(frozen=True, order=True, config=ConfigDict(extra="forbid"))
class ObjectKey:
    """Names one object; hashable, so that it can be looked up."""

    kind: Kind
    namespace: Namespace
    name: Name

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def api_version(self) -> str:
        """Group and version of the kind."""
        return API_VERSIONS[self.kind]

    @property
    def plural(self) -> str:
        """Name of the kind in rights and in addresses."""
        return PLURALS[self.kind]

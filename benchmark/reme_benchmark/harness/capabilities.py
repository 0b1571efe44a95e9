"""What the cluster at hand has, so that a fault it cannot have is told apart from a failure."""

from dataclasses import dataclass

from reme_benchmark.kube.cluster import Cluster
from reme_benchmark.scenarios.faults.model import Fault, Need
from reme_kube.errors import ClusterError

_ENFORCERS = ("kindnet", "calico", "cilium", "weave", "antrea", "kube-router", "canal", "ovn")


@dataclass(frozen=True)
class Capabilities:
    """Why each need is not met here; a need that is not named is met."""

    missing: dict[Need, str]

    def why_not(self, fault: Fault) -> str:
        """Return why the fault is not possible here; empty when it is."""
        return "; ".join(self.missing[n] for n in fault.needs if n in self.missing)


async def capabilities(cluster: Cluster) -> Capabilities:
    """Look at the cluster."""
    missing: dict[Need, str] = {}
    nodes = await cluster.list("Node")
    if len(nodes) < 2:
        missing[Need.SECOND_NODE] = "the cluster has one node"
    if len(nodes) > 1:
        missing[Need.ONLY_NODE] = "the cluster has several nodes: pods would go to another one"
    try:
        metrics = await cluster.list("PodMetrics")
    except ClusterError:
        metrics = []
    if not metrics:
        missing[Need.METRICS] = "metrics.k8s.io measures nothing here"
    if not await _enforces_policies(cluster):
        missing[Need.NETWORK_POLICY] = "no network of this cluster enforces NetworkPolicy"
    try:
        classes = await cluster.api.get("/apis/networking.k8s.io/v1/ingressclasses")
    except ClusterError:
        classes = {}
    if not classes.get("items"):
        missing[Need.INGRESS] = "no controller serves Ingresses here"
    return Capabilities(missing)


async def _enforces_policies(cluster: Cluster) -> bool:
    for agent in await cluster.list("DaemonSet", "kube-system"):
        if any(name in agent["metadata"]["name"] for name in _ENFORCERS):
            return True
    return False

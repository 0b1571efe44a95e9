"""Reads from the API server which parts of a cluster are ready."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl


def is_ready(node: Mapping[str, Any], since: float = 0) -> bool:
    """Return whether a node reported itself ready, at or after a time in seconds since 1970."""
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            # The heartbeat is in whole seconds, rounded down.
            return datetime.fromisoformat(condition["lastHeartbeatTime"]).timestamp() > since - 1
    return False


def ready_nodes(kubectl: Kubectl, since: Mapping[str, float]) -> set[str]:
    """Return the names of the nodes that reported themselves ready.

    Args:
        kubectl: a client of the cluster.
        since: for each node, the time in seconds since 1970 before which its report does not
            count: after a start of the machine the old reports are still there.
    """
    try:
        nodes = {node["metadata"]["name"]: node for node in kubectl.list("nodes")}
    except CommandError:
        return set()
    return {name for name, node in nodes.items() if is_ready(node, since.get(name, 0))}


def is_started(kubectl: Kubectl, deployment: str) -> bool:
    """Return whether a container of a deployment in kube-system runs."""
    try:
        pods = kubectl.list("pods", "kube-system", f"k8s-app={deployment}")
    except CommandError:
        return False
    containers = [c for pod in pods for c in pod["status"].get("containerStatuses", [])]
    return any("running" in container["state"] for container in containers)


def has_metrics(kubectl: Kubectl, node_count: int) -> bool:
    """Return whether `kubectl top` has figures of this many nodes."""
    try:
        metrics = json.loads(kubectl.raw("/apis/metrics.k8s.io/v1beta1/nodes"))
    except CommandError:
        return False
    return len(metrics["items"]) >= node_count

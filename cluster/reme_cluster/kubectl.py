"""Talks to a cluster with kubectl."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

from reme_cluster.commands import run
from reme_cluster.errors import CommandError

MANIFESTS = Path(__file__).parent / "manifests"


class Kubectl:
    """Calls kubectl with one kubeconfig."""

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self._program = program
        self._kubeconfig = kubeconfig

    def __call__(
        self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 60
    ) -> str:
        """Run kubectl and return what it printed.

        Raises:
            CommandError: it failed.
        """
        words = [str(self._program), "--kubeconfig", str(self._kubeconfig)]
        # Not in the home directory: another cluster had this address and other types.
        words += ["--cache-dir", str(self._kubeconfig.parent / ".kubectl"), *arguments]
        return run(words, stdin=stdin, timeout_seconds=timeout_seconds)

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects that `kubectl get` finds."""
        found = json.loads(self("get", *arguments, "--output", "json"))
        items: list[dict[str, Any]] = found.get("items", [found])
        return items

    def apply(self, *manifests: str, values: Mapping[str, str]) -> None:
        """Apply manifests of this package with `${NAME}` replaced by its value."""
        text = "\n---\n".join(
            Template((MANIFESTS / name).read_text()).substitute(values) for name in manifests
        )
        options = ("--server-side", "--force-conflicts", "--field-manager=reme-cluster")
        self("apply", *options, "--filename", "-", stdin=text)

    def ensure_raw(self, path: str, value: Mapping[str, Any]) -> None:
        """Create an object unless one of its name exists, without asking for all types first.

        Right after a start that question takes half a minute: the API server passes it on to
        servers in pods that do not run yet.

        Args:
            path: where its kind lives, such as `/api/v1/namespaces`.
            value: the object.
        """
        try:
            self("get", "--raw", f"{path}/{value['metadata']['name']}")
        except CommandError:
            self("create", "--raw", path, "--filename", "-", stdin=json.dumps(value))

    def ready_nodes(self, since: Mapping[str, float]) -> set[str]:
        """Return the names of the nodes that reported themselves ready.

        Args:
            since: for each node, the time in seconds since the epoch before which its report
                does not count: after a start of the machine the old ones are still there.
        """
        try:
            nodes = self.objects("nodes")
        except CommandError:
            return set()
        names = {node["metadata"]["name"]: node for node in nodes}
        return {name for name, node in names.items() if is_ready(node, since.get(name, 0))}

    def is_started(self, deployment: str) -> bool:
        """Tell whether the containers of a deployment in kube-system run."""
        try:
            pods = self.objects("--namespace", "kube-system", "pods", f"-lk8s-app={deployment}")
        except CommandError:
            return False
        containers = [c for pod in pods for c in pod["status"].get("containerStatuses", [])]
        return any("running" in container["state"] for container in containers)

    def has_metrics(self, nodes: int) -> bool:
        """Tell whether `kubectl top` knows this many nodes."""
        try:
            found = json.loads(self("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))
        except CommandError:
            return False
        return len(found["items"]) >= nodes


def is_ready(node: Mapping[str, Any], since: float = 0) -> bool:
    """Tell whether a node reported itself ready, at or after a time."""
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            # In whole seconds, rounded down.
            return datetime.fromisoformat(condition["lastHeartbeatTime"]).timestamp() > since - 1
    return False

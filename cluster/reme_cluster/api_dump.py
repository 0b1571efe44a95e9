"""Writes down what a cluster's API server knows, for a person who looks for a fault later."""

from pathlib import Path

from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl

_QUESTIONS = {
    "nodes.txt": ("describe", "nodes"),
    "events.txt": ("get", "events", "-A", "--sort-by=.metadata.creationTimestamp", "-o", "wide"),
    "objects.txt": ("get", "all,configmaps,jobs,ingresses,networkpolicies", "-A", "-o", "wide"),
    "pods.txt": ("describe", "pods", "-A"),
    "pods.yaml": ("get", "pods", "-A", "-o", "yaml"),
}


def from_api_server(kubectl: Kubectl, directory: Path) -> None:
    """Write nodes, events, descriptions and pods' logs; what fails is written in its place."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, question in _QUESTIONS.items():
        (directory / name).write_text(_answer(kubectl, *question))
    try:
        pods = kubectl.objects("pods", "--all-namespaces")
    except CommandError:
        return
    for pod in pods:
        meta = pod["metadata"]
        for container in pod["status"].get("containerStatuses", []):
            where = directory / "pods" / meta["namespace"] / meta["name"]
            where.mkdir(parents=True, exist_ok=True)
            words = ("logs", "-n", meta["namespace"], meta["name"], "-c", container["name"])
            log = where / f"{container['name']}.log"
            log.write_text(_answer(kubectl, *words, "--tail=5000"))
            if container.get("restartCount"):
                before = _answer(kubectl, *words, "--tail=5000", "--previous")
                log.with_suffix(".previous.log").write_text(before)


def _answer(kubectl: Kubectl, *arguments: str) -> str:
    try:
        return kubectl(*arguments, timeout_seconds=60)
    except CommandError as error:
        return f"{error}\n"

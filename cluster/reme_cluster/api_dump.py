"""Writes the objects, events and logs of an API server to files, for a later diagnosis."""

from pathlib import Path

from reme_cluster.errors import CommandError
from reme_cluster.kubectl import Kubectl

_COMMANDS = {
    "nodes.txt": ("describe", "nodes"),
    "events.txt": ("get", "events", "-A", "--sort-by=.metadata.creationTimestamp", "-o", "wide"),
    "objects.txt": ("get", "all,configmaps,jobs,ingresses,networkpolicies", "-A", "-o", "wide"),
    "pods.txt": ("describe", "pods", "-A"),
    "pods.yaml": ("get", "pods", "-A", "-o", "yaml"),
}


def write_dump(kubectl: Kubectl, directory: Path) -> None:
    """Write nodes, events, descriptions and logs of pods; an error is written in their place."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, command in _COMMANDS.items():
        (directory / name).write_text(_output(kubectl, *command))
    try:
        pods = kubectl.list("pods")
    except CommandError:
        return
    for pod in pods:
        meta = pod["metadata"]
        for container in pod["status"].get("containerStatuses", []):
            folder = directory / "pods" / meta["namespace"] / meta["name"]
            folder.mkdir(parents=True, exist_ok=True)
            words = ("logs", "-n", meta["namespace"], meta["name"], "-c", container["name"])
            log = folder / f"{container['name']}.log"
            log.write_text(_output(kubectl, *words, "--tail=5000"))
            if container.get("restartCount"):
                previous = _output(kubectl, *words, "--tail=5000", "--previous")
                log.with_suffix(".previous.log").write_text(previous)


def _output(kubectl: Kubectl, *arguments: str) -> str:
    try:
        return kubectl.run(*arguments)
    except CommandError as error:
        return f"{error}\n"

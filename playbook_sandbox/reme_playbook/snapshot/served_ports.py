"""Which ports pods declare, and whether a Service's target port is one of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from reme_playbook.snapshot import views


def declared_ports(pod: Mapping[str, Any]) -> list[views.ContainerPort]:
    """Return the ports that the containers of a pod, or of a pod template, declare."""
    return [port for view in views.template_containers(pod) for port in view.ports]


def served(target_port: int | str, pods: Sequence[Mapping[str, Any]]) -> bool | None:
    """Return whether one of the pods declares the port; None if they declare none at all.

    A name must be declared. A number need not: then nothing is known.
    """
    declared = [port for pod in pods for port in declared_ports(pod)]
    if isinstance(target_port, str):
        return any(port.name == target_port for port in declared) if pods else None
    return any(port.number == target_port for port in declared) if declared else None

"""What a probe could ask instead: what another probe asks that demonstrably works.

Only where the present one asks a path that the program does not have, or a port that no container
declares. A program that answers 503 says that it is not ready: another path would hide that.
"""

from collections.abc import Iterator
from typing import NamedTuple

from reme_playbook.snapshot.probe_failures import ProbeFailure, fails, port_number
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView, PodView, ProbeView


class WorkingProbe(NamedTuple):
    """A probe that works, and whose it is: `liveness`, or the name of a sibling."""

    probe: ProbeView
    owner: str


def sibling_values(
    snapshot: ClusterSnapshot, container: str, kind: str, field: str
) -> tuple[int | str, ...]:
    """Return the paths or ports that a failing probe could ask instead."""
    view = snapshot.container(container)
    probe = view.probes.get(kind) if view else None
    failure = fails(snapshot, container, kind) if probe else None
    if view is None or probe is None or failure is None:
        return ()
    values: list[int | str | None] = []
    if field == "path" and failure.asks_nothing_that_exists:
        values = [w.probe.path for w in working_probes(snapshot, view, kind)]
    elif field == "port" and not _is_declared(view, probe):
        values = [w.probe.port for w in working_probes(snapshot, view, kind, any_port=True)]
    current = getattr(probe, field, None)
    return tuple(dict.fromkeys(v for v in values if v is not None and v != current))


def working_probes(
    snapshot: ClusterSnapshot, view: ContainerView, kind: str, *, any_port: bool = False
) -> Iterator[WorkingProbe]:
    """Yield probes with the same handler that work; without `any_port`, of the same port."""
    probe = view.probes[kind]
    failure = fails(snapshot, view.name, kind)
    for other_kind, other in sorted(view.probes.items()):
        if (
            other_kind != kind
            and _is_alternative(probe, other, view, any_port=any_port)
            and failure
            and _passes(snapshot, view, other_kind, failure)
        ):
            yield WorkingProbe(other, other_kind)
    for ref, sibling in sorted(snapshot.siblings.items()):
        for container in sibling.containers if sibling.healthy else ():
            other_probe = container.probes.get(kind)
            if (
                other_probe
                and _is_same_program(container, view)
                and _is_alternative(probe, other_probe, view, any_port=any_port)
            ):
                yield WorkingProbe(other_probe, ref.name)


def _is_alternative(
    probe: ProbeView, other: ProbeView, view: ContainerView, *, any_port: bool
) -> bool:
    return (
        probe.handler == other.handler
        and (probe.path, probe.port) != (other.path, other.port)
        and (any_port or port_number(view, probe) == port_number(view, other))
    )


def _is_declared(view: ContainerView, probe: ProbeView) -> bool:
    return any(probe.port in (port.number, port.name) for port in view.ports)


def _is_same_program(one: ContainerView, other: ContainerView) -> bool:
    return (one.image, one.command, one.args) == (other.image, other.command, other.args)


def _passes(
    snapshot: ClusterSnapshot, view: ContainerView, kind: str, failure: ProbeFailure
) -> bool:
    """Return whether that probe passes while the other one fails."""
    if fails(snapshot, view.name, kind):
        return False
    pods = [pod for pod in snapshot.pods if not pod.deleting]
    if kind == "readiness":
        return any(_is_ready(pod, view.name) for pod in pods)
    if not any(_runs(pod, view.name) for pod in pods):
        return False
    if kind == "startup":
        return failure.kind != "startup"  # the kubelet asks the others only afterwards
    if failure.kind == "startup":
        return False  # it was not asked yet
    # It has been asked at least once, while the other one failed.
    asked_after = view.probes[kind].initial_delay_seconds + view.probes[kind].period_seconds
    return failure.count * view.probes[failure.kind].period_seconds >= asked_after


def _is_ready(pod: PodView, container: str) -> bool:
    return any(state.name == container and state.ready for state in pod.containers)


def _runs(pod: PodView, container: str) -> bool:
    return pod.phase == "Running" and any(
        state.name == container and not state.waiting and not state.restarts
        for state in pod.containers
    )

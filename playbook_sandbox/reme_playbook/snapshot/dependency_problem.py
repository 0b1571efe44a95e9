"""What is known to be wrong with a dependency of the namespace, in words that follow its name."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from reme_playbook.snapshot.dependency import Dependency, DependencyWorkload
from reme_playbook.snapshot.finding import FindingKind
from reme_playbook.snapshot.reachability import ingress_allowed
from reme_playbook.snapshot.related_views import network_policy
from reme_playbook.snapshot.served_ports import declared_ports
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Json = Mapping[str, Any]

_LONG_BEFORE, _LONG_BEFORE_REPORT = timedelta(hours=1), timedelta(days=1)
"""What has been so for longer before the fault is no cause: a port that pods do not declare, or a
service that is scaled to 0."""


class Problem(NamedTuple):
    """What is wrong, and the kind of finding that it amounts to."""

    text: str
    kind: FindingKind


def dependency_problem(
    known: Dependency, snapshot: ClusterSnapshot, pods: Sequence[Json]
) -> Problem | None:
    """Return the first problem: no pods, none ready, a wrong port, a network policy, or too few.

    `pods` are those that the Service selects, or pod templates where there are none.
    """
    first = known.workloads[0] if known.workloads else None
    if first is not None and first.selected and first.desired == 0:
        if _was_so_before(known, snapshot):
            return None
        return Problem(f"has no pods: {first.ref} is scaled to 0", FindingKind.NO_ENDPOINTS)
    if first is None or not first.selected:
        if known.pods or _was_so_before(known, snapshot):
            return None  # pods without a workload, or an optional service
        if first is not None:
            return Problem(
                f"has no pods: those of {first.ref} lack {','.join(first.lacks)}",
                FindingKind.NO_ENDPOINTS,
            )
        labels = ",".join(f"{k}={v}" for k, v in sorted((known.selector or {}).items()))
        return Problem(f"has no pods: none has {labels}", FindingKind.NO_ENDPOINTS)
    if known.pods is not None and not known.ready_endpoints:
        reason = f": {first.trouble}" if first.trouble else ""
        return Problem(f"has no ready pod of {first.desired}{reason}", FindingKind.NO_ENDPOINTS)
    return (
        _port_problem(known, snapshot, pods)
        or _policy_problem(known, snapshot)
        or _not_ready(first)
    )


def _was_so_before(known: Dependency, snapshot: ClusterSnapshot) -> bool:
    """Return whether nothing has changed there for long before the fault; not if reports name it.

    A fault of which only the report is known may be older.
    """
    start, changed = snapshot.fault_start, known.last_change
    margin = _LONG_BEFORE if snapshot.fault_start_observed else _LONG_BEFORE_REPORT
    return not known.reported and bool(start and changed and changed + margin <= start)


def _not_ready(workload: DependencyWorkload) -> Problem | None:
    """Return that some of the pods are not ready, if it is known why."""
    if workload.trouble and workload.ready < workload.desired:
        return Problem(
            f"has {workload.ready} of {workload.desired} pods ready: {workload.trouble}",
            FindingKind.WORKLOAD_NOT_READY,
        )
    return None


def _port_problem(
    known: Dependency, snapshot: ClusterSnapshot, pods: Sequence[Json]
) -> Problem | None:
    if _was_so_before(known, snapshot):
        return None
    numbers = [port.port for port in known.ports]
    # The usual port of a scheme is a guess for a headless Service, or behind a proxy.
    if known.port is not None and numbers and known.port not in numbers:
        existing = " and ".join(map(str, numbers[:3]))
        return Problem(f"has no port {known.port}, only {existing}", FindingKind.PORT_MISMATCH)
    used = [p for p in known.ports if known.port is None or p.port == known.port]
    if used and all(port.served is False for port in used):
        declared = sorted({p.number for pod in pods for p in declared_ports(pod)})
        existing = " or ".join(map(str, declared[:3]))
        return Problem(
            f"leads port {used[0].port} to {used[0].target_port}, and its pods have {existing}",
            FindingKind.PORT_MISMATCH,
        )
    return None


def _policy_problem(known: Dependency, snapshot: ClusterSnapshot) -> Problem | None:
    """Return that a NetworkPolicy of the dependency keeps out the target."""
    labels = next(
        (snapshot.neighbours[w.ref] for w in known.workloads if w.ref in snapshot.neighbours), None
    )
    if labels is None:
        return None
    policies = [
        view
        for key, manifest in snapshot.objects.items()
        if key.kind == "NetworkPolicy"
        and (view := network_policy(manifest)).selector.matches(labels)
    ]
    ports = [p.target_port for p in known.ports if known.port is None or p.port == known.port]
    if ports and not any(ingress_allowed(policies, snapshot.pod_labels, p) for p in ports):
        names = " and ".join(sorted(view.name for view in policies if view.ingress is not None))
        return Problem(f"does not let it in: network policy {names}", FindingKind.REQUEST_FAILED)
    return None

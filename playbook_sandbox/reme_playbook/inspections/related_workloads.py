"""The workloads of the namespace that the target calls, as far as the snapshot names them."""

from collections.abc import Iterator

from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_WORKLOADS = 4


def called_workloads(snapshot: ClusterSnapshot) -> Iterator[ObjectRef]:
    """Yield the workloads whose pods a called Service leads to, in the order of the Services."""
    depended = (
        workload.ref for dependency in snapshot.dependencies for workload in dependency.workloads
    )
    called = (
        workload
        for callee in snapshot.callees
        for workload, labels in sorted(snapshot.neighbours.items())
        if callee.labels and all(labels.get(k) == v for k, v in callee.labels.items())
    )
    workloads = (ref for ref in (*depended, *called) if ref in snapshot.neighbours)
    for number, workload in enumerate(dict.fromkeys(workloads)):
        if number < _MAX_WORKLOADS and workload != snapshot.target:
            yield workload

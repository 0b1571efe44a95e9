"""The Services of the namespace that inspections are about: the target's own, and called ones."""

from collections.abc import Iterator

from reme_playbook.snapshot.dependency import Dependency, Place
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.ownership import belongs_to_target
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST = 6


def called_services(snapshot: ClusterSnapshot) -> Iterator[ObjectRef]:
    """Yield the Services that the target calls, at most six, those with a problem first."""
    called = [
        dependency
        for dependency in snapshot.dependencies
        if dependency.place is Place.NAMESPACE and dependency.exists and dependency.selector
    ]
    called.sort(key=lambda d: (not d.problem, not d.reported))
    names = list(dict.fromkeys(dependency.service for dependency in called))
    yield from (service_ref(snapshot, name) for name in names[:_MOST])


def own_services(snapshot: ClusterSnapshot) -> Iterator[ObjectRef]:
    """Yield the Services of the target, also one that does not select its pods any more."""
    for view in snapshot.services:
        ref = service_ref(snapshot, view.name)
        if view.selects_target or belongs_to_target(ref, snapshot):
            yield ref


def called(snapshot: ClusterSnapshot, service: str) -> Dependency | None:
    """Return the dependency of that Service, or None if the target does not call it."""
    return next(
        (d for d in snapshot.dependencies if d.place is Place.NAMESPACE and d.service == service),
        None,
    )


def service_ref(snapshot: ClusterSnapshot, name: str) -> ObjectRef:
    """Return the Service of that name in the namespace of the target."""
    return ObjectRef("Service", snapshot.target.namespace, name)

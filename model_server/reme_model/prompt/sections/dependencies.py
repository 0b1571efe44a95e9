"""Describes what is known to be wrong with the services that the workload calls."""

from collections.abc import Iterator

from reme_model.prompt.redact import short
from reme_model.prompt.sections.lines import Line, Weight, wrong
from reme_playbook.snapshot.dependency import Dependency, Place
from reme_playbook.snapshot.missing_hosts import repaired_values
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MOST = 3


def dependency_lines(live: ClusterSnapshot) -> Iterator[Line]:
    """Yield a line for each dependency with a problem, those that the report names first.

    A missing host that a variable could name instead has its line with that variable.
    """
    faulty = [
        dependency
        for dependency in live.dependencies
        if dependency.problem and not _is_repairable(dependency, live)
    ]
    for dependency in sorted(faulty, key=lambda d: not d.reported)[:_MOST]:
        name, problem = short(dependency.name, 80), short(dependency.problem, 140)
        yield wrong(f"{name}, {_relation(dependency)}, {problem}", Weight.NEEDED)


def _is_repairable(dependency: Dependency, live: ClusterSnapshot) -> bool:
    return dependency.exists is False and any(
        repaired_values(live, mention) for mention in dependency.mentions
    )


def _relation(dependency: Dependency) -> str:
    match dependency.place:
        case Place.NAMESPACE:
            return "which it calls"
        case Place.OTHER_NAMESPACE:
            return "which it calls in another namespace"
        case Place.OUTSIDE:
            return "which it calls outside the cluster"

"""Every place in which a fault can be, with what its placeholders stand for there."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.cases.model import Case
from reme_benchmark.scenarios.cases.targets import possible
from reme_benchmark.scenarios.faults.facts import case_values
from reme_benchmark.scenarios.faults.model import Fault, Split
from reme_benchmark.scenarios.systems.catalog import load, names
from reme_benchmark.scenarios.systems.model import System
from reme_benchmark.scenarios.systems.render import manifests

MOST_SERVICES = 5


@cache
def systems() -> dict[str, System]:
    return {name: load(name) for name in names()}


@cache
def objects(system: str) -> tuple[Object, ...]:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0"}}
    return (*manifests(systems()[system], f"bench-{system}"), node)


def values(case: Case) -> dict[str, Any]:
    pod = {"pod": f"{case.service}-abcde"}
    return case_values(case, systems()[case.system], objects(case.system), pod)


def situations(fault: Fault) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Yield cases on all systems, with every parameter of every split at least once."""
    for system in systems().values():
        for service in possible(fault, system)[:MOST_SERVICES]:
            for split in Split:
                most = max((len(v[split]) for v in fault.parameters.values()), default=1)
                for turn in range(most):
                    parameters = {
                        name: by_split[split][turn % len(by_split[split])]
                        for name, by_split in fault.parameters.items()
                    }
                    case = Case(
                        id="test-001",
                        system=system.name,
                        fault=fault.id,
                        service=service.name,
                        reported_service=service.name,
                        parameters=parameters,
                        split=split,
                    )
                    yield case, values(case)

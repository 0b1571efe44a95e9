"""What the target of a world depends on, as the operator would read it."""

from collections.abc import Mapping
from typing import Any

from reme_lab.simulator.api_objects import pod_object, serving_container, workload_object
from reme_lab.simulator.health import replica_counts
from reme_lab.simulator.network import Network
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.dependencies import dependencies, dependent_services
from reme_playbook.snapshot.dependency import Dependency
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Json = Mapping[str, Any]


def world_dependencies(
    network: Network, snapshot: ClusterSnapshot, words: str
) -> tuple[Dependency, ...]:
    """Return the dependencies of the target, with the pods behind them."""
    world = network.world
    services = [stored for _, stored in world.of_kind("Service")]
    called = dependent_services(snapshot, services)
    if not called:
        return dependencies(snapshot, services, (), {}, [words])
    workloads = [
        workload_object(world, key, replica_counts(network, key)) for key in world.workloads
    ]
    pods = {
        unstructured.text(service, "metadata", "name"): selected_pods(
            network, unstructured.strings(service, "spec", "selector")
        )
        for service in called
    }
    return dependencies(snapshot, services, workloads, pods, [words])


def selected_pods(network: Network, selector: Mapping[str, str]) -> list[Json]:
    """Return the pods of all workloads that a Service with this selector selects."""
    world = network.world
    return [
        pod_object(world, pod, status, serving_container(world, pod))
        for key in world.workloads
        for pod, status in zip(world.pods.get(key, ()), network.pod_statuses(key), strict=True)
        if views.selects(selector, unstructured.strings(pod.template, "metadata", "labels"))
    ]

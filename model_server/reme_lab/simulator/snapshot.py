"""Takes the snapshot of a world that the operator would collect."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reme_lab.simulator.api_objects import (
    phase_of,
    pod_object,
    related_object,
    serving_container,
    workload_object,
)
from reme_lab.simulator.dependencies import world_dependencies
from reme_lab.simulator.events import events
from reme_lab.simulator.health import replica_counts
from reme_lab.simulator.network import Network, network_of
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.related_services import callees, callers, related_services
from reme_playbook.snapshot.siblings import Sibling, siblings
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Usage, config_map_references

Json = Mapping[str, Any]

_RELATED_KINDS = frozenset(
    {
        "HorizontalPodAutoscaler",
        "ResourceQuota",
        "PodDisruptionBudget",
        "Ingress",
        "NetworkPolicy",
    }
)
_MAX_PODS = 64
_SIDECAR = Usage(2, 8 * 2**20)


def snapshot_of(
    world: World, words: str = "", *, also: Sequence[ObjectRef] = ()
) -> ClusterSnapshot:
    """Return the snapshot that the operator would collect.

    `words` is the text of the report and its probes: a Service that is mentioned is related, as in
    the operator. `also` are objects to include whether they are related or not.
    """
    network, target = network_of(world), world.target
    workload = workload_object(world, target, replica_counts(network, target))
    template = unstructured.mapping(workload, "spec", "template")
    services = [stored for _, stored in world.of_kind("Service")]
    related = related_services(
        services, unstructured.strings(template, "metadata", "labels"), target.name, words
    )
    objects: dict[ObjectRef, Json] = {target: workload}
    pods = list(zip(world.pods.get(target, ()), network.pod_statuses(target), strict=True))[
        -_MAX_PODS:
    ]
    for pod, status in pods:
        key = ObjectRef("Pod", target.namespace, pod.name)
        objects[key] = pod_object(world, pod, status, serving_container(world, pod))
    config_maps = set(config_map_references(template))
    for key, stored in world.objects.items():
        if (key.kind == "Service" and any(stored is service for service in related)) or (
            key.kind == "ConfigMap" and key.name in config_maps
        ):
            objects[key] = stored
        elif key.kind in _RELATED_KINDS:
            objects[key] = related_object(network, key, stored)
        elif key.kind == "Job" and unstructured.at(stored, "spec", "suspend") is True:
            objects[key] = stored
    neighbours = {
        key: unstructured.strings(world.objects[key], "spec", "template", "metadata", "labels")
        for key in world.workloads
        if key != target
    }
    partial = ClusterSnapshot(target=target, objects=objects, neighbours=neighbours)
    node_labels = None
    if partial.has_unschedulable_pods:
        nodes = world.of_kind("Node")
        node_labels = frozenset(
            pair
            for _, node in nodes
            for pair in unstructured.strings(node, "metadata", "labels").items()
        )
        objects |= {
            key: node
            for key, node in nodes
            if unstructured.at(node, "spec", "unschedulable")
            or unstructured.items(node, "spec", "taints")
        }
    objects |= {
        key: world.objects[key] for key in also if key in world.objects and key not in objects
    }
    others = [{"kind": key.kind, **world.objects[key]} for key in world.workloads]
    snapshot = ClusterSnapshot(
        target=target,
        objects=objects,
        neighbours=neighbours,
        revisions=world.revisions.get(target, ())[:10],
        events=events(network, target),
        usage=_usage(world, pods),
        service_names=tuple(sorted(unstructured.text(s, "metadata", "name") for s in services)),
        callers=callers(others, services, partial),
        callees=callees(services, partial),
        node_labels=node_labels,
        siblings=_siblings(network, target, template),
    )
    return replace(snapshot, dependencies=world_dependencies(network, snapshot, words))


def _siblings(network: Network, target: ObjectRef, template: Json) -> dict[ObjectRef, Sibling]:
    """Return the siblings; workloads get their status only if they are some."""
    world = network.world
    others = [{"kind": key.kind, **world.objects[key]} for key in world.workloads if key != target]
    refs = siblings(others, target, template)
    return siblings(
        [workload_object(world, ref, replica_counts(network, ref)) for ref in refs],
        target,
        template,
    )


def _usage(world: World, pods: list[tuple[Pod, PodStatus]]) -> dict[tuple[str, str], Usage]:
    if not world.ground_truth.metrics_available:
        return {}
    usage = {}
    for pod, status in pods:
        if phase_of(pod, status) != "Running" or not status.running:
            continue
        name = serving_container(world, pod)
        for container in template_facts(pod.template).containers:
            is_serving = container.name == name
            usage[pod.name, container.name] = (
                Usage(status.cpu, status.memory) if is_serving else _SIDECAR
            )
    return usage

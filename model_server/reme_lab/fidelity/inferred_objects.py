"""Infers what a snapshot does not contain: the program, neighbours, Services and nodes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reme_lab.simulator.program import Behaviour, Program
from reme_lab.simulator.template_facts import addresses, service_of, template_facts
from reme_playbook.snapshot import unstructured, views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Json = Mapping[str, Any]


def inferred_program(live: ClusterSnapshot) -> Program:
    """Return a program without faults that matches the target's template and usage."""
    container = next((c for c in live.containers if c.ports), None)
    container = container or next(iter(live.containers), None)
    if container is None:
        return Program()
    usual = Behaviour(any_path=True)
    if container.ports:
        usual = replace(usual, port=container.ports[0].number)
    ready = container.probes.get("readiness")
    if ready is not None and ready.path:
        usual = replace(usual, ready_paths=frozenset({ready.path, "/"}))
    used = [use for (_, name), use in live.usage.items() if name == container.name]
    if used:
        usual = replace(
            usual,
            cpu_millicores=sum(use.cpu_millicores for use in used),
            memory_bytes=min(use.memory_bytes for use in used),
        )
    return Program(container=container.name, default=usual)


def inferred_neighbours(live: ClusterSnapshot) -> dict[ObjectRef, Json]:
    """Return workloads and Services for those of which the snapshot has only the name."""
    objects: dict[ObjectRef, Json] = {}
    for key, labels in live.neighbours.items():
        template = {
            "metadata": {"labels": dict(labels)},
            "spec": {"containers": [{"name": "main"}]},
        }
        objects[key] = {
            "metadata": {"name": key.name, "namespace": key.namespace},
            "spec": {"selector": {"matchLabels": dict(labels)}, "template": template},
        }
    existing = {key.name for key in live.objects if key.kind == "Service"}
    named_ports = dict(_named_services(live))
    callees = {callee.service: callee for callee in live.callees}
    for name in live.service_names:
        if name in existing:
            continue
        callee, port = callees.get(name), named_ports.get(name, 80)
        spec: dict[str, Any] = {"ports": [{"port": port, "targetPort": port}]}
        if callee is not None and callee.ports:
            spec = {
                "selector": dict(callee.labels),
                "ports": [
                    {"port": named_ports.get(name, callee.ports[0]), "targetPort": callee.ports[0]}
                ],
            }
        metadata = {"name": name, "namespace": live.target.namespace}
        objects[ObjectRef("Service", live.target.namespace, name)] = {
            "metadata": metadata,
            "spec": spec,
        }
    return objects


def _named_services(live: ClusterSnapshot) -> Iterator[tuple[str, int]]:
    """Yield the Services and ports that the settings of any revision name."""
    texts = [v for t in (live.template, *live.other_templates) for v in _settings(t)]
    texts += [v for name in live.config_map_names for v in live.config_map(name).values()]
    # A repair may restore what a ConfigMap lost.
    applied = [live.last_applied_config(name) for name in live.config_map_names]
    texts += [v for config in applied for v in unstructured.strings(config, "data").values()]
    for text in texts:
        for address in addresses(text):
            if address.port:
                yield service_of(address.host, live.target.namespace), address.port


def _settings(template: Json) -> list[str]:
    return [v for c in views.template_containers(template) for v in c.env.values() if v]


def inferred_nodes(
    live: ClusterSnapshot, objects: Mapping[ObjectRef, Json]
) -> dict[ObjectRef, Json]:
    """Return a node for each unknown one that has pods; one node if there is none at all."""
    pods = [pod_object for key, pod_object in live.objects.items() if key.kind == "Pod"]
    used = {unstructured.text(pod, "spec", "nodeName") for pod in pods}
    existing = {key.name for key in objects if key.kind == "Node"}
    missing = sorted(used - existing - {""}) or ([] if existing else ["node-1"])
    return {
        ObjectRef("Node", "", name): {
            "metadata": {"name": name, "labels": dict(sorted(live.node_labels or ()))},
            "spec": {},
            "status": {
                "allocatable": _allocatable(pods),
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        for name in missing
    }


def _allocatable(pods: Sequence[Json]) -> dict[str, str]:
    """Return a node's capacity: too little for pods that do not fit."""
    capacity = {"cpu": 8000, "memory": 32 * 2**30}
    placed = [
        template_facts(pod).requests for pod in pods if unstructured.text(pod, "spec", "nodeName")
    ]
    for pod in pods:
        message = views.pod(pod).unscheduled
        for resource in capacity:
            if f"Insufficient {resource}" in message:
                used = sum(getattr(amounts, resource) for amounts in placed)
                room = used + getattr(template_facts(pod).requests, resource) - 1
                capacity[resource] = max(0, min(capacity[resource], room))
    return {"cpu": f"{capacity['cpu']}m", "memory": str(capacity["memory"])}

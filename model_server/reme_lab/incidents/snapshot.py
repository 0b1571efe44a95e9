"""The snapshot that the operator would collect of a system."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from reme_lab.incidents.system import MIB, Json, Pod, System
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import LAST_APPLIED, Callee, ClusterSnapshot, Revision, Usage

_CLOCK = "2026-03-{:02d}T0{}:00:00Z"


def healthy_snapshot(system: System) -> ClusterSnapshot:
    """Return the snapshot before the fault."""
    before = copy.copy(system)
    before.template, before.config = system.original, system.original_config
    before.service, before.replicas = system.original_service, system.original_replicas
    before.earlier_templates = [
        (t, n) for t, n in system.earlier_templates if t is not system.template
    ]
    before.related_objects = system.healthy_related_objects
    before.events, before.usage, before.paused = [], {}, False
    before.replace_all()
    return snapshot_of(before)


def snapshot_of(system: System) -> ClusterSnapshot:
    """Return the snapshot with the fault."""
    objects: dict[ObjectRef, Mapping[str, Any]] = {system.key: _workload(system)}
    service = {"metadata": _meta(system, system.name), "spec": system.service}
    if system.has_last_applied:
        _apply(service, {"spec": system.original_service})
    objects[system.object_ref("Service", system.name)] = service
    if system.config or system.original_config:
        config: Json = {"metadata": _meta(system, system.config_name), "data": dict(system.config)}
        if system.has_last_applied:
            _apply(config, {"data": system.original_config})
        objects[system.object_ref("ConfigMap", system.config_name)] = config
    for pod in system.pods:
        objects[system.object_ref("Pod", pod.name)] = _pod(system, pod)
    for key, stored in system.related_objects.items():
        item = copy.deepcopy(stored)
        objects[key] = item
    return ClusterSnapshot(
        target=system.key,
        objects=objects,
        neighbours={
            system.object_ref("Deployment", n.name): {"app": n.name} for n in system.neighbours
        },
        revisions=_revisions(system),
        events=tuple(system.events),
        usage=_usage(system),
        service_names=tuple(sorted([system.name, *(n.name for n in system.neighbours)])),
        callers=tuple(
            sorted(
                system.object_ref("Deployment", n.name) for n in system.neighbours if n.calls_target
            )
        ),
        callees=tuple(
            sorted(
                (
                    Callee(n.name, {"app": n.name}, (n.port,))
                    for n in system.neighbours
                    if n.called_by_target
                ),
                key=lambda c: c.service,
            )
        ),
        node_labels=system.node_labels,
    )


def _meta(system: System, name: str) -> Json:
    return {"name": name, "namespace": system.namespace}


def _workload(system: System) -> Json:
    updated = [p for p in system.pods if p.hash == system.hash]
    ready = sum(p.ready for p in system.pods)
    spec: Json = {
        "replicas": system.replicas,
        "selector": {"matchLabels": {"app": system.name}},
        "template": system.template,
    }
    if system.kind == "StatefulSet":
        spec["podManagementPolicy"] = "Parallel"
    if system.kind == "Deployment":
        spec["strategy"] = {"type": "Recreate"} if system.recreate else {"type": "RollingUpdate"}
    if system.paused:
        spec["paused"] = True
    workload: Json = {
        "apiVersion": "apps/v1",
        "kind": system.kind,
        "metadata": {**_meta(system, system.name), "uid": "u", "generation": 1},
        "spec": spec,
        "status": {
            "observedGeneration": 1,
            "replicas": len(system.pods),
            "updatedReplicas": len(updated),
            "readyReplicas": ready,
            "availableReplicas": ready,
        },
    }
    if system.has_last_applied:
        applied = {**spec, "template": system.original, "replicas": system.original_replicas}
        applied.pop("paused", None)
        _apply(workload, {"spec": applied})
    return workload


def _pod(system: System, pod: Pod) -> Json:
    owner: Json = {"kind": system.kind, "name": system.name, "controller": True}
    labels = dict(pod.template["metadata"]["labels"])
    if system.kind == "Deployment":
        owner |= {"kind": "ReplicaSet", "name": f"{system.name}-{pod.hash}"}
        labels["pod-template-hash"] = pod.hash
    containers = copy.deepcopy(pod.template["spec"]["containers"])
    if pod.image:
        containers[0]["image"] = pod.image
    conditions: list[Json] = [{"type": "Ready", "status": str(pod.ready)}]
    statuses = []
    if pod.unscheduled:
        conditions.append({"type": "PodScheduled", "status": "False", "message": pod.unscheduled})
    else:
        for index, container in enumerate(containers):
            is_main = index == 0
            waiting = (
                pod.state.get("state", {}).get("waiting", {}).get("reason") == "PodInitializing"
            )
            statuses.append(
                {
                    "name": container["name"],
                    "image": container["image"],
                    "ready": pod.ready if is_main else not waiting,
                    "restartCount": pod.restarts if is_main else 0,
                    **(
                        copy.deepcopy(pod.state)
                        if is_main or waiting
                        else {"state": {"running": {}}}
                    ),
                }
            )
    return {
        "metadata": {**_meta(system, pod.name), "labels": labels, "ownerReferences": [owner]},
        "spec": {"containers": containers},
        "status": {"phase": pod.phase, "conditions": conditions, "containerStatuses": statuses},
    }


def _usage(system: System) -> dict[tuple[str, str], Usage]:
    usage = {}
    for pod in system.pods:
        if pod.unscheduled or pod.phase != "Running" or "waiting" in pod.state.get("state", {}):
            continue
        cpu, memory = system.usage.get(pod.name) or (
            max(0, system.cpu_percent + system.rng.integer(-1, 2)),
            max(1, system.memory_percent + system.rng.integer(-2, 2)),
        )
        for place, container in enumerate(pod.template["spec"]["containers"]):
            limits = container["resources"]["limits"]
            cpu_limit, memory_limit = _milli(limits["cpu"]), _mebi(limits["memory"])
            shares = (cpu, memory) if place == 0 else (3, 12)
            usage[(pod.name, container["name"])] = Usage(
                -(-cpu_limit * shares[0] // 100), memory_limit * MIB * shares[1] // 100
            )
    return usage


def _revisions(system: System) -> tuple[Revision, ...]:
    numbered = [*system.earlier_templates, (system.template, system.replicas)]
    first = 1
    revisions = [
        Revision(
            first + place,
            template,
            _CLOCK.format(place + 1, place % 10),
            None if system.kind == "StatefulSet" else replicas,
        )
        for place, (template, replicas) in enumerate(numbered)
    ]
    return tuple(reversed(revisions))


def _apply(item: Json, applied: Json) -> None:
    item["metadata"] = {**item["metadata"], "annotations": {LAST_APPLIED: json.dumps(applied)}}


def _milli(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


def _mebi(text: str) -> int:
    return int(text[:-2]) if text.endswith("Mi") else int(text[:-2]) * 1024

"""The snapshot that the operator would collect of a system."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from reme_lab.incidents.system import MIB, Json, Pod, System
from reme_lab.incidents.timeline import COLLECTED, Timeline, api_time, timeline
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import LAST_APPLIED, Callee, ClusterSnapshot, Revision, Usage


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
    before.earlier_hashes = []
    before.replace_all()
    return snapshot_of(before)


def snapshot_of(system: System) -> ClusterSnapshot:
    """Return the snapshot with the fault."""
    times = timeline(f"{system.namespace}/{system.name}", by_release=bool(system.earlier_hashes))
    objects: dict[ObjectRef, Mapping[str, Any]] = {system.key: _workload(system, times)}
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
        objects[system.object_ref("Pod", pod.name)] = _pod(system, pod, times)
    for key, stored in system.related_objects.items():
        item = copy.deepcopy(stored)
        objects[key] = item
    return ClusterSnapshot(
        target=system.key,
        objects=objects,
        neighbours={
            system.object_ref("Deployment", n.name): {"app": n.name} for n in system.neighbours
        },
        revisions=_revisions(system, times),
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
        fault_start=times.fault_start,
        fault_start_observed=times.observed,
        collected_at=COLLECTED,
    )


def _meta(system: System, name: str) -> Json:
    return {"name": name, "namespace": system.namespace}


def _workload(system: System, times: Timeline) -> Json:
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
            **_rollout_status(system, times),
        },
    }
    if system.has_last_applied:
        applied = {**spec, "template": system.original, "replicas": system.original_replicas}
        applied.pop("paused", None)
        _apply(workload, {"spec": applied})
    return workload


def _rollout_status(system: System, times: Timeline) -> Json:
    """Return what says which revision pods are to have, and whether they once had it."""
    if system.kind == "StatefulSet":
        return {"updateRevision": f"{system.name}-{system.hash}"}
    if any(pod.hash != system.hash or pod.never_ready for pod in system.pods):
        return {}
    condition = {
        "type": "Progressing",
        "status": "True",
        "reason": "NewReplicaSetAvailable",
        "lastUpdateTime": api_time(times.rollout_complete),
    }
    return {"conditions": [condition]}


def _pod_times(system: System, pod: Pod, times: Timeline) -> tuple[str, str]:
    """Return when the pod started, and when it became ready or unready."""
    if pod.hash != system.hash:
        return api_time(times.revision(1)), api_time(times.revision(1))
    if pod.never_ready:
        started = api_time(times.release if system.earlier_hashes else times.fault_start)
        return started, started
    changed = times.rollout_complete if pod.ready else times.fault_start
    return api_time(times.release), api_time(changed)


def _pod(system: System, pod: Pod, times: Timeline) -> Json:
    owner: Json = {"kind": system.kind, "name": system.name, "controller": True}
    labels = dict(pod.template["metadata"]["labels"])
    if system.kind == "Deployment":
        owner |= {"kind": "ReplicaSet", "name": f"{system.name}-{pod.hash}"}
        labels["pod-template-hash"] = pod.hash
    else:
        labels["controller-revision-hash"] = f"{system.name}-{pod.hash}"
    containers = copy.deepcopy(pod.template["spec"]["containers"])
    if pod.image:
        containers[0]["image"] = pod.image
    started, changed = _pod_times(system, pod, times)
    conditions: list[Json] = [
        {"type": "Ready", "status": str(pod.ready), "lastTransitionTime": changed}
    ]
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
    status: Json = {
        "phase": pod.phase,
        **({} if pod.unscheduled else {"startTime": started}),
        "conditions": conditions,
        "containerStatuses": statuses,
    }
    initial = pod.template["spec"].get("initContainers", [])
    if initial and statuses:
        is_waiting = any("waiting" in s.get("state", {}) and not s["ready"] for s in statuses)
        status["initContainerStatuses"] = [_init_status(c, is_waiting=is_waiting) for c in initial]
    return {
        "metadata": {**_meta(system, pod.name), "labels": labels, "ownerReferences": [owner]},
        "spec": {"containers": containers},
        "status": status,
    }


def _init_status(container: Json, *, is_waiting: bool) -> Json:
    ended: Json = {"terminated": {"reason": "Completed", "exitCode": 0}}
    return {
        "name": container["name"],
        "ready": not is_waiting,
        "state": {"running": {}} if is_waiting else ended,
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


def _revisions(system: System, times: Timeline) -> tuple[Revision, ...]:
    numbered = [*system.earlier_templates, (system.template, system.replicas)]
    hashes = [*system.earlier_hashes, system.hash]
    revisions = []
    for back, (template, replicas) in enumerate(reversed(numbered)):
        known_hash = hashes[-1 - back] if back < len(hashes) else ""
        revisions.append(
            Revision(
                len(numbered) - back,
                _with_hash(template, known_hash) if system.kind == "Deployment" else template,
                api_time(times.revision(back)),
                None if system.kind == "StatefulSet" else replicas,
            )
        )
    return tuple(revisions)


def _with_hash(template: Json, template_hash: str) -> Json:
    """Return the template as a ReplicaSet has it."""
    if not template_hash:
        return template
    labels = {**template["metadata"]["labels"], "pod-template-hash": template_hash}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}


def _apply(item: Json, applied: Json) -> None:
    item["metadata"] = {**item["metadata"], "annotations": {LAST_APPLIED: json.dumps(applied)}}


def _milli(text: str) -> int:
    return int(text[:-1]) if text.endswith("m") else int(text) * 1000


def _mebi(text: str) -> int:
    return int(text[:-2]) if text.endswith("Mi") else int(text[:-2]) * 1024

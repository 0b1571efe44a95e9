"""Renders pods, workloads and related objects with their status, as the API server returns them."""

from collections.abc import Mapping
from typing import Any

from reme_lab.simulator.autoscaling import autoscaler_decision
from reme_lab.simulator.health import ReplicaCounts, disruptions_allowed
from reme_lab.simulator.network import Network
from reme_lab.simulator.pod_status import PodStatus
from reme_lab.simulator.revisions import api_time, template_hash
from reme_lab.simulator.scheduling import format_amount, used_amount
from reme_lab.simulator.template_facts import template_facts
from reme_lab.simulator.world import Pod, World
from reme_playbook.snapshot import related_views, unstructured
from reme_playbook.snapshot.object_ref import ObjectRef

Json = Mapping[str, Any]

_BACK_OFF_SECONDS = (10, 20, 40, 80, 160, 300)


def restarts_of(pod: Pod, status: PodStatus, now: int) -> int:
    """Return the container's restart count, which grows ever more slowly under back-off."""
    if not status.flaps:
        return pod.restarts
    remaining, count = now - pod.created, 0
    while remaining > 0 and count < 12:
        remaining -= _BACK_OFF_SECONDS[min(count, len(_BACK_OFF_SECONDS) - 1)]
        count += 1
    return pod.restarts + max(1, count)


def pod_object(world: World, pod: Pod, status: PodStatus, serving: str) -> Json:
    """Return a pod object; `serving` is the container that the status describes."""
    owner: dict[str, Any] = {
        "kind": pod.owner.kind,
        "name": pod.owner.name,
        "uid": uid(pod.owner.kind, pod.owner.name),
        "controller": True,
    }
    labels = unstructured.strings(pod.template, "metadata", "labels")
    if pod.owner.kind == "Deployment":
        template_hash_value = template_hash(pod.template)
        name = f"{pod.owner.name}-{template_hash_value}"
        owner |= {"kind": "ReplicaSet", "name": name, "uid": uid("ReplicaSet", name)}
        labels["pod-template-hash"] = template_hash_value
    spec = dict(unstructured.mapping(pod.template, "spec"))
    if status.stress.failed:
        spec["containers"] = [
            {**c, "image": status.stress.image} if c.get("name") == serving else c
            for c in unstructured.items(spec, "containers")
        ]
    if pod.node:
        spec["nodeName"] = pod.node
    metadata: dict[str, Any] = {
        "name": pod.name,
        "namespace": pod.owner.namespace,
        "uid": uid("Pod", pod.name),
        "creationTimestamp": api_time(pod.created),
        "labels": labels,
        "ownerReferences": [owner],
    }
    if annotations := unstructured.strings(pod.template, "metadata", "annotations"):
        metadata["annotations"] = annotations
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec,
        "status": _pod_status(world, pod, status, spec, serving),
    }


def uid(kind: str, name: str) -> str:
    """Return a constant id for an object."""
    return f"{kind.lower()}-{name}"


def serving_container(world: World, pod: Pod) -> str:
    """Return the name of the serving container of a pod."""
    container = template_facts(pod.template).container(world.program(pod.owner).container)
    return container.name if container else ""


def phase_of(pod: Pod, status: PodStatus) -> str:
    """Return the phase of a pod; Pending until its containers could be created."""
    if not pod.node or status.init or (status.waiting and not status.ended):
        return "Pending"
    return "Running"


def _pod_status(world: World, pod: Pod, life: PodStatus, spec: Json, serving: str) -> Json:
    if not pod.node:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": pod.unschedulable,
        }
        return {"phase": "Pending", "conditions": [condition]}
    status: dict[str, Any] = {
        "phase": phase_of(pod, life),
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Initialized", "status": str(not life.init)},
            {"type": "ContainersReady", "status": str(life.ready)},
            {"type": "Ready", "status": str(life.ready)},
        ],
        "startTime": api_time(pod.created),
        "containerStatuses": [
            _container_status(world, pod, life, c, serving)
            for c in unstructured.items(spec, "containers")
        ],
    }
    if unstructured.items(spec, "initContainers"):
        ended = {"terminated": {"reason": "Completed", "exitCode": 0}}
        status["initContainerStatuses"] = [
            {
                "name": unstructured.text(c, "name"),
                "image": unstructured.text(c, "image"),
                "ready": not life.init,
                "restartCount": 0,
                "state": {"running": {"startedAt": api_time(pod.created)}} if life.init else ended,
            }
            for c in unstructured.items(spec, "initContainers")
        ]
    return status


def _container_status(
    world: World, pod: Pod, life: PodStatus, container: Json, serving: str
) -> Json:
    status: dict[str, Any] = {
        "name": unstructured.text(container, "name"),
        "image": unstructured.text(container, "image"),
        "ready": life.ready,
        "restartCount": 0,
        "state": {"running": {"startedAt": api_time(pod.created)}},
    }
    if life.init:
        return {**status, "state": {"waiting": {"reason": "PodInitializing"}}}
    if status["name"] != serving:
        return {**status, "ready": True}
    count = restarts_of(pod, life, world.clock)
    status["restartCount"] = count
    if life.waiting:
        waiting = {"reason": life.waiting}
        if life.message:
            waiting["message"] = life.message
        status["state"] = {"waiting": waiting}
    if life.ended:
        ended = {
            "reason": life.ended,
            "exitCode": life.exit_code or 0,
            "finishedAt": api_time(world.clock - 20),
        }
        status["lastState"] = {"terminated": ended}
    elif count:
        status["lastState"] = {"terminated": {"reason": "Error", "exitCode": 1}}
    return status


def workload_object(world: World, key: ObjectRef, count: ReplicaCounts) -> Json:
    """Return a workload object with its status."""
    workload = world.objects[key]
    metadata = {"uid": uid(key.kind, key.name), **unstructured.mapping(workload, "metadata")}
    generation = int(metadata.setdefault("generation", 1))
    status: dict[str, Any] = {"observedGeneration": generation}
    if key.kind == "DaemonSet":
        status |= {
            "desiredNumberScheduled": count.desired,
            "currentNumberScheduled": count.current,
            "updatedNumberScheduled": count.updated,
            "numberReady": count.ready,
            "numberAvailable": count.ready,
            "numberMisscheduled": 0,
        }
    else:
        status |= {
            "replicas": count.current,
            "updatedReplicas": count.updated,
            "readyReplicas": count.ready,
            "availableReplicas": count.ready,
        }
    if key.kind == "Deployment":
        status["conditions"] = _conditions(world, key, count)
    return {
        "apiVersion": key.api_version,
        "kind": key.kind,
        **workload,
        "metadata": metadata,
        "status": status,
    }


def _conditions(world: World, key: ObjectRef, count: ReplicaCounts) -> list[Json]:
    complete = count.updated >= count.desired and count.ready >= count.desired
    conditions: list[Json] = [
        {"type": "Available", "status": str(count.ready >= count.desired)},
        {
            "type": "Progressing",
            "status": str(complete),
            "reason": "NewReplicaSetAvailable" if complete else "ProgressDeadlineExceeded",
        },
    ]
    if key in world.creation_errors:
        conditions.append(
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": world.creation_errors[key],
            }
        )
    return conditions


def related_object(network: Network, key: ObjectRef, stored: Json) -> Json:
    """Return a related object with its status, derived from the world."""
    world = network.world
    match key.kind:
        case "ResourceQuota":
            hard = unstructured.mapping(stored, "spec", "hard")
            used = {
                name: format_amount(name, used_amount(world, name, world.pods)) for name in hard
            }
            return {**stored, "status": {"hard": dict(hard), "used": used}}
        case "PodDisruptionBudget":
            allowed = disruptions_allowed(world, network, related_views.budget(stored))
            return {**stored, "status": {"disruptionsAllowed": allowed}}
        case "HorizontalPodAutoscaler":
            decision = autoscaler_decision(world, stored)
            if decision is None:
                return stored
            limited = decision.desired > decision.allowed
            condition = {
                "type": "ScalingLimited",
                "status": str(limited),
                "reason": "TooManyReplicas" if limited else "DesiredWithinRange",
            }
            replicas = unstructured.number(
                world.objects[decision.workload], "spec", "replicas", default=1
            )
            return {
                **stored,
                "status": {
                    "conditions": [condition],
                    "currentReplicas": replicas,
                    "desiredReplicas": decision.allowed,
                },
            }
        case _:
            return stored

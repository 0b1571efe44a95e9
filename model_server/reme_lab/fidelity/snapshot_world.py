"""Builds a world from the snapshot of a real cluster, so that the two can be compared.

A snapshot shows only what is related to its target: neighbours become workloads without faults, and
unknown Services lead to something that responds.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reme_lab.fidelity.inferred_objects import inferred_neighbours, inferred_nodes, inferred_program
from reme_lab.fidelity.snapshot_history import (
    epoch_seconds,
    pods_of,
    replica_sets_of,
    revision_history,
)
from reme_lab.simulator.program import Behaviour, Program, Stress
from reme_lab.simulator.scheduling import used_amount
from reme_lab.simulator.settling import settle, with_overload
from reme_lab.simulator.world import EntryPoint, GroundTruth, Pod, ReplicaSet, World
from reme_playbook.snapshot import views
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import quota_amount
from reme_playbook.snapshot.snapshot import ClusterSnapshot

Json = Mapping[str, Any]

_CLOCK = 1_770_000_000
_NO_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName"})


def world_from_snapshot(
    live: ClusterSnapshot,
    ground_truth: GroundTruth | None = None,
    *,
    stresses: Mapping[str, Stress] | None = None,
    healthy: ClusterSnapshot | None = None,
    at_once: bool = False,
) -> World:
    """Return the settled world that a snapshot shows.

    `stresses` are those of pods, by name. `healthy` is the snapshot before the fault, with which
    repairs are compared. If `ground_truth` has no program for the target, one is inferred. With
    `at_once`, a run follows before starting pods have started; otherwise they have time to start.
    """
    ground_truth = _complete(live, ground_truth or GroundTruth())
    clock = max([_CLOCK, *(epoch_seconds(r.created) + 3600 for r in live.revisions)])
    template, revisions = revision_history(live)
    workload = _without_status(
        {**live.workload, "spec": {**live.workload["spec"], "template": template}}
    )
    objects: dict[ObjectRef, Json] = {live.target: workload}
    for key, stored in live.objects.items():
        if key.kind == "Node":
            objects[key] = stored
        elif key.kind != "Pod" and key != live.target:
            objects[key] = _without_status(stored)
    objects |= inferred_neighbours(live)
    objects |= inferred_nodes(live, objects)
    templates = [template, *(r.template for r in revisions)]
    configs = {key.name: stored for key, stored in objects.items() if key.kind == "ConfigMap"}
    pods = tuple(pods_of(live, templates, configs, stresses or {}, clock, at_once=at_once))
    own = {live.target: pods} if pods else {}
    sets = (
        {live.target: replica_sets_of(templates, pods)} if live.target.kind == "Deployment" else {}
    )
    for key in live.neighbours:
        if key.kind != "DaemonSet":
            other = objects[key]["spec"]["template"]
            own[key] = (Pod(f"{key.name}-0", key, other, clock - 3600, node="node-1"),)
            sets[key] = (ReplicaSet(other, 1),) if key.kind == "Deployment" else ()
    world = World(
        target=live.target,
        objects=objects,
        pods=own,
        revisions={live.target: revisions},
        replica_sets=sets,
        ground_truth=ground_truth,
        clock=clock,
    )
    world = replace(
        world, ground_truth=replace(ground_truth, used_elsewhere=_used_elsewhere(live, world))
    )
    world = with_overload(settle(world))
    if healthy is None:
        return world
    before = world_from_snapshot(healthy, _without_fault(ground_truth))
    return replace(world, healthy=replace(before, healthy=None))


def _used_elsewhere(live: ClusterSnapshot, world: World) -> dict[str, int]:
    amounts = dict(world.ground_truth.used_elsewhere)
    for quota in live.quotas:
        for amount, text in quota.used.items():
            amounts[amount] = quota_amount(amount, text) - used_amount(world, amount, world.pods)
    return amounts


def _without_fault(ground_truth: GroundTruth) -> GroundTruth:
    """Return the ground truth without the faults that do not depend on objects."""
    programs = {
        key: replace(program, recurring_stress=tuple(r for r in program.recurring_stress if r.when))
        for key, program in ground_truth.programs.items()
    }
    return replace(
        ground_truth, programs=programs, missing_images=frozenset(), missing_secret_keys=frozenset()
    )


def snapshot_differences(live: ClusterSnapshot, other_snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Return how two snapshots of one target differ in pods and replica counts."""
    expected, actual = live.replicas, other_snapshot.replicas
    differences = [
        f"{name} {getattr(expected, name)}, not {getattr(actual, name)}"
        for name in ("desired", "updated", "ready")
        if getattr(expected, name) != getattr(actual, name)
    ]
    pod_states, other_states = (
        sorted(map(_pod_state, live.pods)),
        sorted(map(_pod_state, other_snapshot.pods)),
    )
    if pod_states != other_states:
        differences.append(f"pods {pod_states}, not {other_states}")
    if live.has_unschedulable_pods != other_snapshot.has_unschedulable_pods:
        differences.append(
            f"unplaced {live.has_unschedulable_pods}, not {other_snapshot.has_unschedulable_pods}"
        )
    return tuple(differences)


def _pod_state(pod: views.PodView) -> str:
    waiting = next((state.waiting for state in pod.containers if state.waiting), "")
    # A container between two crashes may show either state.
    waiting = "CrashLoopBackOff" if waiting in ("", "CrashLoopBackOff") else waiting
    return "ready" if pod.ready else "unplaced" if pod.unscheduled else waiting


def _without_status(stored: Json) -> Json:
    """Return an object without its status: that follows from the world."""
    return {key: value for key, value in stored.items() if key != "status"}


def _complete(live: ClusterSnapshot, ground_truth: GroundTruth) -> GroundTruth:
    """Return the ground truth, completed with what the snapshot shows."""
    missing = {
        state.image
        for pod in live.pods
        for state in pod.containers
        if state.waiting in _NO_IMAGE and state.image
    }
    programs = dict(ground_truth.programs)
    programs.setdefault(live.target, inferred_program(live))
    for callee in live.callees:
        for key, labels in live.neighbours.items():
            port = next((p for p in callee.ports if isinstance(p, int)), None)
            if port and key not in programs and views.selects(callee.labels, labels):
                programs[key] = Program(default=Behaviour(port=port, any_path=True))
    own = [s for s in live.services if s.selects_target and s.ports]
    entry_points = ground_truth.entry_points or tuple(
        EntryPoint(s.name, s.ports[0].port) for s in own[:1]
    )
    return replace(
        ground_truth,
        programs=programs,
        missing_images=ground_truth.missing_images | missing,
        entry_points=entry_points,
    )

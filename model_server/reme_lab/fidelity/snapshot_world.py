"""A world made of what the operator read of a real cluster, so that both can be compared.

Only what is around the target is known of a real namespace: its neighbours become plain workloads
that do what they should, and Services that nothing is known of lead somewhere that answers.
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
from reme_lab.simulator.aging import with_overload
from reme_lab.simulator.program import Behaviour, Program, Stress
from reme_lab.simulator.quotas import used_amount
from reme_lab.simulator.settling import settle
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
    """Return the settled world that a live state shows, as far as it shows it.

    `stresses` are those of its pods, by name. `healthy` is the live state before the fault, for
    repairs to be measured against. A program of the target that `truths` does not tell of is
    inferred: it listens where its first container says, and answers its probes. `at_once` says
    that a run follows before a pod that is being made starts; otherwise there is time for that.
    """
    ground_truth = _completed(live, ground_truth or GroundTruth())
    clock = max([_CLOCK, *(epoch_seconds(r.created) + 3600 for r in live.revisions)])
    template, revisions = revision_history(live)
    workload = _bare({**live.workload, "spec": {**live.workload["spec"], "template": template}})
    objects: dict[ObjectRef, Json] = {live.target: workload}
    for key, found in live.objects.items():
        if key.kind == "Node":
            objects[key] = found
        elif key.kind != "Pod" and key != live.target:
            objects[key] = _bare(found)
    objects |= inferred_neighbours(live)
    objects |= inferred_nodes(live, objects)
    templates = [template, *(r.template for r in revisions)]
    configs = {key.name: found for key, found in objects.items() if key.kind == "ConfigMap"}
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
    found = dict(world.ground_truth.used_elsewhere)
    for quota in live.quotas:
        for amount, text in quota.used.items():
            found[amount] = quota_amount(amount, text) - used_amount(world, amount, world.pods)
    return found


def _without_fault(ground_truth: GroundTruth) -> GroundTruth:
    """Return the truths without what is wrong whatever the objects say."""
    programs = {
        key: replace(program, recurring_stress=tuple(r for r in program.recurring_stress if r.when))
        for key, program in ground_truth.programs.items()
    }
    return replace(
        ground_truth, programs=programs, missing_images=frozenset(), missing_secret_keys=frozenset()
    )


def snapshot_differences(live: ClusterSnapshot, seen: ClusterSnapshot) -> tuple[str, ...]:
    """Return in what two live states of one target tell different stories: pods and counts."""
    one, other = live.replicas, seen.replicas
    found = [
        f"{name} {getattr(one, name)}, not {getattr(other, name)}"
        for name in ("desired", "updated", "ready")
        if getattr(one, name) != getattr(other, name)
    ]
    troubles, others = sorted(map(_trouble, live.pods)), sorted(map(_trouble, seen.pods))
    if troubles != others:
        found.append(f"pods {troubles}, not {others}")
    if live.has_unschedulable_pods != seen.has_unschedulable_pods:
        found.append(f"unplaced {live.has_unschedulable_pods}, not {seen.has_unschedulable_pods}")
    return tuple(found)


def _trouble(pod: views.PodView) -> str:
    waiting = next((state.waiting for state in pod.containers if state.waiting), "")
    # One that is between two ends shows the one or the other.
    waiting = "CrashLoopBackOff" if waiting in ("", "CrashLoopBackOff") else waiting
    return "ready" if pod.ready else "unplaced" if pod.unscheduled else waiting


def _bare(found: Json) -> Json:
    """Return an object without what the API server tells of it: that follows from the world."""
    return {key: value for key, value in found.items() if key != "status"}


def _completed(live: ClusterSnapshot, ground_truth: GroundTruth) -> GroundTruth:
    """Return the truths with what the live state itself gives away."""
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

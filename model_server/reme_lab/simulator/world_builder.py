"""Makes worlds, and breaks them: what a generator of incidents needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reme_lab.simulator.aging import with_overload
from reme_lab.simulator.api_defaults import with_defaults, workload_with_defaults
from reme_lab.simulator.apply_actions import without_pods
from reme_lab.simulator.field_writes import set_field, write_fields
from reme_lab.simulator.program import BehaviourRule, Program, Stress
from reme_lab.simulator.settling import settle
from reme_lab.simulator.world import GroundTruth, World
from reme_playbook.actions.field_paths import Write, container_path
from reme_playbook.snapshot.object_ref import WORKLOADS, ObjectRef
from reme_playbook.snapshot.snapshot import Revision

Json = Mapping[str, Any]

_AN_HOUR = 3600
_OLD = 300
"""Seconds: a fault is some minutes old when it is reported."""


def make_world(
    target: ObjectRef,
    objects: Iterable[Json],
    ground_truth: GroundTruth | None = None,
    *,
    revisions: Mapping[ObjectRef, Sequence[Revision]] | None = None,
    clock: int = 1_770_000_000,
) -> World:
    """Return a settled world of these manifests, which are those of one namespace and of nodes.

    `revisions` are earlier ones, newest first, without the current one. What it is now is the
    healthy state against which repairs are measured: break it afterwards.

    Raises ValueError for a manifest of a kind that actions know nothing of.
    """
    found = {key_of(one, target.namespace): one for one in objects}
    if target not in found:
        raise ValueError(f"{target} is not among the objects")
    for key in found:
        if key.kind in WORKLOADS:
            found[key] = workload_with_defaults(key.kind, found[key])
    earlier = {
        key: tuple(
            replace(
                one,
                template=with_defaults(one.template),
                # Only ReplicaSets remember how many were wanted.
                replicas=one.replicas if key.kind == "Deployment" else None,
            )
            for one in some
        )
        for key, some in (revisions or {}).items()
    }
    world = World(
        target=target,
        objects=found,
        revisions=earlier,
        ground_truth=ground_truth or GroundTruth(),
        clock=clock,
    )
    world = with_overload(settle(world))
    return mark_healthy(replace(world, clock=clock + _AN_HOUR))


def mark_healthy(world: World) -> World:
    """Return the world with what it is now as its healthy state."""
    return replace(world, healthy=replace(world, healthy=None))


def key_of(found: Json, namespace: str) -> ObjectRef:
    """Return the key of a manifest."""
    kind = str(found.get("kind", ""))
    name = str((found.get("metadata") or {}).get("name", ""))
    return ObjectRef(kind, "" if kind == "Node" else namespace, name)  # type: ignore[arg-type]


def after_seconds(world: World, seconds: int) -> World:
    """Return the world after some time in which nobody did anything."""
    return with_overload(settle(replace(world, clock=world.clock + seconds)))


def with_field(world: World, key: ObjectRef, value: Any, *path: str) -> World:
    """Return the settled world with one field of an object set; None takes it away."""
    return after_seconds(
        world.with_objects((key, set_field(world.objects[key], value, *path))), _OLD
    )


def with_object(world: World, key: ObjectRef, found: Json) -> World:
    """Return the settled world with another object, or a new one, in the place of that key."""
    return after_seconds(world.with_objects((key, found)), _OLD)


def with_container_fields(
    world: World, key: ObjectRef, container: str, *changes: tuple[Sequence[Any], Any]
) -> World:
    """Return the settled world with fields of a container set: pairs of a path and a value.

    The path is made of field names and of `fields.Entry` for entries of lists, such as
    `("env", Entry("MODE", "name"), "value")`. All of it is one rollout.
    """
    todo = [Write(container_path(container, *path), value) for path, value in changes]
    found = write_fields(world.objects[key], todo)
    return after_seconds(world.with_objects((key, found)), _OLD)


def with_stress(world: World, pod: str, stress: Stress | None) -> World:
    """Return the world with a stress bound to one pod, or without it."""
    pods = {
        key: tuple(replace(p, stress=stress) if p.name == pod else p for p in some)
        if any(p.name == pod for p in some)
        else some
        for key, some in world.pods.items()
    }
    return settle(replace(world, pods=pods))


def with_pods_replaced(world: World, key: ObjectRef) -> World:
    """Return the world after somebody deleted every pod of a workload."""
    gone = without_pods(world, *(pod.name for pod in world.pods.get(key, ())))
    return after_seconds(gone or world, _OLD)


def with_program(world: World, key: ObjectRef, program: Program) -> World:
    """Return the world with another truth about a workload's program."""
    programs = {**world.ground_truth.programs, key: program}
    return settle(replace(world, ground_truth=replace(world.ground_truth, programs=programs)))


def with_rules(world: World, key: ObjectRef, *rules: BehaviourRule) -> World:
    """Return the world with more truths about a workload's program."""
    return with_program(world, key, world.program(key).with_rules(*rules))


def with_ground_truth(world: World, **changes: Any) -> World:
    """Return the world with other truths; fields of Truths."""
    return settle(replace(world, ground_truth=replace(world.ground_truth, **changes)))

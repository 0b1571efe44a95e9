"""Builds worlds, and changes them to introduce faults."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reme_lab.simulator.apply_actions import without_pods
from reme_lab.simulator.program import BehaviourRule, Program, Stress
from reme_lab.simulator.revisions import with_defaults, workload_with_defaults
from reme_lab.simulator.settling import settle, with_overload
from reme_lab.simulator.world import GroundTruth, World
from reme_playbook.snapshot.field_path import Write, container_path
from reme_playbook.snapshot.field_writes import set_field, write_fields
from reme_playbook.snapshot.object_ref import WORKLOADS, ObjectRef
from reme_playbook.snapshot.snapshot import Revision

Json = Mapping[str, Any]

_AN_HOUR = 3600
_OLD = 300
"""Seconds between a fault and its report."""


def make_world(
    target: ObjectRef,
    objects: Iterable[Json],
    ground_truth: GroundTruth | None = None,
    *,
    revisions: Mapping[ObjectRef, Sequence[Revision]] | None = None,
    clock: int = 1_770_000_000,
) -> World:
    """Return a settled, healthy world of these manifests: one namespace, and nodes.

    `revisions` are earlier revisions, newest first. Introduce the fault afterwards: the world as
    built is the healthy state with which repairs are compared.

    Raises:
        ValueError: the target is not among the objects.
    """
    stored = {key_of(manifest, target.namespace): manifest for manifest in objects}
    if target not in stored:
        raise ValueError(f"{target} is not among the objects")
    for key in stored:
        if key.kind in WORKLOADS:
            stored[key] = workload_with_defaults(key.kind, stored[key])
    earlier = {
        key: tuple(
            replace(
                manifest,
                template=with_defaults(manifest.template),
                # Only ReplicaSets record their number of replicas.
                replicas=manifest.replicas if key.kind == "Deployment" else None,
            )
            for manifest in earlier_revisions
        )
        for key, earlier_revisions in (revisions or {}).items()
    }
    world = World(
        target=target,
        objects=stored,
        revisions=earlier,
        ground_truth=ground_truth or GroundTruth(),
        clock=clock,
    )
    world = with_overload(settle(world))
    return mark_healthy(replace(world, clock=clock + _AN_HOUR))


def mark_healthy(world: World) -> World:
    """Return the world with its current state as the healthy state."""
    return replace(world, healthy=replace(world, healthy=None))


def key_of(manifest: Json, namespace: str) -> ObjectRef:
    """Return the reference of a manifest."""
    kind = str(manifest.get("kind", ""))
    name = str((manifest.get("metadata") or {}).get("name", ""))
    return ObjectRef(kind, "" if kind == "Node" else namespace, name)  # type: ignore[arg-type]


def after_seconds(world: World, seconds: int) -> World:
    """Return the settled world after some time without a change."""
    return with_overload(settle(replace(world, clock=world.clock + seconds)))


def with_field(world: World, key: ObjectRef, value: Any, *path: str) -> World:
    """Return the settled world with one field of an object set; None removes the field."""
    return after_seconds(
        world.with_objects((key, set_field(world.objects[key], value, *path))), _OLD
    )


def with_object(world: World, key: ObjectRef, stored: Json) -> World:
    """Return the settled world with an object added or replaced."""
    return after_seconds(world.with_objects((key, stored)), _OLD)


def with_container_fields(
    world: World, key: ObjectRef, container: str, *changes: tuple[Sequence[Any], Any]
) -> World:
    """Return the settled world with fields of a container set: pairs of a path and a value.

    A path consists of field names, and of `Entry` for entries of lists, such as `("env",
    Entry("MODE", "name"), "value")`. All changes are one rollout.
    """
    writes = [Write(container_path(container, *path), value) for path, value in changes]
    changed_workload = write_fields(world.objects[key], writes)
    return after_seconds(world.with_objects((key, changed_workload)), _OLD)


def with_stress(world: World, pod: str, stress: Stress | None) -> World:
    """Return the world with a stress in one pod; None removes it."""
    pods = {
        key: tuple(replace(p, stress=stress) if p.name == pod else p for p in owned)
        if any(p.name == pod for p in owned)
        else owned
        for key, owned in world.pods.items()
    }
    return settle(replace(world, pods=pods))


def with_pods_replaced(world: World, key: ObjectRef) -> World:
    """Return the world after every pod of a workload was deleted."""
    without = without_pods(world, *(pod.name for pod in world.pods.get(key, ())))
    return after_seconds(without or world, _OLD)


def with_program(world: World, key: ObjectRef, program: Program) -> World:
    """Return the world with another program in a workload."""
    programs = {**world.ground_truth.programs, key: program}
    return settle(replace(world, ground_truth=replace(world.ground_truth, programs=programs)))


def with_rules(world: World, key: ObjectRef, *rules: BehaviourRule) -> World:
    """Return the world with additional rules for a workload's program."""
    return with_program(world, key, world.program(key).with_rules(*rules))


def with_ground_truth(world: World, **changes: Any) -> World:
    """Return the world with changed fields of its ground truth."""
    return settle(replace(world, ground_truth=replace(world.ground_truth, **changes)))

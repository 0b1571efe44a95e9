"""Carries out actions as the API server and the controllers would, until all is settled."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from reme_lab.simulator.field_writes import set_field, write_fields
from reme_lab.simulator.settling import settle
from reme_lab.simulator.world import World
from reme_playbook.actions.field_paths import writes
from reme_playbook.actions.registry import Action, DeletePod, Rollback
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision, previous

_STEP_SECONDS = 120
"""What a run and its settling take on the world's clock."""


def apply(world: World, actions: Sequence[Action]) -> World:
    """Return the world after a run of the actions, when everything has settled.

    What follows each other and is about one object counts as one change, as in a real run. An
    object, pod or revision that is not there ends the run, as its task would fail: the rest is
    not done.
    """
    world = replace(world, clock=world.clock + _STEP_SECONDS)
    for place, (_, group) in enumerate(groupby(actions, key=_one_change)):
        for action in group:
            changed = _done(world, action, place)
            if changed is None:
                return _begun(settle(world))
            world = changed
        world = settle(world)
    return _begun(world)


def _begun(world: World) -> World:
    """Return the world when what was starting has started, with what it is told by now."""
    late = {
        key: tuple(replace(pod, starting=False) for pod in pods)
        for key, pods in world.pods.items()
        if any(pod.starting for pod in pods)
    }
    return replace(world, pods={**world.pods, **late}) if late else world


def _one_change(action: Action) -> ObjectRef:
    return action.target


def _done(world: World, action: Action, place: int) -> World | None:
    if isinstance(action, DeletePod):
        return without_pods(world, action.target.name)
    found = world.objects.get(action.target)
    if found is None:
        return None
    if isinstance(action, Rollback):
        revision = _revision(world, action)
        if revision is None:
            return None
        return world.with_objects(
            (action.target, set_field(found, revision.template, "spec", "template"))
        )
    # Each run marks a restart with its own id, so that each is a new revision.
    changed = write_fields(found, writes(action, f"run-{world.clock}-{place}"))
    return world if changed is found else world.with_objects((action.target, changed))


def _revision(world: World, action: Rollback) -> Revision | None:
    known = world.revisions.get(action.target, ())
    if action.revision is not None:
        return next((r for r in known if r.number == action.revision), None)
    template = world.objects[action.target]["spec"]["template"]
    return previous(known, template)


def without_pods(world: World, *names: str) -> World | None:
    """Return the world without these pods, not settled; None if one of them is not there."""
    gone = set(names)
    changed = {}
    for key, pods in world.pods.items():
        kept = tuple(pod for pod in pods if pod.name not in gone)
        if len(kept) != len(pods):
            gone -= {pod.name for pod in pods}
            changed[key] = kept
    return None if gone else replace(world, pods={**world.pods, **changed})

"""Applies actions as the API server and the controllers would."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from reme_lab.simulator.controllers import stuck_pods
from reme_lab.simulator.settling import settle
from reme_lab.simulator.world import World
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollback import Rollback
from reme_playbook.snapshot.abandoned import previous
from reme_playbook.snapshot.field_writes import set_field, write_fields
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import Revision

_STEP_SECONDS = 120
"""How far a run advances the world's clock, settling included."""


def apply(world: World, actions: Sequence[Action]) -> World:
    """Return the settled world after the actions.

    Consecutive actions on the same object are one change, as in a real run. A missing object, pod
    or revision ends the run, as the failing task would: later actions are not applied.
    """
    world = replace(world, clock=world.clock + _STEP_SECONDS)
    for index, (_, group) in enumerate(groupby(actions, key=_one_change)):
        for action in group:
            changed = _apply_one(world, action, index)
            if changed is None:
                return _started(settle(world))
            world = changed
        world = settle(world)
    return _started(world)


def _started(world: World) -> World:
    """Return the world after starting pods have started with their current ConfigMaps."""
    late = {
        key: tuple(replace(pod, starting=False) for pod in pods)
        for key, pods in world.pods.items()
        if any(pod.starting for pod in pods)
    }
    return replace(world, pods={**world.pods, **late}) if late else world


def _one_change(action: Action) -> ObjectRef:
    return action.target


def _apply_one(world: World, action: Action, index: int) -> World | None:
    if isinstance(action, DeletePod):
        return without_pods(world, action.target.name)
    stored = world.objects.get(action.target)
    if stored is None:
        return None
    if isinstance(action, Rollback):
        revision = _revision(world, action)
        if revision is None:
            return None
        # Validation completes a rollback with the pods that the new template does not replace.
        pods = stuck_pods(world, action.target)
        rolled_back = set_field(stored, revision.template, "spec", "template")
        return without_pods(world.with_objects((action.target, rolled_back)), *pods)
    # Each run marks restarts with its own id, so that each restart is a new revision.
    changed = write_fields(stored, action.writes(f"run-{world.clock}-{index}"))
    return world if changed is stored else world.with_objects((action.target, changed))


def _revision(world: World, action: Rollback) -> Revision | None:
    revisions = world.revisions.get(action.target, ())
    if action.revision is not None:
        return next((r for r in revisions if r.number == action.revision), None)
    template = world.objects[action.target]["spec"]["template"]
    return previous(revisions, template)


def without_pods(world: World, *names: str) -> World | None:
    """Return the world without these pods, not settled; None if a pod does not exist."""
    missing = set(names)
    changed = {}
    for key, pods in world.pods.items():
        remaining = tuple(pod for pod in pods if pod.name not in missing)
        if len(remaining) != len(pods):
            missing -= {pod.name for pod in pods}
            changed[key] = remaining
    return None if missing else replace(world, pods={**world.pods, **changed})

"""Plans the rollback of a run: exactly its fields, and only where nobody else wrote since."""

from collections.abc import Sequence
from dataclasses import dataclass

from reme_playbook.actions.base import Conflict
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.registry import Action
from reme_playbook.execution.capture import Capture
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.stuck_pods import stuck_pods


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback does, in its order, and which fields it does not restore."""

    actions: tuple[Action, ...]
    conflicts: tuple[Conflict, ...] = ()
    """Fields that somebody else changed since the run: they are left as they are."""
    unrestorable: tuple[Conflict, ...] = ()
    """Fields whose earlier value is lost."""


def plan_rollback(capture: Capture, snapshot: ClusterSnapshot) -> RollbackPlan:
    """Return the actions that restore what was captured, the last change first.

    A field that holds what it held before needs nothing. A StatefulSet continues its rollout only
    when the pod that it waits for is ready, so pods that are not are deleted as well.

    Raises RejectedPlaybookError if a captured value cannot be written; validation makes sure
    before the run that this does not happen.
    """
    actions: list[Action] = []
    conflicts: list[Conflict] = []
    unrestorable: list[Conflict] = []
    for item in reversed(capture.items):
        target = item.action.target
        if not item.before:
            continue
        if target not in snapshot.objects:
            conflicts.append(Conflict(target, "", f"{target} does not exist any more"))
            continue
        restoration = item.action.restore(item.before, item.after, snapshot)
        actions += restoration.actions
        conflicts += restoration.conflicts
        unrestorable += restoration.unrestorable
    actions += _stuck_pods(actions, snapshot)
    return RollbackPlan(tuple(actions), tuple(conflicts), tuple(unrestorable))


def _stuck_pods(actions: Sequence[Action], snapshot: ClusterSnapshot) -> list[DeletePod]:
    """Return the deletion of pods that would keep the restored fields from being rolled out."""
    if not any(action.ROLLS_OUT and action.target == snapshot.target for action in actions):
        return []
    deleted = {pod for action in actions for pod in action.deletes()}
    return [
        DeletePod(target=ObjectRef("Pod", snapshot.target.namespace, name))
        for name in stuck_pods(snapshot, deleted).names
    ]

"""Remembers, before a run, what exactly the fields hold that it will write."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from reme_playbook.actions.field_paths import held, read, writes
from reme_playbook.actions.registry import Action, DeletePod, Restart, Rollback
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision

Held = bool | int | str | None


class Captured(BaseModel):
    """One action, with what its fields held before and what it sets them to, in their order.

    For a Rollback these are digests of the pod templates: the templates themselves, which may hold
    secrets, stay where they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    action: Action
    before: tuple[Held, ...] = ()
    after: tuple[Held, ...] = ()


class Capture(BaseModel):
    """Everything that an undo needs, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: int = 1
    items: tuple[Captured, ...] = ()


def capture(actions: Sequence[Action], live: ClusterSnapshot) -> Capture:
    """Return what is to be restored if the actions do not help.

    Raises RejectedPlaybookError if an object or a revision is not there.
    """
    return Capture(items=tuple(_captured(action, live) for action in actions))


def _captured(action: Action, live: ClusterSnapshot) -> Captured:
    if isinstance(action, Restart | DeletePod):
        return Captured(action=action)
    found = live.objects.get(action.target)
    if found is None:
        raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{action.target} does not exist")
    if isinstance(action, Rollback):
        revision = revision_of(action, live)
        return Captured(
            action=action, before=(digest(live.template),), after=(digest(revision.template),)
        )
    changes = writes(action)
    return Captured(
        action=action,
        before=tuple(read(found, write.path) for write in changes),
        after=tuple(held(write.value) for write in changes),
    )


def revision_of(action: Rollback, live: ClusterSnapshot) -> Revision:
    """Return the revision that the action goes back to.

    Raises RejectedPlaybookError if there is none.
    """
    if action.target == live.target:
        wanted = action.revision
        found = (
            live.previous_revision
            if wanted is None
            else next((r for r in live.revisions if r.number == wanted), None)
        )
        if found is not None:
            return found
    raise RejectedPlaybookError(
        RejectionRule.NOT_FOUND, f"{action.target} has no such earlier revision to go back to"
    )


def pin_revisions(actions: Sequence[Action], live: ClusterSnapshot) -> tuple[Action, ...]:
    """Return the actions with each Rollback tied to the revision that it means now.

    What was checked and approved is then what runs, whatever is rolled out in between.
    """
    return tuple(
        a.model_copy(update={"revision": revision_of(a, live).number})
        if isinstance(a, Rollback)
        else a
        for a in actions
    )

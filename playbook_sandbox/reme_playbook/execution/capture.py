"""What actions change: the values before a run, for the rollback, and the list for the record."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from reme_api.remediation import Change
from reme_playbook.actions.registry import Action, AnyAction
from reme_playbook.execution import plan_record
from reme_playbook.snapshot.field_path import FieldValue
from reme_playbook.snapshot.snapshot import ClusterSnapshot


class CapturedAction(BaseModel):
    """One action, what its fields held before, and what it sets them to, in their order.

    For a Rollback these are digests of the pod templates: the templates themselves may hold
    secrets, and are found in the revisions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    action: AnyAction
    before: tuple[FieldValue, ...] = ()
    after: tuple[FieldValue, ...] = ()


class Capture(BaseModel):
    """Everything that a rollback needs, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: int = 1
    items: tuple[CapturedAction, ...] = ()


def capture(actions: Sequence[Action], snapshot: ClusterSnapshot) -> Capture:
    """Return what a rollback of the actions has to restore.

    Raises RejectedPlaybookError if an object or a revision does not exist.
    """
    return Capture(items=tuple(_captured(action, snapshot) for action in actions))


def _captured(action: Action, snapshot: ClusterSnapshot) -> CapturedAction:
    before, after = action.capture(snapshot)
    return CapturedAction(action=action, before=before, after=after)


def pin(actions: Sequence[Action], snapshot: ClusterSnapshot) -> tuple[Action, ...]:
    """Return the actions with everything fixed that they would look up when they run.

    What was validated and approved is then what runs, whatever is rolled out in between.
    """
    return tuple(
        action.pinned(
            snapshot, {pod for other in actions if other is not action for pod in other.deletes()}
        )
        for action in actions
    )


def planned_changes(actions: Sequence[Action], snapshot: ClusterSnapshot) -> list[Change]:
    """Return what the actions change, in their order, for the record."""
    changed = [difference for action in actions for difference in action.changes(snapshot)]
    return plan_record.changes(changed)[: plan_record.MAX_CHANGES]

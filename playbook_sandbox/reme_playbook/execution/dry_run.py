"""The requests that a run will make, so that the API server can be asked what each would change.

They are those of the Ansible modules, for each task that `render` writes: what a dry run of them
changes is what the run changes, as far as the API server can tell beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.registry import Action
from reme_playbook.execution.render import groups
from reme_playbook.snapshot.field_path import merge_patch
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.revisions import REVISION_RESOURCES


@dataclass(frozen=True)
class DryRunTask:
    """One task of a run, and what has to be read before its requests can be written."""

    target: ObjectRef
    actions: tuple[Action, ...]

    @property
    def history(self) -> str:
        """Path of the target's revisions; empty when they are not needed."""
        if not self.actions[0].NEEDS_HISTORY:
            return ""
        plural = REVISION_RESOURCES[self.target.kind]
        return f"/apis/apps/v1/namespaces/{self.target.namespace}/{plural}"


def dry_run_tasks(actions: Sequence[Action], run_id: str) -> list[DryRunTask]:
    """Return the tasks of the run, in their order."""
    return [DryRunTask(group[0].target, tuple(group)) for group in groups(actions, run_id)]


def requests(
    task: DryRunTask,
    run_id: str,
    manifest: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] = (),
) -> list[ApiRequest]:
    """Return the requests that carry out the task on the object as it is.

    Raises RejectedPlaybookError if the revision to roll back to does not exist.
    """
    if len(task.actions) == 1:
        return task.actions[0].requests(run_id, manifest, history)
    writes = [write for action in task.actions for write in action.writes(run_id)]
    return [ApiRequest.strategic_merge(task.target, merge_patch(writes))]

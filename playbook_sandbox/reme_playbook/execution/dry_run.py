"""The requests that a run will make, so that the API server can be asked what each would change.

They are those of the Ansible modules, one for each task that `render` writes: what a dry run of
them changes is what the run changes, as far as the API server can say it beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reme_api.content_types import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from reme_playbook.actions.field_paths import patch, writes
from reme_playbook.actions.registry import (
    Action,
    AddTaint,
    AllowEgress,
    AllowIngress,
    DeletePod,
    RemoveTaint,
    Rollback,
    Scale,
    SetIngressBackend,
    WithdrawEgress,
    WithdrawIngress,
)
from reme_playbook.compiler.json_patch import operations
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.execution.render import groups
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.revisions import (
    REVISION_RESOURCES,
    RevisionNotFoundError,
    chosen,
    revisions,
)
from reme_playbook.snapshot.revisions import patch as template_patch
from reme_playbook.snapshot.snapshot import Revision

_BY_PLACE = SetIngressBackend | AllowIngress | AllowEgress | WithdrawIngress | WithdrawEgress


@dataclass(frozen=True)
class DryRunRequest:
    """One request, to be sent as a dry run."""

    method: str
    path: str
    body: Any = None
    content_type: str = ""


@dataclass(frozen=True)
class DryRunTask:
    """One task of a run: its object, and what has to be read before the request can be written."""

    target: ObjectRef
    actions: tuple[Action, ...]

    @property
    def path(self) -> str:
        """Where the object is."""
        return address(self.target)

    @property
    def history(self) -> str:
        """Where its revisions are; empty when they are not needed."""
        if not isinstance(self.actions[0], Rollback):
            return ""
        plural = REVISION_RESOURCES[self.target.kind]
        return f"/apis/apps/v1/namespaces/{self.target.namespace}/{plural}"


def dry_run_tasks(actions: Sequence[Action], run_id: str) -> list[DryRunTask]:
    """Return the tasks of the run, in their order."""
    return [DryRunTask(group[0].target, tuple(group)) for group in groups(actions, run_id)]


def address(target: ObjectRef) -> str:
    """Return the path of an object at the API server."""
    root = f"/apis/{target.api_version}" if target.group else f"/api/{target.api_version}"
    place = f"/namespaces/{target.namespace}" if target.namespace else ""
    return f"{root}{place}/{target.plural}/{target.name}"


def request(
    part: DryRunTask,
    run_id: str,
    found: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]] = (),
) -> DryRunRequest:
    """Return the request that carries the task out on the object as it was found.

    Raises RejectedPlaybookError if there is no such revision to go back to.
    """
    action = part.actions[0]
    body: dict[str, Any]
    match action:
        case DeletePod():
            return DryRunRequest("DELETE", part.path)
        case Scale(replicas=replicas):
            body = {"spec": {"replicas": replicas}}
            return DryRunRequest("PATCH", f"{part.path}/scale", body, STRATEGIC_MERGE_PATCH)
        case Rollback():
            revision = _revision(action, found, history)
            return DryRunRequest("PATCH", part.path, template_patch(found, revision), JSON_PATCH)
        case RemoveTaint() | AddTaint():
            body = {"spec": {"taints": _taints(action, found)}}
            return DryRunRequest("PATCH", part.path, body, MERGE_PATCH)
        case _ if isinstance(action, _BY_PLACE):
            return DryRunRequest("PATCH", part.path, operations(action), JSON_PATCH)
        case _:
            body = patch([write for one in part.actions for write in writes(one, run_id)])
            return DryRunRequest("PATCH", part.path, body, STRATEGIC_MERGE_PATCH)


def _revision(
    action: Rollback, found: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
) -> Revision:
    try:
        known = revisions(found, action.target.kind, history)
        return chosen(found, known, action.revision)
    except RevisionNotFoundError as error:
        raise RejectedPlaybookError(RejectionRule.NOT_FOUND, f"{action.target}: {error}") from None


def _taints(action: RemoveTaint | AddTaint, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = [
        dict(taint)
        for taint in unstructured.items(found, "spec", "taints")
        if (taint.get("key"), taint.get("effect")) != (action.key, action.effect)
    ]
    if isinstance(action, RemoveTaint):
        return kept
    return [*kept, {"key": action.key, "effect": action.effect, "value": action.value}]

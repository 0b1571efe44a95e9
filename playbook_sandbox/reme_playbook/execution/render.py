"""Writes actions as Ansible, in the one form that is ever run."""

from collections.abc import Iterable, Sequence
from typing import Any

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
from reme_playbook.actions.string_types import is_run_id
from reme_playbook.compiler.json_patch import operations
from reme_playbook.compiler.node_tasks import taint_parameters
from reme_playbook.compiler.playbook import (
    K8S,
    K8S_JSON_PATCH,
    K8S_ROLLBACK,
    K8S_SCALE,
    K8S_TAINT,
    MERGE_TYPE,
    PLAY,
    REME_ROLLBACK,
)
from reme_playbook.compiler.strategic_merge import read_patch
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.snapshot.object_ref import ObjectRef

Task = dict[str, Any]


def tasks(actions: Sequence[Action], run_id: str = "now") -> list[Task]:
    """Return the short form, as a model writes it: one task for each action, without ceremony."""
    return [_short(action, run_id) for action in actions]


def render(actions: Sequence[Action], run_id: str = "now") -> list[dict[str, Any]]:
    """Return the playbook that a run executes; it compiles to the same actions again.

    Patches of one object that follow each other become one task, and so one rollout. What the
    modules would do by default is said where it would do harm: see `_full`.
    """
    if not is_run_id(run_id):
        raise ValueError("a run id has letters, digits and -_.: and at most 63 of them")
    return [{**PLAY, "tasks": [_full(group, run_id) for group in groups(actions, run_id)]}]


def _short(action: Action, run_id: str) -> Task:
    where = {"kind": action.target.kind, "name": action.target.name}
    if action.target.namespace:
        where["namespace"] = action.target.namespace
    match action:
        case RemoveTaint() | AddTaint():
            return {K8S_TAINT: taint_parameters(action)}
        case (
            SetIngressBackend()
            | AllowIngress()
            | AllowEgress()
            | WithdrawIngress()
            | WithdrawEgress()
        ):
            return {K8S_JSON_PATCH: {**where, "patch": operations(action)}}
        case Scale(replicas=replicas):
            return {K8S_SCALE: {**where, "replicas": replicas}}
        case Rollback(revision=None):
            return {K8S_ROLLBACK: where}
        case Rollback(revision=revision):
            return {REME_ROLLBACK: {**where, "revision": revision}}
        case DeletePod():
            return {K8S: {**where, "state": "absent"}}
        case _:
            definition = patch(writes(action, run_id))
            return {K8S: {**where, "state": "patched", "definition": definition}}


def _full(group: Sequence[Action], run_id: str) -> Task:
    (module, parameters), *_ = _short(group[0], run_id).items()
    if module != K8S_TAINT:
        parameters = {"api_version": group[0].target.api_version, **parameters}
    if module == K8S_SCALE:
        # It waits for all replicas by default; the probes judge, not the module.
        parameters["wait"] = False
    elif module == K8S_ROLLBACK:
        # kubernetes.core 6.2 joins the names of the selector's labels without their values, so it
        # may take the template of another workload; and it removes all annotations.
        module = REME_ROLLBACK
    elif "definition" in parameters:
        parameters["definition"] = _merged(group, run_id)
        # By default a strategic merge patch that fails, for whatever reason, is tried again as a
        # JSON merge patch, which replaces lists as a whole: all the other containers, variables
        # and ports would be gone.
        parameters["merge_type"] = list(MERGE_TYPE)
    title = "; ".join(action.summary() for action in group)
    return {"name": title[:1024], module: parameters}


def _merged(group: Iterable[Action], run_id: str) -> dict[str, Any]:
    return patch([write for action in group for write in writes(action, run_id)])


def groups(actions: Sequence[Action], run_id: str) -> list[list[Action]]:
    """Return the actions of each task."""
    found: list[list[Action]] = []
    for action in actions:
        if found and _one_patch([*found[-1], action], run_id):
            found[-1].append(action)
        else:
            found.append([action])
    return found


def _one_patch(group: list[Action], run_id: str) -> bool:
    target: ObjectRef = group[0].target
    if any(a.target != target or K8S not in _short(a, run_id) for a in group):
        return False
    if not all(writes(a) for a in group):
        return False
    # Only if it still says the same: two actions may be one in a single patch, or none.
    try:
        return list(read_patch(target, _merged(group, run_id), for_rollback=True)) == group
    except RejectedPlaybookError:
        return False

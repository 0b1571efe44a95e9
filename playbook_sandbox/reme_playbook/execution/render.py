"""Renders actions as Ansible, in the one form that runs, and reads that form inside the Job."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from reme_playbook.actions.modules import (
    K8S_ROLLBACK,
    K8S_SCALE,
    K8S_TAINT,
    MERGE_TYPE,
    PLAY,
    REME_ROLLBACK,
    Task,
)
from reme_playbook.actions.registry import Action
from reme_playbook.actions.string_types import is_run_id
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.compiler.strategic_merge import read_patch
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.field_path import merge_patch


def tasks(actions: Sequence[Action], run_id: str = "now") -> list[Task]:
    """Return the short form, as a model writes it: one task for each action."""
    return [action.task(run_id) for action in actions]


def render(actions: Sequence[Action], run_id: str = "now") -> list[dict[str, Any]]:
    """Return the playbook that a run executes; it compiles to the same actions again.

    Consecutive patches of one object become one task, and so one rollout. Defaults of the modules
    that would do harm are overridden: see `_full_task`.
    """
    if not is_run_id(run_id):
        raise ValueError(f"{run_id!r} is not a run id: 1 to 63 letters, digits and -_.:")
    return [{**PLAY, "tasks": [_full_task(group, run_id) for group in groups(actions, run_id)]}]


def playbook_text(actions: Sequence[Action], run_id: str = "now") -> str:
    """Return the playbook as the JSON that is stored, approved and run."""
    return json.dumps(render(actions, run_id), separators=(",", ":"))


def playbook_digest(data: bytes) -> str:
    """Return the digest by which a Job names its playbook."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def load_granted(
    data: bytes, digest: str, run_id: str, *, is_rollback: bool
) -> list[dict[str, Any]]:
    """Return the playbook with that digest inside its Job, compiled and rendered again.

    Only what the compiler understands is run, never the text itself.

    Raises RejectedPlaybookError if the digest differs or the text does not compile.
    """
    if playbook_digest(data) != digest:
        raise RejectedPlaybookError(
            RejectionRule.INTERNAL,
            "the playbook in the pod is not the one that was granted to this run",
        )
    actions = compile_playbook(data.decode(errors="replace"), for_rollback=is_rollback)
    return render(actions, run_id)


def _full_task(group: Sequence[Action], run_id: str) -> Task:
    (module, parameters), *_ = group[0].task(run_id).items()
    if module != K8S_TAINT:
        parameters = {"api_version": group[0].target.api_version, **parameters}
    if module == K8S_SCALE:
        # By default it waits for all replicas, which the probes verify after the run.
        parameters["wait"] = False
    elif module == K8S_ROLLBACK:
        # kubernetes.core 6.2 joins the names of the selector's labels without their values, so it
        # may take the template of another workload; and it removes all annotations.
        module = REME_ROLLBACK
    elif "definition" in parameters:
        parameters["definition"] = _merged(group, run_id)
        parameters["merge_type"] = list(MERGE_TYPE)
    title = "; ".join(action.summary() for action in group)
    return {"name": title[:1024], module: parameters}


def _merged(group: Iterable[Action], run_id: str) -> dict[str, Any]:
    return merge_patch([write for action in group for write in action.writes(run_id)])


def groups(actions: Sequence[Action], run_id: str) -> list[list[Action]]:
    """Return the actions of each task."""
    grouped: list[list[Action]] = []
    for action in actions:
        if grouped and _is_one_patch([*grouped[-1], action], run_id):
            grouped[-1].append(action)
        else:
            grouped.append([action])
    return grouped


def _is_one_patch(group: list[Action], run_id: str) -> bool:
    target = group[0].target
    if not all(action.target == target and action.merges for action in group):
        return False
    # Only if it compiles to the same actions: one patch may mean fewer.
    try:
        return list(read_patch(target, _merged(group, run_id), for_rollback=True)) == group
    except RejectedPlaybookError:
        return False

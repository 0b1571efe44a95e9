"""Compiles a playbook to typed actions; what does not compile does not run.

The language is a small part of Ansible: one play on localhost or a bare list of tasks, and in each
task one of a few modules with the parameters and fields that some action has. Everything else is
rejected: the compiler knows what is allowed, not what is dangerous.
"""

from collections.abc import Sequence
from typing import Any

from reme_playbook.actions.modules import PLAY
from reme_playbook.actions.registry import Action
from reme_playbook.compiler.document import load
from reme_playbook.compiler.tasks import read_task
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot.field_path import Path, dotted, overlap
from reme_playbook.snapshot.object_ref import ObjectRef

MAX_TASKS = 8
MAX_ACTIONS = 8
MAX_ROLLBACK_ACTIONS = 16
MAX_NAME = 1024
"""Characters of the name of a play or task."""


def compile_playbook(text: str, *, for_rollback: bool = False) -> tuple[Action, ...]:
    """Return the actions of a playbook or task list, in their order.

    Only with `for_rollback` may it contain what no model or person may write: scaling to zero,
    pausing, and removing what a run had added.

    Raises RejectedPlaybookError, and nothing else, for any other text.
    """
    tasks = _tasks(load(text), MAX_ROLLBACK_ACTIONS if for_rollback else MAX_TASKS)
    actions = [action for task in tasks for action in _read(task, for_rollback=for_rollback)]
    check_conflicts(actions, MAX_ROLLBACK_ACTIONS if for_rollback else MAX_ACTIONS)
    return tuple(actions)


def check_conflicts(actions: Sequence[Action], limit: int = MAX_ACTIONS) -> None:
    """Return if there are 1 to `limit` actions and no two write the same field.

    Raises RejectedPlaybookError otherwise.
    """
    if not 1 <= len(actions) <= limit:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, f"expected 1 to {limit} actions, got {len(actions)}"
        )
    written: list[tuple[ObjectRef, Path]] = []
    for action in actions:
        for target, path in action.touches():
            if any(target == other and overlap(path, before) for other, before in written):
                field = f"{quote(dotted(path), 120)} of " if path else ""
                raise RejectedPlaybookError(
                    RejectionRule.TWICE, f"two actions write {field}{target}: keep one of them"
                )
        written.extend(action.touches())


def _tasks(document: Any, limit: int) -> list[Any]:
    if not isinstance(document, list) or not document:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, "expected a list of tasks, or a list with one play"
        )
    first = document[0]
    tasks: Any = document
    if isinstance(first, dict) and ("hosts" in first or "tasks" in first):
        if len(document) != 1:
            raise RejectedPlaybookError(
                RejectionRule.SHAPE,
                f"expected one play, got {len(document)}: write all tasks in one play",
            )
        tasks = _play_tasks(first)
    if not isinstance(tasks, list) or not 1 <= len(tasks) <= limit:
        count = f"{len(tasks)} tasks" if isinstance(tasks, list) else quote(tasks, 24)
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, f"expected a list of 1 to {limit} tasks, got {count}"
        )
    return tasks


def _play_tasks(play: dict[str, Any]) -> Any:
    for keyword, value in play.items():
        if keyword == "name":
            _check_name(value)
        elif keyword in PLAY:
            # 0 == False, and an integer is not accepted here.
            if value != PLAY[keyword] or type(value) is not type(PLAY[keyword]):
                raise RejectedPlaybookError(
                    RejectionRule.KEYWORD,
                    f"{keyword} of the play must be {_yaml(PLAY[keyword])}, got {quote(value, 24)}",
                )
        elif keyword != "tasks":
            raise RejectedPlaybookError(
                RejectionRule.KEYWORD,
                f"the keyword {quote(keyword)} is not allowed in a play: a play has only name, "
                f"{', '.join(PLAY)} and tasks",
            )
    if "hosts" not in play:
        raise RejectedPlaybookError(
            RejectionRule.KEYWORD, "hosts of the play is missing: write 'hosts: localhost'"
        )
    return play.get("tasks")


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_name(value: Any) -> None:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise RejectedPlaybookError(
            RejectionRule.KEYWORD,
            f"the name of a play or task must be text of at most {MAX_NAME} characters",
        )


def _read(task: Any, *, for_rollback: bool) -> tuple[Action, ...]:
    if not isinstance(task, dict):
        raise RejectedPlaybookError(
            RejectionRule.SHAPE,
            f"a task must be an object with a module, got {quote(task, 24)}",
        )
    if "name" in task:
        _check_name(task["name"])
    return read_task({k: v for k, v in task.items() if k != "name"}, for_rollback=for_rollback)

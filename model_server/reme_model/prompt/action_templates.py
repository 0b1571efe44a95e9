"""Which of the possible actions the model gets to see, and how they fall into groups.

A group is one task with holes in it: actions that differ in nothing but a few values, where every
combination of the values is possible. Groups keep the grammar and the prompt short.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reme_model.prompt.redact import REDACTED, redact, secret_name
from reme_playbook.actions.registry import Action, SetCommand, SetConfigValue, SetEnv
from reme_playbook.execution.render import tasks

LONGEST_TASK = 700
"""Characters of a task that a small model can be asked to write out."""
MOST_GROUPS = 48

Path = tuple[str | int, ...]
Leaf = str | int | bool | None


@dataclass(frozen=True)
class ActionGroup:
    """Tasks of one form: `form` is the first of them, `values` what may stand at which path."""

    form: dict[str, Any]
    values: dict[Path, tuple[Leaf, ...]]
    actions: tuple[Action, ...]


def offered_actions(space: Sequence[Action]) -> tuple[Action, ...]:
    """Return the actions that can be offered: no internal ones, no secrets, none too long."""
    return tuple(a for a in space if not a.internal and not _secret(a) and _is_short(a))


def _secret(action: Action) -> bool:
    match action:
        case SetEnv(variable=name, value=value) | SetConfigValue(key=name, value=value):
            return secret_name(name) or REDACTED in redact(f"{name}={value}")
        case SetCommand(command=command, args=args):
            return REDACTED in redact(" ".join([*(command or ()), *(args or ())]))
    return False


def _is_short(action: Action) -> bool:
    return len(json.dumps(tasks([action]))) <= LONGEST_TASK


def group_actions(space: Sequence[Action]) -> list[ActionGroup]:
    """Return the groups of the actions, in the order of their first ones."""
    by_form: dict[str, list[Action]] = {}
    for action in space:
        by_form.setdefault(_form(tasks([action])[0]), []).append(action)
    found = [group for same in by_form.values() for group in _split(same)]
    return found[:MOST_GROUPS]


def _split(actions: list[Action]) -> Iterator[ActionGroup]:
    """Yield one group if every combination of values is there, else split by the first value."""
    rows = [dict(leaves(tasks([action])[0])) for action in actions]
    values = {path: tuple(dict.fromkeys(row[path] for row in rows)) for path in rows[0]}
    varied = [path for path, some in values.items() if len(some) > 1]
    combinations = 1
    for path in varied:
        combinations *= len(values[path])
    distinct = {tuple(row[path] for path in varied) for row in rows}
    if combinations == len(distinct):
        yield ActionGroup(tasks([actions[0]])[0], values, tuple(actions))
        return
    for value in values[varied[0]]:
        same = [a for a, row in zip(actions, rows, strict=True) if row[varied[0]] == value]
        yield from _split(same)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Yield every value that is no object and no list, by its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def _form(task: dict[str, Any]) -> str:
    """Return what tasks of one form share: keys, lists, and the type of each value."""
    return json.dumps([[list(path), type(value).__name__] for path, value in leaves(task)])

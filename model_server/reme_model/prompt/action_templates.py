"""Selects the actions that are offered to the model, and groups them by task template.

A group is one task template with placeholders: its actions differ only in a few values, and every
combination of those values is possible. Groups keep the grammar and the prompt short.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reme_model.prompt.redact import REDACTED, redact, secret_name
from reme_playbook.actions.registry import Action
from reme_playbook.execution.render import tasks

LONGEST_TASK = 700
"""Maximum size in characters of a task that a small model can write."""
MOST_GROUPS = 48

Path = tuple[str | int, ...]
Scalar = str | int | bool | None


@dataclass(frozen=True)
class ActionGroup:
    """Tasks of one structure: `form` is the first one, `values` are the values by path."""

    form: dict[str, Any]
    values: dict[Path, tuple[Scalar, ...]]
    actions: tuple[Action, ...]


def offered_actions(space: Sequence[Action]) -> tuple[Action, ...]:
    """Return the actions to offer: not internal, without secrets, and short enough."""
    return tuple(a for a in space if not a.INTERNAL and not _contains_secret(a) and _is_short(a))


def _contains_secret(action: Action) -> bool:
    name, text = action.free_text()
    return secret_name(name) or REDACTED in redact(f"{name}={text}" if name else text)


def _is_short(action: Action) -> bool:
    return len(json.dumps(tasks([action]))) <= LONGEST_TASK


def group_actions(space: Sequence[Action]) -> list[ActionGroup]:
    """Return the groups of the actions, ordered by their first action."""
    by_form: dict[str, list[Action]] = {}
    for action in space:
        by_form.setdefault(_form(tasks([action])[0]), []).append(action)
    result = [group for actions in by_form.values() for group in _split(actions)]
    return result[:MOST_GROUPS]


def _split(actions: list[Action]) -> Iterator[ActionGroup]:
    """Yield one group if every combination of values occurs; otherwise split by the first value."""
    rows = [dict(scalars(tasks([action])[0])) for action in actions]
    values = {path: tuple(dict.fromkeys(row[path] for row in rows)) for path in rows[0]}
    varying = [path for path, options in values.items() if len(options) > 1]
    combinations = 1
    for path in varying:
        combinations *= len(values[path])
    distinct = {tuple(row[path] for path in varying) for row in rows}
    if combinations == len(distinct):
        yield ActionGroup(tasks([actions[0]])[0], values, tuple(actions))
        return
    for value in values[varying[0]]:
        same = [a for a, row in zip(actions, rows, strict=True) if row[varying[0]] == value]
        yield from _split(same)


def scalars(value: Any, path: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    """Yield every scalar of nested dictionaries and lists with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from scalars(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from scalars(inner, (*path, place))
    else:
        yield path, value


def _form(task: dict[str, Any]) -> str:
    """Return the structure of a task: the path and type of each value."""
    return json.dumps([[list(path), type(value).__name__] for path, value in scalars(task)])

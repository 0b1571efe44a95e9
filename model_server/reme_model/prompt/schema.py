"""JSON schema of the reply: exactly the possible actions, and nothing else.

Every reply that the schema allows compiles and passes validation against the snapshot it was made
from. Keys have a fixed order and each value is one of a few constants, so that a grammar backend
needs few states and the model makes only the decisions.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from reme_model.prompt.action_templates import (
    ActionGroup,
    Path,
    Scalar,
    group_actions,
    offered_actions,
)
from reme_playbook.actions.registry import Action
from reme_playbook.snapshot.object_ref import WORKLOADS

ABSTAIN = "abstain"


class Abstain(StrEnum):
    """Reasons for an abstention."""

    HEALTHY = "healthy"  # everything observed is normal, whatever the report says
    ELSEWHERE = "elsewhere"  # the fault is not in this workload
    NO_ACTION = "no action"  # no possible action would help
    UNCLEAR = "unclear"  # the cause cannot be determined


def reply_schema(space: Sequence[Action]) -> dict[str, Any]:
    """Return the schema of a reply: one task, two related tasks, or an abstention.

    Of two tasks, the first is on a Service or a ConfigMap and the second on the workload or its
    pods: a changed ConfigMap needs a restart. Other pairs would write the same object twice.
    """
    action_groups = group_actions(offered_actions(space))
    workload_tasks = [_task(group) for group in action_groups if _is_workload_task(group)]
    related_tasks = [_task(group) for group in action_groups if not _is_workload_task(group)]
    definitions = {
        name: _any_of(tasks)
        for name, tasks in (("own", workload_tasks), ("around", related_tasks))
        if tasks
    }
    references = [{"$ref": f"#/$defs/{name}"} for name in definitions]
    replies = [_list(_any_of(references))] if references else []
    if len(definitions) == 2:
        replies.append(_list({"$ref": "#/$defs/around"}, {"$ref": "#/$defs/own"}))
    reasons = {"type": "string", "enum": [str(reason) for reason in Abstain]}
    replies.append(_object({ABSTAIN: reasons}))
    return {"$defs": definitions, **_any_of(replies)} if definitions else _any_of(replies)


def _is_workload_task(group: ActionGroup) -> bool:
    return group.actions[0].target.kind in WORKLOADS | {"Pod"}


def _task(group: ActionGroup) -> dict[str, Any]:
    return _value(group.form, (), group.values)


def _value(form: Any, path: Path, values: Mapping[Path, tuple[Scalar, ...]]) -> dict[str, Any]:
    if isinstance(form, dict):
        return _object({key: _value(inner, (*path, key), values) for key, inner in form.items()})
    if isinstance(form, list):
        return _list(*(_value(inner, (*path, i), values) for i, inner in enumerate(form)))
    return {"enum": list(values[path])}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(*entries: dict[str, Any]) -> dict[str, Any]:
    bounds = {"minItems": len(entries), "maxItems": len(entries)}
    if len(entries) == 1:  # this form is supported by every server
        return {"type": "array", "items": entries[0], **bounds}
    return {"type": "array", "prefixItems": list(entries), "items": False, **bounds}


def _any_of(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return choices[0] if len(choices) == 1 else {"anyOf": choices}

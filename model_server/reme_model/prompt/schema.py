"""The JSON schema under which the model decodes: exactly what is possible now, and nothing else.

Whatever the schema allows compiles and passes the gate, as the cluster was when it was made. Keys
stand in the order in which they are to be written, each value is a constant or one of a few: a
grammar backend turns that into few states, and the model is left with the decisions alone.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from reme_model.prompt.action_templates import (
    ActionGroup,
    Leaf,
    Path,
    group_actions,
    offered_actions,
)
from reme_playbook.actions.registry import Action
from reme_playbook.snapshot.object_ref import WORKLOADS

ABSTAIN = "abstain"


class Abstain(StrEnum):
    """Why nothing should be done."""

    HEALTHY = "healthy"  # what was seen is normal, whatever the report says
    ELSEWHERE = "elsewhere"  # the fault is not in this workload
    NO_ACTION = "no action"  # nothing that is possible would help
    UNCLEAR = "unclear"  # it cannot be told what is wrong


def reply_schema(space: Sequence[Action]) -> dict[str, Any]:
    """Return the schema of a reply: one task, two that belong together, or an abstention.

    Two tasks are first one on a Service or a ConfigMap, then one on the workload or its pods: a
    changed ConfigMap wants a restart. Other pairs would write the same object twice.
    """
    found = group_actions(offered_actions(space))
    own = [_task(group) for group in found if _is_own(group)]
    around = [_task(group) for group in found if not _is_own(group)]
    parts = {name: _any_of(some) for name, some in (("own", own), ("around", around)) if some}
    links = [{"$ref": f"#/$defs/{name}"} for name in parts]
    replies = [_list(_any_of(links))] if links else []
    if len(parts) == 2:
        replies.append(_list({"$ref": "#/$defs/around"}, {"$ref": "#/$defs/own"}))
    reasons = {"type": "string", "enum": [str(reason) for reason in Abstain]}
    replies.append(_object({ABSTAIN: reasons}))
    return {"$defs": parts, **_any_of(replies)} if parts else _any_of(replies)


def _is_own(group: ActionGroup) -> bool:
    return group.actions[0].target.kind in WORKLOADS | {"Pod"}


def _task(group: ActionGroup) -> dict[str, Any]:
    return _value(group.form, (), group.values)


def _value(form: Any, path: Path, values: Mapping[Path, tuple[Leaf, ...]]) -> dict[str, Any]:
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
    if len(entries) == 1:  # what every server understands
        return {"type": "array", "items": entries[0], **bounds}
    return {"type": "array", "prefixItems": list(entries), "items": False, **bounds}


def _any_of(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return choices[0] if len(choices) == 1 else {"anyOf": choices}

"""Reads the `definition` of a patch as actions: every field of it must be one that is known."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reme_playbook.actions.field_paths import (
    RESOURCE_PATHS,
    SPEC_KEYS,
    STRATEGY_KEYS,
    TIMING_KEYS,
    Entry,
    Path,
    dotted,
)
from reme_playbook.actions.registry import RESOURCE_FIELDS, Action
from reme_playbook.actions.string_types import is_run_id
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_template import RESTART_ANNOTATIONS
from reme_playbook.snapshot.views import PROBE_KEYS

# Lists that the API merges by a key, so that a patch may name one entry and leave the others.
_MERGED_BY = {"containers": ("name", str), "env": ("name", str), "ports": ("port", int)}
# Maps whose keys are names that people give.
_MAPS = frozenset({"annotations", "selector", "data", "nodeSelector", "hard"})
# Lists that a patch replaces as a whole.
_WHOLE = frozenset({"command", "args"})
_FIELDS_BY_PATH = {path: name for name, path in RESOURCE_PATHS.items()}
_TIMINGS_BY_KEY = {key: name for name, key in TIMING_KEYS.items()}
_STRATEGY_BY_KEY = {key: name for name, key in STRATEGY_KEYS.items()}
_SPEC_BY_KEY = {key: name for name, key in SPEC_KEYS.items()}
_PROBES_BY_KEY = {key: name for name, key in PROBE_KEYS.items()}
_HANDLERS = ("httpGet", "tcpSocket", "grpc")
_ACTION: TypeAdapter[Action] = TypeAdapter(Action)

Draft = dict[str, Any]
Drafted = tuple[tuple[Any, ...], Draft]


def read_patch(
    target: ObjectRef, definition: Mapping[str, Any], *, for_rollback: bool = False
) -> tuple[Action, ...]:
    """Return the actions that the patch amounts to, in the order in which it names them."""
    if not definition:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, f"the definition of {target} changes nothing"
        )
    drafts: dict[tuple[Any, ...], Draft] = {}
    for path, value in _leaves(definition, ()):
        where, draft = _draft(path, value)
        if value is None and draft["action"] not in _MAY_REMOVE:
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"{_shown(path)} may not be taken away"
            )
        _merge(drafts.setdefault(where, {"target": target}), draft)
    actions = tuple(build(draft) for draft in drafts.values())
    for action in actions:
        if action.internal and not for_rollback:
            raise RejectedPlaybookError(
                RejectionRule.INTERNAL, f"only an undo may: {action.summary()}"
            )
    return actions


_MAY_REMOVE = frozenset(
    {
        "PatchNodeSelector",
        "PatchServiceSelector",
        "SetCommand",
        "UnsetConfigValue",
        "UnsetEnv",
        "UnsetResources",
    }
)


def build(draft: Draft) -> Action:
    """Return the action that the plain data describes, or reject it."""
    try:
        return _ACTION.validate_python(draft)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part != draft.get("action"))
        reason = first["msg"].removeprefix("Value error, ")
        place = f" {quote(where)}" if where else ""
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"{draft.get('action')}{place}: {reason}"
        ) from None


def _merge(into: Draft, draft: Draft) -> None:
    for name, value in draft.items():
        if isinstance(value, dict):
            into.setdefault(name, {}).update(value)
        elif isinstance(value, tuple):
            into[name] = tuple(f for f in RESOURCE_FIELDS if f in (*into.get(name, ()), *value))
        elif into.setdefault(name, value) != value:
            raise RejectedPlaybookError(
                RejectionRule.CONTRADICTION, f"{quote(name)} has two meanings"
            )


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    name = path[-1] if path and isinstance(path[-1], str) else ""
    if isinstance(value, dict):
        if not value:
            raise RejectedPlaybookError(RejectionRule.FIELD, f"{_shown(path)} says nothing")
        for key, inner in value.items():
            yield from _leaves(inner, (*path, Entry(key) if name in _MAPS else key))
    elif isinstance(value, list) and not (name in _WHOLE and value):
        yield from _entries(value, path, name)
    else:
        yield path, value


def _entries(entries: list[Any], path: Path, name: str) -> Iterator[tuple[Path, Any]]:
    by, kind = _MERGED_BY.get(name, ("", str))
    if not by or not entries:
        raise RejectedPlaybookError(
            RejectionRule.FIELD, f"the list {_shown(path)} may not be written"
        )
    seen: set[str | int] = set()
    for entry in entries:
        mark: Any = entry.get(by) if isinstance(entry, dict) else None
        if not isinstance(mark, str | int) or type(mark) is not kind:
            raise RejectedPlaybookError(
                RejectionRule.SHAPE, f"each entry of {_shown(path)} needs its {by}"
            )
        if mark in seen:
            raise RejectedPlaybookError(
                RejectionRule.DUPLICATE_KEY, f"{_shown(path)} names {quote(mark)} twice"
            )
        seen.add(mark)
        rest = {key: inner for key, inner in entry.items() if key != by}
        yield from _leaves(rest, (*path, Entry(mark, by)))


def _shown(path: Path) -> str:
    return quote(dotted(path), 160)


def _draft(path: Path, value: Any) -> Drafted:
    match path:
        case ("spec", "replicas"):
            return path, {"action": "Scale", "replicas": value}
        case ("spec", "paused") if isinstance(value, bool):
            return path, {"action": "PauseRollout" if value else "ResumeRollout"}
        case ("spec", "selector", Entry(key=str(key))):
            return path[:2], {"action": "PatchServiceSelector", "selector": {key: value}}
        case ("spec", "ports", Entry(key=port), "targetPort"):
            return path, {"action": "PatchServicePort", "port": port, "target_port": value}
        case ("data", Entry(key=key)) if value is None:
            return path, {"action": "UnsetConfigValue", "key": key}
        case ("data", Entry(key=key)):
            return path, {"action": "SetConfigValue", "key": key, "value": value}
        case ("spec", "template", "metadata", "annotations", Entry(key=key)) if (
            key in RESTART_ANNOTATIONS and isinstance(value, str) and is_run_id(value)
        ):
            return path[:4], {"action": "Restart"}
        case ("spec", "template", "spec", "containers", Entry(key=container), *rest):
            found = _container_draft(tuple(rest), value)
            if found:
                return (container, *found[0]), {**found[1], "container": container}
    around = _draft_around(path, value)
    if around is None:
        raise RejectedPlaybookError(RejectionRule.FIELD, f"{_shown(path)} may not be written")
    return around


def _draft_around(path: Path, value: Any) -> Drafted | None:
    match path:
        case ("spec", "strategy", "rollingUpdate", str(key)) if key in _STRATEGY_BY_KEY:
            return path[:3], {"action": "SetUpdateStrategy", _STRATEGY_BY_KEY[key]: value}
        case ("spec", "template", "spec", "nodeSelector", Entry(key=str(label))):
            return path[:4], {"action": "PatchNodeSelector", "selector": {label: value}}
        case ("spec", ("minReplicas" | "maxReplicas") as key):
            return path[:1], {"action": "SetAutoscaling", _SPEC_BY_KEY[key]: value}
        case ("spec", ("minAvailable" | "maxUnavailable") as key):
            return path[:1], {"action": "SetDisruptionBudget", _SPEC_BY_KEY[key]: value}
        case ("spec", "hard", Entry(key=str(key))):
            return path[:2], {"action": "SetQuota", "hard": {key: _amount(value)}}
        case ("spec", "suspend") if isinstance(value, bool):
            return path, {"action": "SuspendJob" if value else "ResumeJob"}
        case ("spec", "unschedulable") if isinstance(value, bool):
            return path, {"action": "CordonNode" if value else "UncordonNode"}
    return None


def _container_draft(path: Path, value: Any) -> Drafted | None:
    match path:
        case ("image",):
            return path, {"action": "SetImage", "image": value}
        case (("command" | "args") as words,):
            return ("command",), {"action": "SetCommand", words: [] if value is None else value}
        case ("env", Entry(key=variable), "value"):
            return path, {"action": "SetEnv", "variable": variable, "value": value}
        case ("env", Entry(key=variable), "$patch") if value == "delete":
            return path, {"action": "UnsetEnv", "variable": variable}
        case ("resources", str(side), str(resource)) if (side, resource) in _FIELDS_BY_PATH:
            field = _FIELDS_BY_PATH[side, resource]
            if value is None:
                return ("unset",), {"action": "UnsetResources", "fields": (field,)}
            return ("resources",), {"action": "SetResources", field: _amount(value)}
        case (str(key), *rest) if key in _PROBES_BY_KEY:
            fields = _probe_fields(tuple(rest), value)
            if fields:
                head = {"action": "PatchProbe", "probe": _PROBES_BY_KEY[key]}
                return (key,), {**head, **fields}
    return None


def _amount(value: Any) -> Any:
    # An amount may be a bare whole number, as in cpu: 2.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _probe_fields(path: Path, value: Any) -> Draft | None:
    match path:
        case (str(key),) if key in _TIMINGS_BY_KEY:
            return {_TIMINGS_BY_KEY[key]: value}
        case (str(handler), "port") if handler in _HANDLERS:
            return {"handler": handler, "port": value}
        case ("httpGet", "path"):
            return {"handler": "httpGet", "path": value}
    return None

"""Compiles a playbook, whoever wrote it, to actions; what does not compile does not run.

The language is a small part of Ansible: one play on localhost, or a bare list of tasks; in each
task one of a few modules of kubernetes.core, with the few parameters and fields that amount to an
action. All the rest is refused: there is no list of what is dangerous, only one of what is known.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from reme_playbook.actions.field_paths import dotted, overlap, written
from reme_playbook.actions.registry import Action
from reme_playbook.compiler.document import load
from reme_playbook.compiler.json_patch import read_operations
from reme_playbook.compiler.node_tasks import read_node_task
from reme_playbook.compiler.strategic_merge import build, read_patch
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot.object_ref import API_VERSIONS, CLUSTER_SCOPED, ObjectRef

MAX_TASKS = 8
MAX_ACTIONS = 8
MAX_ROLLBACK_ACTIONS = 16

K8S = "kubernetes.core.k8s"
K8S_SCALE = "kubernetes.core.k8s_scale"
K8S_ROLLBACK = "kubernetes.core.k8s_rollback"
K8S_JSON_PATCH = "kubernetes.core.k8s_json_patch"
K8S_TAINT = "kubernetes.core.k8s_taint"
K8S_DRAIN = "kubernetes.core.k8s_drain"
REME_ROLLBACK = "reme_rollback"
_MODULES = {
    K8S: K8S,
    "k8s": K8S,
    K8S_SCALE: K8S_SCALE,
    "k8s_scale": K8S_SCALE,
    K8S_ROLLBACK: K8S_ROLLBACK,
    "k8s_rollback": K8S_ROLLBACK,
    K8S_JSON_PATCH: K8S_JSON_PATCH,
    "k8s_json_patch": K8S_JSON_PATCH,
    K8S_TAINT: K8S_TAINT,
    "k8s_taint": K8S_TAINT,
    K8S_DRAIN: K8S_DRAIN,
    "k8s_drain": K8S_DRAIN,
    REME_ROLLBACK: REME_ROLLBACK,
}
_NAMING = frozenset({"kind", "name", "namespace", "api_version"})
_PARAMETERS = {
    K8S: _NAMING | {"state", "definition", "merge_type"},
    K8S_SCALE: _NAMING | {"replicas", "wait"},
    K8S_ROLLBACK: _NAMING,
    REME_ROLLBACK: _NAMING | {"revision"},
    K8S_JSON_PATCH: _NAMING | {"patch", "wait"},
    K8S_TAINT: frozenset({"name", "state", "taints"}),
    K8S_DRAIN: frozenset({"name", "state"}),
}
# What the renderer writes beside the fields; no other value is accepted.
MERGE_TYPE = ["strategic-merge"]
PLAY: dict[str, Any] = {"hosts": "localhost", "connection": "local", "gather_facts": False}


def compile_playbook(text: str, *, for_rollback: bool = False) -> tuple[Action, ...]:
    """Return the actions of a playbook or a task list, in their order.

    Only with `allow_undo` may it hold what an undo needs: scaling to zero, pausing, and taking
    away what a run had added.

    Raises RejectedPlaybookError, and nothing else, for whatever is not in the language.
    """
    tasks = _tasks(load(text), MAX_ROLLBACK_ACTIONS if for_rollback else MAX_TASKS)
    actions = [action for task in tasks for action in _task(task, for_rollback=for_rollback)]
    check_conflicts(actions, MAX_ROLLBACK_ACTIONS if for_rollback else MAX_ACTIONS)
    return tuple(actions)


def check_conflicts(actions: Sequence[Action], limit: int = MAX_ACTIONS) -> None:
    """Reject actions that are too many, or of which two write the same field."""
    if not 1 <= len(actions) <= limit:
        raise RejectedPlaybookError(RejectionRule.SHAPE, f"a playbook has 1 to {limit} actions")
    seen: list[tuple[ObjectRef, Any]] = []
    for action in actions:
        # A deletion touches the whole of its object.
        own = [(action.target, path) for path in written(action) or ((),)]
        for target, path in own:
            if any(target == other and overlap(path, before) for other, before in seen):
                where = f" ({quote(dotted(path), 120)})" if path else ""
                raise RejectedPlaybookError(
                    RejectionRule.TWICE, f"two actions write the same of {target}{where}"
                )
        seen.extend(own)


def _tasks(document: Any, limit: int) -> list[Any]:
    if not isinstance(document, list) or not document:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, "a playbook is a list of tasks, or of one play"
        )
    first = document[0]
    if isinstance(first, dict) and ("hosts" in first or "tasks" in first):
        if len(document) != 1:
            raise RejectedPlaybookError(RejectionRule.SHAPE, "a playbook has one play")
        document = _play_tasks(first)
    if not isinstance(document, list) or not 1 <= len(document) <= limit:
        raise RejectedPlaybookError(RejectionRule.SHAPE, f"a play has a list of 1 to {limit} tasks")
    return document


def _play_tasks(play: dict[str, Any]) -> Any:
    for keyword, value in play.items():
        if keyword == "name":
            _check_title(value)
        elif keyword in PLAY:
            # 0 == False, and an integer is not what belongs here.
            if value != PLAY[keyword] or type(value) is not type(PLAY[keyword]):
                raise RejectedPlaybookError(
                    RejectionRule.KEYWORD, f"{keyword} of the play must be {PLAY[keyword]}"
                )
        elif keyword != "tasks":
            raise RejectedPlaybookError(
                RejectionRule.KEYWORD, f"the keyword {quote(keyword)} of a play is not allowed"
            )
    if play.get("hosts") != PLAY["hosts"]:
        raise RejectedPlaybookError(RejectionRule.KEYWORD, "hosts of the play must be localhost")
    return play.get("tasks")


def _check_title(value: Any) -> None:
    if not isinstance(value, str) or len(value) > 1024:
        raise RejectedPlaybookError(RejectionRule.KEYWORD, "a name must be a short text")


def _task(task: Any, *, for_rollback: bool) -> tuple[Action, ...]:
    if not isinstance(task, dict):
        raise RejectedPlaybookError(RejectionRule.SHAPE, "a task must be an object")
    modules = [keyword for keyword in task if keyword != "name"]
    if "name" in task:
        _check_title(task["name"])
    for keyword in modules:
        if keyword not in _MODULES:
            raise RejectedPlaybookError(
                RejectionRule.MODULE, f"{quote(keyword)} is neither an allowed module nor a keyword"
            )
    if len(modules) != 1:
        raise RejectedPlaybookError(RejectionRule.SHAPE, "a task has exactly one module")
    module, parameters = _MODULES[modules[0]], task[modules[0]]
    if not isinstance(parameters, dict):
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, f"{module} needs its parameters as an object"
        )
    for name in parameters:
        if name not in _PARAMETERS[module]:
            raise RejectedPlaybookError(
                RejectionRule.PARAMETER, f"the parameter {quote(name)} of {module} is not allowed"
            )
    return _module(module, parameters, for_rollback=for_rollback)


def _module(module: str, parameters: dict[str, Any], *, for_rollback: bool) -> tuple[Action, ...]:
    if module == K8S:
        return _k8s(parameters, for_rollback=for_rollback)
    if module in (K8S_TAINT, K8S_DRAIN):
        return read_node_task(parameters, drains=module == K8S_DRAIN, for_rollback=for_rollback)
    target = _target(parameters, {})
    if parameters.get("wait", False) is not False:
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, "wait must be false: probes judge later"
        )
    if module == K8S_JSON_PATCH:
        return (read_operations(target, parameters.get("patch"), for_rollback=for_rollback),)
    if module == K8S_SCALE:
        action = build(
            {"action": "Scale", "target": target, "replicas": parameters.get("replicas")}
        )
        return _checked_scale((action,), for_rollback=for_rollback)
    return (
        build({"action": "Rollback", "target": target, "revision": parameters.get("revision")}),
    )


def _k8s(parameters: dict[str, Any], *, for_rollback: bool) -> tuple[Action, ...]:
    state, definition = parameters.get("state"), parameters.get("definition", {})
    if not isinstance(definition, dict):
        raise RejectedPlaybookError(RejectionRule.PARAMETER, "definition must be an object")
    if parameters.get("merge_type", MERGE_TYPE) != MERGE_TYPE:
        raise RejectedPlaybookError(RejectionRule.PARAMETER, "merge_type must be [strategic-merge]")
    target = _target(parameters, definition)
    if state == "absent":
        if target.kind != "Pod":
            raise RejectedPlaybookError(RejectionRule.PARAMETER, "only a Pod may be absent")
        if set(definition) - {"apiVersion", "kind", "metadata"} or "merge_type" in parameters:
            raise RejectedPlaybookError(RejectionRule.PARAMETER, "a deletion takes no definition")
        return (build({"action": "DeletePod", "target": target}),)
    if state != "patched":
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, "state must be patched, or absent for a Pod"
        )
    body = {k: v for k, v in definition.items() if k not in ("apiVersion", "kind", "metadata")}
    actions = read_patch(target, body, for_rollback=for_rollback)
    return _checked_scale(actions, for_rollback=for_rollback)


def _checked_scale(actions: tuple[Action, ...], *, for_rollback: bool) -> tuple[Action, ...]:
    for action in actions:
        if action.action == "Scale" and action.replicas == 0 and not for_rollback:
            raise RejectedPlaybookError(RejectionRule.HIDES_SYMPTOM, "replicas may not become 0")
    return actions


def _target(parameters: Mapping[str, Any], definition: Mapping[str, Any]) -> ObjectRef:
    metadata = definition.get("metadata", {})
    if not isinstance(metadata, dict) or set(metadata) - {"name", "namespace"}:
        raise RejectedPlaybookError(
            RejectionRule.FIELD, "metadata may hold name and namespace, and nothing else"
        )
    kind = _agreed("kind", parameters, "kind", definition, "kind")
    name = _agreed("name", parameters, "name", metadata, "name")
    namespace = (
        ""
        if kind in CLUSTER_SCOPED and not {"namespace"} & {*parameters, *metadata}
        else _agreed("namespace", parameters, "namespace", metadata, "namespace")
    )
    if kind not in API_VERSIONS:
        raise RejectedPlaybookError(RejectionRule.VALUE, f"the kind {quote(kind)} is not allowed")
    versions = [
        place[key]
        for place, key in ((parameters, "api_version"), (definition, "apiVersion"))
        if key in place
    ]
    if any(version != API_VERSIONS[kind] for version in versions):
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"the API version of a {kind} must be {API_VERSIONS[kind]}"
        )
    try:
        return ObjectRef(kind=kind, namespace=namespace, name=name)  # type: ignore[arg-type]
    except ValidationError:
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"{quote(name)} in {quote(namespace)} is no name of an object"
        ) from None


def _agreed(
    what: str, first: Mapping[str, Any], key: str, second: Mapping[str, Any], other: str
) -> str:
    found = [place[k] for place, k in ((first, key), (second, other)) if k in place]
    if not found:
        raise RejectedPlaybookError(RejectionRule.PARAMETER, f"the {what} of the object is missing")
    if any(not isinstance(value, str) for value in found):
        raise RejectedPlaybookError(RejectionRule.VALUE, f"the {what} of an object must be text")
    if len(set(found)) != 1:
        raise RejectedPlaybookError(
            RejectionRule.CONTRADICTION, f"the {what} outside and inside the definition differ"
        )
    return str(found[0])

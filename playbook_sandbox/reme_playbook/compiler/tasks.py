"""Reads a task as actions: its one module, the parameters of that, and the object they name."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from reme_playbook.actions.modules import (
    K8S,
    K8S_DRAIN,
    K8S_JSON_PATCH,
    K8S_ROLLBACK,
    K8S_SCALE,
    K8S_TAINT,
    MERGE_TYPE,
    REME_ROLLBACK,
)
from reme_playbook.actions.registry import Action, build
from reme_playbook.actions.scale import Scale
from reme_playbook.compiler.json_patch import read_operations
from reme_playbook.compiler.strategic_merge import read_patch
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot.object_ref import API_VERSIONS, CLUSTER_SCOPED, ObjectRef

_LOCATION = ("kind", "name", "namespace", "api_version")
_ROLLBACK = ("revision", "stuck_revision", "stuck_pods")
_PARAMETERS: dict[str, tuple[str, ...]] = {
    K8S: (*_LOCATION, "state", "definition", "merge_type"),
    K8S_SCALE: (*_LOCATION, "replicas", "wait"),
    K8S_ROLLBACK: _LOCATION,
    REME_ROLLBACK: (*_LOCATION, *_ROLLBACK),
    K8S_JSON_PATCH: (*_LOCATION, "patch", "wait"),
    K8S_TAINT: ("name", "state", "taints"),
    K8S_DRAIN: ("name", "state"),
}
_SHORT_NAMES = {name.rpartition(".")[2]: name for name in _PARAMETERS}
_MODULES = {name: name for name in _PARAMETERS} | _SHORT_NAMES
_LOCATED_IN_DEFINITION = ("apiVersion", "kind", "metadata")
_KEYWORDS = (
    "action any_errors_fatal args async become become_exe become_flags become_method become_user "
    "block rescue always changed_when check_mode collections connection debugger delay "
    "delegate_facts delegate_to diff environment failed_when ignore_errors ignore_unreachable "
    "listen local_action loop loop_control module_defaults no_log notify poll port register "
    "remote_user retries run_once tags throttle timeout until vars when"
)
"""Keywords of a task in Ansible, which are not modules. None of them is allowed."""


def read_task(task: Mapping[str, Any], *, for_rollback: bool) -> tuple[Action, ...]:
    """Return the actions of a task without its name.

    Raises RejectedPlaybookError if it is not of the language.
    """
    for keyword in task:
        if keyword not in _MODULES:
            _reject_keyword(keyword)
    if len(task) != 1:
        count = "none" if not task else str(len(task))
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, f"a task must have exactly one module, got {count}"
        )
    (keyword, parameters), *_ = task.items()
    module = _MODULES[keyword]
    if not isinstance(parameters, dict):
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER,
            f"the parameters of {module} must be an object, got {quote(parameters, 24)}",
        )
    for name in parameters:
        if name not in _PARAMETERS[module]:
            raise RejectedPlaybookError(
                RejectionRule.PARAMETER,
                f"the parameter {quote(name)} of {module} is not allowed: it takes "
                f"{_listed(_PARAMETERS[module])}",
            )
    if module == K8S:
        return _k8s(parameters, for_rollback=for_rollback)
    if module in (K8S_TAINT, K8S_DRAIN):
        return _node(parameters, drains=module == K8S_DRAIN, for_rollback=for_rollback)
    return (_on_object(module, parameters, for_rollback=for_rollback),)


def _reject_keyword(keyword: str) -> None:
    if keyword in _KEYWORDS.split() or keyword.startswith("with_"):
        raise RejectedPlaybookError(
            RejectionRule.MODULE,
            f"the keyword {quote(keyword)} is not allowed: a task has only a name and one module",
        )
    raise RejectedPlaybookError(
        RejectionRule.MODULE,
        f"the module {quote(keyword)} is not allowed: use {_listed(_SHORT_NAMES, 'or')}",
    )


def _listed(names: Iterable[str], conjunction: str = "and") -> str:
    *others, last = names
    return f"{', '.join(others)} {conjunction} {last}"


def _on_object(module: str, parameters: dict[str, Any], *, for_rollback: bool) -> Action:
    target = _target(parameters, {})
    if parameters.get("wait", False) is not False:
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER,
            "wait must be false: the probes verify the result after the run",
        )
    if module == K8S_JSON_PATCH:
        return read_operations(target, parameters.get("patch"), for_rollback=for_rollback)
    if module == K8S_SCALE:
        draft = {"action": "Scale", "target": target, "replicas": parameters.get("replicas")}
        return _not_to_zero(build(draft), for_rollback=for_rollback)
    fields = {name: parameters[name] for name in _ROLLBACK if name in parameters}
    return build({"action": "Rollback", "target": target, **fields})


def _k8s(parameters: dict[str, Any], *, for_rollback: bool) -> tuple[Action, ...]:
    state, definition = parameters.get("state"), parameters.get("definition", {})
    if not isinstance(definition, dict):
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, f"definition must be an object, got {quote(definition, 24)}"
        )
    if parameters.get("merge_type", MERGE_TYPE) != MERGE_TYPE:
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER,
            "merge_type must be [strategic-merge]: other types replace whole lists",
        )
    target = _target(parameters, definition)
    fields = {k: v for k, v in definition.items() if k not in _LOCATED_IN_DEFINITION}
    if state == "absent":
        if target.kind != "Pod":
            raise RejectedPlaybookError(
                RejectionRule.PARAMETER,
                f"a {target.kind} may not be deleted: state 'absent' is allowed for a Pod only",
            )
        if fields or "merge_type" in parameters:
            raise RejectedPlaybookError(
                RejectionRule.PARAMETER,
                "a deletion takes no fields and no merge_type: remove them, or use state 'patched'",
            )
        return (build({"action": "DeletePod", "target": target}),)
    if state != "patched":
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER,
            f"state must be 'patched', or 'absent' for a Pod, got {quote(state, 24)}",
        )
    actions = read_patch(target, fields, for_rollback=for_rollback)
    return tuple(_not_to_zero(action, for_rollback=for_rollback) for action in actions)


def _not_to_zero(action: Action, *, for_rollback: bool) -> Action:
    if isinstance(action, Scale) and action.replicas == 0 and not for_rollback:
        raise RejectedPlaybookError(
            RejectionRule.HIDES_SYMPTOM,
            "replicas must be at least 1: scaling to 0 stops the service instead of repairing it",
        )
    return action


def _node(parameters: Mapping[str, Any], *, drains: bool, for_rollback: bool) -> tuple[Action, ...]:
    target = _object_ref("Node", "", _agreed("name of the Node", "name", parameters, {}))
    state = parameters.get("state")
    if drains:
        if state != "uncordon":
            raise RejectedPlaybookError(
                RejectionRule.PARAMETER,
                f"state of {K8S_DRAIN} must be 'uncordon', got {quote(state, 24)}: nodes may not "
                "be drained",
            )
        return (build({"action": "UncordonNode", "target": target}),)
    if state not in ("absent", "present"):
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER,
            f"state of {K8S_TAINT} must be 'absent', got {quote(state, 24)}",
        )
    adds = state == "present"
    if adds and not for_rollback:
        raise RejectedPlaybookError(
            RejectionRule.INTERNAL, "only a rollback may add a taint: state must be 'absent'"
        )
    taints = parameters.get("taints")
    if not isinstance(taints, list) or not taints:
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, "taints must be a list of at least one taint"
        )
    return tuple(_taint(target, taint, adds=adds) for taint in taints)


def _taint(target: ObjectRef, taint: Any, *, adds: bool) -> Action:
    fields = ("key", "effect", "value") if adds else ("key", "effect")
    if not isinstance(taint, dict) or set(taint) != set(fields):
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, f"a taint must have {_listed(fields)}, and nothing else"
        )
    return build({"action": "AddTaint" if adds else "RemoveTaint", "target": target, **taint})


def _target(parameters: Mapping[str, Any], definition: Mapping[str, Any]) -> ObjectRef:
    metadata = definition.get("metadata", {})
    if not isinstance(metadata, dict) or set(metadata) - {"name", "namespace"}:
        raise RejectedPlaybookError(
            RejectionRule.FIELD,
            "metadata may have only name and namespace: labels and annotations of the object may "
            "not be written",
        )
    kind = _agreed("kind of the object", "kind", parameters, definition)
    if kind not in API_VERSIONS:
        raise RejectedPlaybookError(
            RejectionRule.VALUE,
            f"the kind {quote(kind)} is not allowed: actions exist for {_listed(API_VERSIONS)}",
        )
    name = _agreed(f"name of the {kind}", "name", parameters, metadata)
    namespace = (
        ""
        if kind in CLUSTER_SCOPED and not {"namespace"} & {*parameters, *metadata}
        else _agreed(f"namespace of the {kind}", "namespace", parameters, metadata)
    )
    for key, place in (("api_version", parameters), ("apiVersion", definition)):
        if key in place and place[key] != API_VERSIONS[kind]:
            raise RejectedPlaybookError(
                RejectionRule.VALUE,
                f"{key} of a {kind} must be {API_VERSIONS[kind]}, got {quote(place[key], 48)}",
            )
    return _object_ref(kind, namespace, name)


def _object_ref(kind: str, namespace: str, name: Any) -> ObjectRef:
    if namespace and kind in CLUSTER_SCOPED:
        raise RejectedPlaybookError(
            RejectionRule.VALUE, f"a {kind} has no namespace: remove {quote(namespace)}"
        )
    try:
        return ObjectRef(kind=kind, namespace=namespace, name=name)  # type: ignore[arg-type]
    except ValidationError:
        where = f" in the namespace {quote(namespace)}" if namespace else ""
        raise RejectedPlaybookError(
            RejectionRule.VALUE,
            f"{quote(name)}{where} is not the name of a {kind}: names have lower-case letters, "
            "digits, '-' and '.', and start and end with a letter or digit",
        ) from None


def _agreed(what: str, key: str, parameters: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Return what the parameters or the definition say, which must agree if both say it."""
    values = [place[key] for place in (parameters, body) if key in place]
    if not values:
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, f"the {what} is missing: add the parameter {key}"
        )
    for value in values:
        if not isinstance(value, str):
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"the {what} must be text, got {quote(value, 48)}"
            )
    if values[0] != values[-1]:
        raise RejectedPlaybookError(
            RejectionRule.CONTRADICTION,
            f"the {what} is {quote(values[0], 48)} as a parameter and {quote(values[1], 48)} in "
            "the definition: write it once",
        )
    return str(values[0])

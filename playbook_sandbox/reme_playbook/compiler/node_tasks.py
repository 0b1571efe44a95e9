"""Nodes in Ansible: modules of their own, which take a name and no kind."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from reme_playbook.actions.registry import Action, AddTaint, RemoveTaint
from reme_playbook.compiler.strategic_merge import build
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot.object_ref import ObjectRef


def taint_parameters(action: RemoveTaint | AddTaint) -> dict[str, Any]:
    """Return the parameters of kubernetes.core.k8s_taint that carry the action out."""
    taint = {"key": action.key, "effect": action.effect}
    if isinstance(action, AddTaint):
        taint["value"] = action.value
    state = "present" if isinstance(action, AddTaint) else "absent"
    return {"name": action.target.name, "state": state, "taints": [taint]}


def read_node_task(
    parameters: Mapping[str, Any], *, drains: bool, for_rollback: bool = False
) -> tuple[Action, ...]:
    """Return the actions of a task of k8s_taint or k8s_drain, or reject it."""
    try:
        target = ObjectRef(kind="Node", namespace="", name=parameters.get("name"))  # type: ignore[arg-type]
    except ValidationError:
        name = quote(parameters.get("name"))
        raise RejectedPlaybookError(RejectionRule.VALUE, f"{name} is no name of a node") from None
    state = parameters.get("state")
    if drains:
        if state != "uncordon":
            raise RejectedPlaybookError(RejectionRule.PARAMETER, "state must be uncordon")
        return (build({"action": "UncordonNode", "target": target}),)
    if state not in ("absent", "present"):
        raise RejectedPlaybookError(RejectionRule.PARAMETER, "state must be absent")
    if state == "present" and not for_rollback:
        raise RejectedPlaybookError(
            RejectionRule.INTERNAL, "only an undo may put a taint on a node"
        )
    taints = parameters.get("taints")
    if not isinstance(taints, list) or not taints:
        raise RejectedPlaybookError(RejectionRule.PARAMETER, "taints must be a list of taints")
    return tuple(_taint(target, taint, adds=state == "present") for taint in taints)


def _taint(target: ObjectRef, taint: Any, *, adds: bool) -> Action:
    known = {"key", "effect", "value"} if adds else {"key", "effect"}
    if not isinstance(taint, dict) or set(taint) != known:
        fields = ", ".join(sorted(known))
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, f"a taint has {fields}, and nothing else here"
        )
    return build({"action": "AddTaint" if adds else "RemoveTaint", "target": target, **taint})

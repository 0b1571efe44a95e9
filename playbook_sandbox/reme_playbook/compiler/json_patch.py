"""JSON patches: how entries are changed that only their place in a list tells apart.

Each patch first tests what stands at the place, so that a list that was changed meanwhile makes
the patch fail instead of changing another entry.
"""

from typing import Any

from reme_api.parsing import parse_int
from reme_playbook.actions.field_paths import writes
from reme_playbook.actions.registry import (
    Action,
    AllowEgress,
    AllowIngress,
    SetIngressBackend,
    WithdrawEgress,
    WithdrawIngress,
)
from reme_playbook.compiler.strategic_merge import build
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot.network_rules import read_backend, read_egress_rule, read_ingress_rule
from reme_playbook.snapshot.object_ref import ObjectRef

Operation = dict[str, Any]
ByPlace = SetIngressBackend | AllowIngress | AllowEgress | WithdrawIngress | WithdrawEgress
_MOST = 4
_SIDES = {"ingress": read_ingress_rule, "egress": read_egress_rule}


def operations(action: ByPlace) -> list[Operation]:
    """Return the JSON patch that carries the action out."""
    match action:
        case SetIngressBackend(rule=rule, path=path):
            (write,) = writes(action)
            place = f"/spec/rules/{rule}"
            below = f"{place}/http/paths/{path}"
            found = [("test", f"{place}/host", action.host)] if action.host else []
            if action.http_path:
                found.append(("test", f"{below}/path", action.http_path))
            return [
                *({"op": op, "path": where, "value": value} for op, where, value in found),
                {"op": "replace", "path": f"{below}/backend/service", "value": write.value},
            ]
        case WithdrawIngress() | WithdrawEgress():
            side = "ingress" if isinstance(action, WithdrawIngress) else "egress"
            where = f"/spec/{side}/{action.position}"
            return [
                {"op": "test", "path": where, "value": _added(action)},
                {"op": "remove", "path": where},
            ]
        case _:
            side = "ingress" if isinstance(action, AllowIngress) else "egress"
            rule = _added(action)
            if action.position:
                return [{"op": "add", "path": f"/spec/{side}/{action.position}", "value": rule}]
            # There is no list yet to which one could add.
            return [{"op": "add", "path": f"/spec/{side}", "value": [rule]}]


def _added(action: AllowIngress | AllowEgress | WithdrawIngress | WithdrawEgress) -> Any:
    same: type[AllowIngress | AllowEgress] = (
        AllowIngress if isinstance(action, AllowIngress | WithdrawIngress) else AllowEgress
    )
    fields = {"position": action.position, "labels": action.labels, "port": action.port}
    (write,) = writes(same(target=action.target, **fields))
    return write.value


def read_operations(target: ObjectRef, patch: Any, *, for_rollback: bool = False) -> Action:
    """Return the action that a JSON patch amounts to, or reject it."""
    if not isinstance(patch, list) or not 1 <= len(patch) <= _MOST:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, f"patch must be a list of 1 to {_MOST} operations"
        )
    draft = _draft(target, [_operation(one) for one in patch])
    if draft is None:
        raise RejectedPlaybookError(RejectionRule.FIELD, f"this patch of {target} is not allowed")
    action = build({"target": target, **draft})
    # The order and the tests are part of the form: what is read is what would be written.
    if not isinstance(action, ByPlace) or operations(action) != patch:
        raise RejectedPlaybookError(RejectionRule.SHAPE, f"this patch of {target} has another form")
    if action.internal and not for_rollback:
        raise RejectedPlaybookError(RejectionRule.INTERNAL, f"only an undo may: {action.summary()}")
    return action


def _operation(found: Any) -> tuple[str, list[str], Any]:
    if not isinstance(found, dict) or not isinstance(found.get("path"), str):
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, "each operation of a patch needs op and path"
        )
    if set(found) - {"op", "path", "value"}:
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER,
            "an operation of a patch has op, path and value, and nothing else",
        )
    steps = found["path"].split("/")
    return str(found.get("op")), steps[1:], found.get("value")


def _draft(target: ObjectRef, found: list[tuple[str, list[str], Any]]) -> dict[str, Any] | None:
    *tests, (op, path, value) = found
    match [op, *path]:
        case ["replace", "spec", "rules", rule, "http", "paths", place, "backend", "service"] if (
            target.kind == "Ingress"
        ):
            return _backend(tests, rule, place, value)
        case ["add", "spec", ("ingress" | "egress") as side] if isinstance(value, list):
            return _allowed(side, "0", value[0] if len(value) == 1 else None)
        case ["add", "spec", ("ingress" | "egress") as side, place]:
            return _allowed(side, place, value)
        case ["remove", "spec", ("ingress" | "egress") as side, place] if len(tests) == 1:
            draft = _allowed(side, place, tests[0][2])
            return draft and {**draft, "action": f"Withdraw{side.capitalize()}"}
    return None


def _backend(
    tests: list[tuple[str, list[str], Any]], rule: str, place: str, value: Any
) -> dict[str, Any] | None:
    leads_to = read_backend(value)
    rule_index, path_index = _index(rule), _index(place)
    if leads_to is None or rule_index is None or path_index is None:
        return None
    draft = {"action": "SetIngressBackend", "rule": rule_index, "path": path_index}
    for _, path, tested in tests:
        draft["host" if path[-1:] == ["host"] else "http_path"] = tested
    return {**draft, "service": leads_to[0], "port": leads_to[1]}


def _allowed(side: str, place: str, value: Any) -> dict[str, Any] | None:
    read, position = _SIDES[side](value), _index(place)
    if read is None or position is None:
        return None
    return {"action": f"Allow{side.capitalize()}", "position": position, **read}


def _index(step: str) -> int | None:
    """Return the index in a list that the step of a path names; None if it names none."""
    return parse_int(step, maximum=999)

"""Reads a JSON patch as an action: it must be exactly the patch that the action would write."""

from typing import Any

from reme_playbook.actions.json_patch import JsonPatchAction, ParsedOperation
from reme_playbook.actions.registry import CLASSES, Action, build
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot.object_ref import ObjectRef

_MAX_OPERATIONS = 4
_FORMS = (
    "only the backend of an Ingress path may be replaced, and one rule be added to or removed from "
    "spec.ingress or spec.egress of a NetworkPolicy"
)


def read_operations(target: ObjectRef, patch: Any, *, for_rollback: bool = False) -> Action:
    """Return the action that a JSON patch amounts to.

    Raises RejectedPlaybookError if it is that of no action.
    """
    if not isinstance(patch, list) or not 1 <= len(patch) <= _MAX_OPERATIONS:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, f"patch must be a list of 1 to {_MAX_OPERATIONS} operations"
        )
    *tests, change = [_operation(operation) for operation in patch]
    drafts = (
        cls.from_operations(tests, change)
        for cls in CLASSES.values()
        if issubclass(cls, JsonPatchAction)
    )
    draft = next((draft for draft in drafts if draft is not None), None)
    if draft is None:
        raise RejectedPlaybookError(
            RejectionRule.FIELD, f"this patch of {target} is not allowed: {_FORMS}"
        )
    action = build({"target": target, **draft})
    # Order and tests are part of the form: what is read must be what would be written.
    assert isinstance(action, JsonPatchAction)
    expected = action.operations()
    if expected != patch:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE,
            f"this patch of {target} must have the form {quote(expected, 512)}",
        )
    if action.INTERNAL and not for_rollback:
        raise RejectedPlaybookError(
            RejectionRule.INTERNAL, f"only a rollback may do this: {action.summary()}"
        )
    return action


def _operation(operation: Any) -> ParsedOperation:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, "each operation of a patch needs op and path"
        )
    if set(operation) - {"op", "path", "value"}:
        raise RejectedPlaybookError(
            RejectionRule.PARAMETER, "an operation of a patch has only op, path and value"
        )
    path = tuple(operation["path"].split("/")[1:])
    return ParsedOperation(str(operation.get("op")), path, operation.get("value"))

"""Objects that do not fit their type: a condition says why, so that their author can see it."""

from collections.abc import Mapping
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError

from reme_api.base import ApiObject
from reme_api.conditions import Condition, Status, set_condition
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy
from reme_api.reasons import ConditionType, Reason
from reme_api.remediation import Remediation
from reme_kube.errors import ClusterError, UnreadableError
from reme_kube.object_parsing import parse_object
from reme_operator.errors import one_line
from reme_operator.handlers.context import OperatorContext

_log = structlog.get_logger(__name__)

T = TypeVar("T", bound=ApiObject)

_CONDITIONS: Mapping[type[ApiObject], tuple[ConditionType, Status, Reason]] = {
    DiagnosisReport: (ConditionType.ACCEPTED, Status.FALSE, Reason.INVALID_OBJECT),
    RemediationPolicy: (ConditionType.READY, Status.FALSE, Reason.POLICY_INVALID),
    Remediation: (ConditionType.STALLED, Status.TRUE, Reason.INVALID_OBJECT),
}


async def parse_or_report(
    context: OperatorContext, kind: type[T], body: Mapping[str, Any]
) -> T | None:
    """Return the object of an event; None when it does not fit its type, which is then reported."""
    try:
        return parse_object(kind, body)
    except UnreadableError as error:
        await report_unreadable(context, kind, body, error.problem)
        return None


async def report_unreadable(
    context: OperatorContext, kind: type[ApiObject], body: Mapping[str, Any], problem: str
) -> None:
    """Log and count an unreadable object, and write the condition that says why.

    Only the conditions are written: the rest of its status may be all that is left of its record.
    """
    meta = body["metadata"]
    namespace, name = str(meta.get("namespace", "")), str(meta["name"])
    _log.warning("object_unreadable", kind=kind.KIND, namespace=namespace, name=name, error=problem)
    context.deps.metrics.object_unreadable(kind.KIND)
    if meta.get("deletionTimestamp"):
        return
    before = _conditions(body)
    condition_type, status, reason = _CONDITIONS[kind]
    conditions = set_condition(
        before,
        condition_type,
        status,
        reason,
        problem,
        generation=int(meta.get("generation") or 0),
        now=context.deps.clock.now(),
    )
    if conditions == before:
        return
    context.deps.require_leadership()
    try:
        await context.deps.cluster.patch_conditions(
            kind, namespace, name, str(meta.get("resourceVersion", "")), conditions
        )
    except ClusterError as error:  # the next event makes up for it
        _log.info("condition_not_written", kind=kind.KIND, name=name, error=one_line(error))


def _conditions(body: Mapping[str, Any]) -> list[Condition]:
    """Return the conditions that can be read."""
    conditions = []
    status = body.get("status")
    items = status.get("conditions") if isinstance(status, Mapping) else None
    for item in items if isinstance(items, list) else []:
        try:
            conditions.append(Condition.model_validate(item))
        except ValidationError:
            continue
    return conditions

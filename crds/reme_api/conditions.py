"""Conditions, as in the Kubernetes API conventions."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from reme_api.base import ApiModel, Message, Time
from reme_api.reasons import ConditionType, Reason


class Status(StrEnum):
    """Status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One aspect of the state of an object, for one generation of it."""

    type: ConditionType
    status: Status
    reason: Reason
    message: Message = ""
    observed_generation: int = 0
    last_transition_time: Time


def find_condition(
    conditions: Iterable[Condition], condition_type: ConditionType
) -> Condition | None:
    """Return the condition of this type, or None."""
    return next((c for c in conditions if c.type is condition_type), None)


def set_condition(
    conditions: Iterable[Condition],
    condition_type: ConditionType,
    status: Status,
    reason: Reason,
    message: str,
    *,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """Return the conditions with one set; its transition time changes only with its status."""
    previous = find_condition(conditions, condition_type)
    unchanged = previous is not None and previous.status is status
    condition = Condition(
        type=condition_type,
        status=status,
        reason=reason,
        message=message[:1024],
        observed_generation=generation,
        last_transition_time=previous.last_transition_time if previous and unchanged else now,
    )
    others = [c for c in conditions if c.type is not condition_type]
    order = list(ConditionType)
    return sorted([*others, condition], key=lambda c: order.index(c.type))

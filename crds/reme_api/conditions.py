"""Conditions as the Kubernetes API conventions want them."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from reme_api.base import ApiModel, Message, Time
from reme_api.reasons import ConditionType, Reason


class Status(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One statement about an object, with the generation that it was made for."""

    type: ConditionType
    status: Status
    reason: Reason
    message: Message = ""
    observed_generation: int = 0
    last_transition_time: Time


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """Return the condition of that type, or nothing."""
    return next((c for c in conditions if c.type is kind), None)


def put(
    conditions: Iterable[Condition],
    kind: ConditionType,
    status: Status,
    reason: Reason,
    message: str,
    *,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """Return the conditions with this one set; its transition time moves only with its status."""
    before = find(conditions, kind)
    since = before.last_transition_time if before and before.status is status else now
    new = Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message[:1024],
        observed_generation=generation,
        last_transition_time=since,
    )
    kept = [c for c in conditions if c.type is not kind]
    order = list(ConditionType)
    return sorted([*kept, new], key=lambda c: order.index(c.type))

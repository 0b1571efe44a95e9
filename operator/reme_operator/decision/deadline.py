"""When a remediation must have ended. Pure."""

from datetime import datetime, timedelta

from reme_api.remediation import Remediation
from reme_operator.decision.holds import time_on_hold
from reme_operator.decision.plan_approval import waits_for_person


def deadline(remediation: Remediation, now: datetime) -> datetime | None:
    """Return when the remediation must have ended; None while its time does not count.

    The time until the latest decision of a person does not count, and neither does time on hold.
    """
    status = remediation.status
    if status.start_time is None or status.hold is not None or waits_for_person(remediation):
        return None
    decided = [record.decision_time for attempt in status.attempts for record in attempt.approvals]
    started = max([status.start_time, *decided])
    limit = timedelta(seconds=remediation.spec.policy.spec.deadline_seconds)
    return started + limit + time_on_hold(status, now)

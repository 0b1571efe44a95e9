"""Why a remediation must end now, whatever it does. Pure."""

from datetime import datetime

from reme_api.reasons import Reason
from reme_operator.decision.deadline import deadline
from reme_operator.decision.observed import Observed


def early_end(observed: Observed, now: datetime) -> tuple[Reason, str] | None:
    """Return why the remediation must end now, if it must."""
    remediation = observed.remediation
    if remediation.metadata.deletion_timestamp is not None:
        return Reason.CANCELLED, "the remediation was deleted"
    if remediation.spec.cancel:
        return Reason.CANCELLED, "spec.cancel is true"
    if observed.report_gone:
        return Reason.REPORT_DELETED, "the report was deleted"
    if observed.target_gone:
        return Reason.TARGET_DELETED, "the target was deleted"
    if observed.internal_error:
        return Reason.INTERNAL_ERROR, observed.internal_error
    until = deadline(remediation, now)
    if until is not None and now >= until:
        seconds = observed.policy.deadline_seconds
        return Reason.DEADLINE_EXCEEDED, f"not finished within {seconds} s (deadlineSeconds)"
    return None

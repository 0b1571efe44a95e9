"""What the status of a report says: pure, from the admission and from its remediations."""

from collections.abc import Sequence
from datetime import datetime

from reme_api.conditions import Status, find_condition, set_condition
from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportStatus, RemediationSummary
from reme_api.reasons import ConditionType, Reason
from reme_operator.admission.admit import Accept, Admission, AlreadyAdmitted, Refuse
from reme_operator.admission.remediation_index import RemediationInfo
from reme_operator.decision.conditions import SUCCESSES

_MOST_KEPT = 16


def compose(
    report: DiagnosisReport, admission: Admission, entries: Sequence[RemediationInfo], now: datetime
) -> DiagnosisReportStatus:
    """Return the status of the report; `entries` are its own remediations, oldest first."""
    before, generation = report.status, report.metadata.generation
    status, reason, message = _accepted(admission)
    conditions = set_condition(
        before.conditions,
        ConditionType.ACCEPTED,
        status,
        reason,
        message,
        generation=generation,
        now=now,
    )
    status, reason, message = _remediated(before, entries)
    conditions = set_condition(
        conditions,
        ConditionType.REMEDIATED,
        status,
        reason,
        message,
        generation=generation,
        now=now,
    )
    summaries = {s.name: s for s in before.remediations}
    for found in entries:
        summaries[found.name] = RemediationSummary(
            name=found.name, outcome=found.outcome, completion_time=found.completed
        )
    if isinstance(admission, Accept):
        name = admission.remediation.metadata.name
        summaries.setdefault(name, RemediationSummary(name=name))
    return DiagnosisReportStatus(
        observed_generation=generation,
        conditions=conditions,
        remediations=list(summaries.values())[-_MOST_KEPT:],
        retry_time=admission.retry_at if isinstance(admission, Refuse) else None,
        message=admission.message[:1024] if isinstance(admission, Refuse) else "",
    )


def _accepted(admission: Admission) -> tuple[Status, Reason, str]:
    if isinstance(admission, Refuse):
        return Status.FALSE, admission.reason, admission.message
    name = (
        admission.name
        if isinstance(admission, AlreadyAdmitted)
        else admission.remediation.metadata.name
    )
    return Status.TRUE, Reason.REMEDIATION_CREATED, name


def _remediated(
    before: DiagnosisReportStatus, entries: Sequence[RemediationInfo]
) -> tuple[Status, Reason, str]:
    if not entries:
        return _remembered(before)
    last = entries[-1]
    if last.outcome is None:
        return Status.UNKNOWN, Reason.IN_PROGRESS, last.name
    state = Status.TRUE if last.outcome in SUCCESSES else Status.FALSE
    return state, last.reason or Reason.INTERNAL_ERROR, f"{last.name}: {last.outcome}"


def _remembered(before: DiagnosisReportStatus) -> tuple[Status, Reason, str]:
    """Return what is still known of remediations that are gone."""
    if not before.remediations:
        return Status.UNKNOWN, Reason.PENDING, ""
    last, said = (
        before.remediations[-1],
        find_condition(before.conditions, ConditionType.REMEDIATED),
    )
    if last.outcome is None:
        return Status.FALSE, Reason.CANCELLED, f"{last.name} was deleted"
    if said is not None and said.status is not Status.UNKNOWN:
        return said.status, said.reason, said.message
    state = Status.TRUE if last.outcome in SUCCESSES else Status.FALSE
    return state, Reason.CANCELLED, f"{last.name}: {last.outcome}"

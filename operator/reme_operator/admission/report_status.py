"""The status of a report: derived from its admission and from its remediations. Pure."""

from collections.abc import Sequence
from datetime import datetime

from reme_api.conditions import Status, find_condition, set_condition
from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportStatus, RemediationSummary
from reme_api.reasons import ConditionType, Reason
from reme_operator.admission.admit import Accept, Admission, AlreadyAdmitted, Refuse
from reme_operator.admission.remediation_index import RemediationInfo
from reme_operator.decision.conditions import SUCCESSES

_MAX_SUMMARIES = 16


def report_status(
    report: DiagnosisReport,
    admission: Admission,
    remediations: Sequence[RemediationInfo],
    now: datetime,
) -> DiagnosisReportStatus:
    """Return the status of the report; `remediations` are its own, oldest first."""
    before, generation = report.status, report.metadata.generation
    conditions = before.conditions
    for condition_type, (status, reason, message) in (
        (ConditionType.ACCEPTED, _accepted(admission)),
        (ConditionType.REMEDIATED, _remediated(before, remediations)),
    ):
        conditions = set_condition(
            conditions,
            condition_type,
            status,
            reason,
            message,
            generation=generation,
            now=now,
        )
    summaries = {summary.name: summary for summary in before.remediations}
    for info in remediations:
        summaries[info.name] = RemediationSummary(
            name=info.name, outcome=info.outcome, completion_time=info.completed
        )
    if isinstance(admission, Accept):
        name = admission.remediation.metadata.name
        summaries.setdefault(name, RemediationSummary(name=name))
    return DiagnosisReportStatus(
        observed_generation=generation,
        conditions=conditions,
        remediations=list(summaries.values())[-_MAX_SUMMARIES:],
        retry_time=admission.retry_at if isinstance(admission, Refuse) else None,
        message=admission.message[:1024] if isinstance(admission, Refuse) else "",
    )


def _accepted(admission: Admission) -> tuple[Status, Reason, str]:
    if isinstance(admission, Refuse):
        return Status.FALSE, admission.reason, admission.message
    if isinstance(admission, AlreadyAdmitted):
        return Status.TRUE, Reason.REMEDIATION_CREATED, admission.name
    return Status.TRUE, Reason.REMEDIATION_CREATED, admission.remediation.metadata.name


def _remediated(
    before: DiagnosisReportStatus, remediations: Sequence[RemediationInfo]
) -> tuple[Status, Reason, str]:
    if not remediations:
        return _remediated_before(before)
    last = remediations[-1]
    if last.outcome is None:
        return Status.UNKNOWN, Reason.IN_PROGRESS, last.name
    status = Status.TRUE if last.outcome in SUCCESSES else Status.FALSE
    return status, last.reason or Reason.INTERNAL_ERROR, f"{last.name}: {last.outcome}"


def _remediated_before(before: DiagnosisReportStatus) -> tuple[Status, Reason, str]:
    """Return the condition when all remediations are deleted: from what the status still says."""
    if not before.remediations:
        return Status.UNKNOWN, Reason.PENDING, ""
    last = before.remediations[-1]
    if last.outcome is None:
        return Status.FALSE, Reason.CANCELLED, f"{last.name} was deleted"
    condition = find_condition(before.conditions, ConditionType.REMEDIATED)
    if condition is not None and condition.status is not Status.UNKNOWN:
        return condition.status, condition.reason, condition.message
    status = Status.TRUE if last.outcome in SUCCESSES else Status.FALSE
    return status, Reason.CANCELLED, f"{last.name}: {last.outcome}"

"""The status of a report: derived from its admission and from its remediations. Pure."""

from collections.abc import Sequence
from datetime import datetime

from reme_api.conditions import Status, find_condition, set_condition
from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportStatus, RemediationSummary
from reme_api.reasons import ConditionType, Reason
from reme_api.report_input import MAX_NOTES
from reme_operator.admission.admit import Accept, Admission, AlreadyAdmitted, Refuse
from reme_operator.admission.remediation_index import RemediationInfo
from reme_operator.decision.conditions import SUCCESSES

_MAX_SUMMARIES = 16
_MAX_BRIEF_CHARACTERS = 300


def report_status(
    report: DiagnosisReport,
    admission: Admission,
    remediations: Sequence[RemediationInfo],
    now: datetime,
) -> DiagnosisReportStatus:
    """Return the status of the report; `remediations` are its own, oldest first."""
    before, generation = report.status, report.metadata.generation
    conditions, notes = before.conditions, _notes(report, admission)
    for condition_type, (status, reason, message) in (
        (ConditionType.ACCEPTED, _accepted(admission, notes)),
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
        notes=notes,
        message=admission.message[:1024] if isinstance(admission, Refuse) else "",
    )


def _notes(report: DiagnosisReport, admission: Admission) -> list[str]:
    """Return the notes on this generation of the report: those of its admission are kept."""
    before = report.status
    added = admission.notes if isinstance(admission, Accept) else ()
    earlier = before.notes if before.observed_generation == report.metadata.generation else ()
    notes = dict.fromkeys([*earlier, *added, *report.spec.notes])
    return [note[:1024] for note in notes][:MAX_NOTES]


def _accepted(admission: Admission, notes: Sequence[str]) -> tuple[Status, Reason, str]:
    if isinstance(admission, Refuse):
        return Status.FALSE, admission.reason, admission.message
    name = (
        admission.name
        if isinstance(admission, AlreadyAdmitted)
        else admission.remediation.metadata.name
    )
    return Status.TRUE, Reason.REMEDIATION_CREATED, name + _brief(notes)


def _brief(notes: Sequence[str]) -> str:
    """Return the first note and how many there are, as the end of a message."""
    if not notes:
        return ""
    more = f" (and {len(notes) - 1} more in status.notes)" if len(notes) > 1 else ""
    return f"; {notes[0][:_MAX_BRIEF_CHARACTERS]}{more}"


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

"""Which reports a remediation opened for the cause of its fault. Pure.

`spec.followUpOf` is text of the report until the remediation that it names says the same in its
status. Otherwise it is ignored: the report is one like any other.
"""

from collections.abc import Iterable

from reme_api.diagnosis_report import DiagnosisReport
from reme_operator.admission.remediation_index import RemediationInfo


def parent_of(report: DiagnosisReport, infos: Iterable[RemediationInfo]) -> RemediationInfo | None:
    """Return the remediation that opened the report; None where nothing says so but the report."""
    link, meta = report.spec.follow_up_of, report.metadata
    if link is None:
        return None
    for info in infos:
        if info.uid == link.uid and info.namespace == meta.namespace:
            same = info.name == link.remediation and info.depth + 1 == link.depth
            return info if same and info.follow_up_report == meta.name else None
    return None

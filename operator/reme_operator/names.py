"""Names and labels that follow from what already exists, so that a second try finds the first."""

from hashlib import sha256

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.remediation import Remediation
from reme_playbook.execution import manifests

FINALIZER = "reme.dev/finalizer"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
PART_OF_LABEL = "app.kubernetes.io/part-of"
PROTECTED_LABEL = "reme.dev/protected"
REPORT_UID_LABEL = "reme.dev/report-uid"
REPORT_NAME_LABEL = "reme.dev/report-name"
REMEDIATION_UID_LABEL = "reme.dev/remediation-uid"
REMEDIATION_NAME_LABEL = "reme.dev/remediation-name"
REMEDIATION_NAMESPACE_LABEL = "reme.dev/remediation-namespace"
ATTEMPT_LABEL = "reme.dev/attempt"
FAILURES_ANNOTATION = "reme.dev/failures-before"
"""On a remediation: how many of its target in a row, up to its beginning, had not helped."""

_LONGEST = 63  # of a label value: the name of a remediation is one on everything that it makes


def remediation_name(report: DiagnosisReport) -> str:
    """Return the one name that a remediation of this report, as it is now, can have."""
    meta = report.metadata
    mark = sha256(f"{meta.uid}/{meta.generation}".encode()).hexdigest()[:8]
    stem = meta.name[: _LONGEST - len(mark) - 1].rstrip("-.")
    return f"{stem}-{mark}"


def run_name(remediation: Remediation, attempt: int, *, is_rollback: bool = False) -> str:
    """Return the name of the Job of an attempt, of its identity and of its grant."""
    return manifests.run_name(remediation.metadata.uid, attempt, is_rollback=is_rollback)


def text_name(remediation: Remediation, attempt: int, what: str) -> str:
    """Return the name of the ConfigMap that keeps a text of an attempt."""
    return f"{remediation.metadata.name}-{attempt}-{what}"


def clipped(value: str) -> str:
    """Return the value cut to what a label can hold."""
    return value[:_LONGEST].rstrip("-._")

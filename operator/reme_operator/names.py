"""Names and labels that follow from what exists already: a second try finds what the first made."""

from hashlib import sha256

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.remediation import Remediation

FINALIZER = "reme.dev/finalizer"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
PART_OF_LABEL = "app.kubernetes.io/part-of"
PROTECTED_LABEL = "reme.dev/protected"
REPORT_UID_LABEL = "reme.dev/report-uid"
REPORT_NAME_LABEL = "reme.dev/report-name"
REMEDIATION_UID_LABEL = "reme.dev/remediation-uid"
REMEDIATION_NAMESPACE_LABEL = "reme.dev/remediation-namespace"
FAILURES_ANNOTATION = "reme.dev/failures-before"
"""On a remediation: how many of its target in a row had not helped when it was created."""

_MAX_LABEL = 63  # the name of a remediation is a label value on everything that it creates


def remediation_name(report: DiagnosisReport) -> str:
    """Return the name of the remediation of this generation of the report."""
    meta = report.metadata
    digest = sha256(f"{meta.uid}/{meta.generation}".encode()).hexdigest()[:8]
    stem = meta.name[: _MAX_LABEL - len(digest) - 1].rstrip("-.")
    return f"{stem}-{digest}"


def follow_up_name(remediation: Remediation, kind: str, name: str) -> str:
    """Return the name of the report that a remediation opens for a workload, the cause."""
    digest = sha256(f"{remediation.metadata.uid}/{kind}/{name}".encode()).hexdigest()[:8]
    suffix = f"-cause-{digest}"
    stem = remediation.spec.report_ref.name[: _MAX_LABEL - len(suffix)].rstrip("-.")
    return f"{stem}{suffix}"


def artifact_name(remediation: Remediation, attempt: int, what: str) -> str:
    """Return the name of the ConfigMap with an artifact of an attempt."""
    return f"{remediation.metadata.name}-{attempt}-{what}"


def label_value(text: str) -> str:
    """Return the text cut to what a label can hold."""
    return text[:_MAX_LABEL].rstrip("-._")

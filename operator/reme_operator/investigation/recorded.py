"""Findings in artifacts: what the rounds of an attempt have stored, and how it is read again."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from reme_api.investigation import InspectionName
from reme_api.remediation import Attempt
from reme_kube.errors import NotFoundError, TamperedError
from reme_kube.protocols import Cluster
from reme_model.prompt.redact import short
from reme_operator.investigation.coordinator import Candidate, StoredFinding
from reme_playbook.inspections.base import MAX_FINDINGS
from reme_playbook.snapshot.finding import MAX_TEXT, Finding, FindingKind

CHOICE_KEY = "choice.json"
RESULTS_KEY = "results.json"


class InspectionOutcome(BaseModel):
    """One inspection, and what it showed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    inspection: Candidate
    findings: tuple[StoredFinding, ...] = ()


_OUTCOMES = TypeAdapter(tuple[InspectionOutcome, ...])


def stored_findings(name: InspectionName, findings: Sequence[Finding]) -> tuple[StoredFinding, ...]:
    """Return findings as they are stored: redacted once more, on one line, and bounded."""
    return tuple(
        StoredFinding(
            inspection=name,
            kind=one.kind,
            subject=one.subject,
            text=short(one.text, MAX_TEXT),
            at=one.at,
        )
        for one in findings[:MAX_FINDINGS]
    )


def results_text(outcomes: Sequence[InspectionOutcome]) -> str:
    """Return the text of the artifact of a round."""
    return _OUTCOMES.dump_json(tuple(outcomes)).decode()


def parse_results(text: str) -> tuple[InspectionOutcome, ...]:
    """Return what `results_text` has written.

    Raises:
        TamperedError: the text is something else.

    """
    try:
        return _OUTCOMES.validate_json(text)
    except ValidationError as error:
        raise TamperedError("the stored results of a round cannot be read") from error


async def recorded_results(
    cluster: Cluster, namespace: str, attempt: Attempt | None
) -> tuple[InspectionOutcome, ...]:
    """Return what all complete rounds of an attempt have shown, in order.

    Raises:
        TamperedError: an artifact is gone, or does not match its digest.

    """
    outcomes: list[InspectionOutcome] = []
    for entry in attempt.investigation if attempt else ():
        if entry.results is None:
            continue
        try:
            text = await cluster.read_artifact(namespace, entry.results)
        except NotFoundError as error:
            name = entry.results.name
            raise TamperedError(f"ConfigMap {name} with the results of a round is gone") from error
        outcomes += parse_results(text)
    return tuple(outcomes)


def findings_of(outcomes: Sequence[InspectionOutcome]) -> tuple[Finding, ...]:
    """Return the findings as the snapshot has them."""
    return tuple(one.finding() for outcome in outcomes for one in outcome.findings)


def main_finding(findings: Sequence[StoredFinding]) -> StoredFinding:
    """Return the first finding that says that something is wrong, else the first one."""
    quiet = {FindingKind.NORMAL, FindingKind.UNAVAILABLE, FindingKind.EARLIER_CHANGE}
    return next((one for one in findings if one.kind not in quiet), findings[0])

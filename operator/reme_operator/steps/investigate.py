"""The rounds of an investigation: what the coordinator chooses, and what the inspections show.

A choice is stored, with everything that it was based on, and recorded before anything is read. A
round that was interrupted is performed again: inspections only read, and the results that were
stored first are kept.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32

from pydantic import ValidationError

from reme_api.base import ArtifactReference
from reme_api.investigation import Choice, InspectionRecord, InvestigationRound
from reme_api.probes import ProbeResult
from reme_api.reasons import Reason
from reme_api.remediation import Attempt
from reme_kube.errors import TamperedError
from reme_model.prompt.context import describe_incident
from reme_model.prompt.redact import short
from reme_operator.decision.decisions import ChooseRound, RunRound
from reme_operator.decision.investigation import investigation_end, tokens_of
from reme_operator.errors import one_line
from reme_operator.investigation import recorded, view
from reme_operator.investigation.coordinator import Candidate, CoordinatorView, StoredChoice
from reme_operator.investigation.recorded import CHOICE_KEY, RESULTS_KEY, InspectionOutcome
from reme_operator.names import artifact_name
from reme_operator.snapshot.collect import read_report
from reme_operator.steps.attempt_history import latest_probes, summaries
from reme_operator.steps.context import StepContext, StepResult, clip, updated
from reme_operator.steps.current_snapshot import current_snapshot
from reme_operator.steps.earlier_artifact import earlier_artifact
from reme_playbook.inspections.base import Inspection
from reme_playbook.inspections.registry import all_candidates
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot

ROUND_TIMEOUT = timedelta(seconds=20)
"""Maximum duration of the inspections of one round: shorter than what counts as a hang."""

_MAX_ARGUMENTS = 1024


async def choose_round(context: StepContext, decision: ChooseRound) -> StepResult:
    """Ask the coordinator, and record its choice.

    A choice that an earlier process stored is used again: the coordinator is asked once per round.
    """
    number, started = decision.number, context.now()
    try:
        stored = await _stored_choice(context, number) or await _ask(context, number)
    except TamperedError as error:
        return context.reject(Reason.TAMPERED, one_line(error))
    name = _artifact_name(context, number, "choice")
    reference, text = await context.deps.cluster.store_artifact(
        context.remediation, name, CHOICE_KEY, stored.model_dump_json()
    )
    record = _round(number, StoredChoice.model_validate_json(text), reference, started)
    if record.choice is not Choice.INSPECT:
        record = updated(record, completion_time=context.now())
    return context.with_attempt(investigation=[*context.attempt.investigation, record])


async def run_round(context: StepContext, decision: RunRound) -> StepResult:
    """Perform the recorded inspections at once, store their findings and record them."""
    attempt = context.attempt
    record = attempt.investigation[-1]
    assert record.number == decision.number, "a round is recorded before it is performed"
    assert record.view is not None, "a choice is stored before it is recorded"
    try:
        text = await context.deps.cluster.read_artifact(context.namespace, record.view)
        chosen = StoredChoice.model_validate_json(text).choice.inspections
        snapshot = await current_snapshot(context)
    except (TamperedError, ValidationError) as error:
        return context.reject(Reason.TAMPERED, one_line(error))
    seconds = min(_seconds_left(context, attempt), ROUND_TIMEOUT.total_seconds())
    with context.timer.waiting():
        performed = await _inspect(context, chosen, snapshot, seconds)
    reference, text = await context.deps.cluster.store_artifact(
        context.remediation,
        _artifact_name(context, record.number, "results"),
        RESULTS_KEY,
        recorded.results_text(performed),
    )
    outcomes = recorded.parse_results(text)
    done = updated(
        record,
        completion_time=context.now(),
        inspections=[_inspection_record(one.inspection, one) for one in outcomes],
        results=reference,
    )
    return context.with_attempt(investigation=[*attempt.investigation[:-1], done])


# the choice --------------------------------------------------------------------------------------


async def _ask(context: StepContext, number: int) -> StoredChoice:
    given = await _view(context, number)
    with context.timer.waiting():
        choice = await context.deps.coordinator.choose(given)
    return StoredChoice(view=given, choice=choice)


async def _view(context: StepContext, number: int) -> CoordinatorView:
    """Return what the coordinator is given; raises TamperedError."""
    remediation, attempt, policy = context.remediation, context.attempt, context.observed.policy
    limits, earlier = policy.investigation, context.status.attempts[:-1]
    report = await read_report(context.deps.cluster, remediation)
    snapshot = await current_snapshot(context, report)
    outcomes = await recorded.recorded_results(context.deps.cluster, context.namespace, attempt)
    performed = tuple(outcome.inspection for outcome in outcomes)
    labels = {one.label for one in performed}
    candidates = (Candidate.of(inspection) for inspection in all_candidates(snapshot))
    measured: Sequence[ProbeResult] = latest_probes(context.status.baseline, earlier)
    history = summaries(earlier)
    incident = describe_incident(snapshot, report, history, measured)
    rounds_left = max(0, limits.max_rounds + 1 - number)
    return CoordinatorView(
        target=snapshot.target,
        fault=view.fault_text(report),
        attempt=attempt.number,
        round=number,
        rounds_left=rounds_left,
        max_inspections=limits.max_inspections,
        tokens_left=max(0, limits.max_tokens - tokens_of(attempt.investigation)),
        seconds_left=_seconds_left(context, attempt),
        seed=_seed(remediation.metadata.uid, attempt.number, number),
        follow_cause=limits.follow_cause,
        incident=incident,
        symptoms=view.symptoms_of(snapshot, measured),
        own_faults=view.own_faults(snapshot),
        possible_causes=view.possible_causes(snapshot, report.probes, measured, _followed(context)),
        failing_outside=view.failing_outside(snapshot),
        candidates=tuple(one for one in candidates if one.label not in labels)
        if rounds_left
        else (),
        performed=performed,
        findings=tuple(one for outcome in outcomes for one in outcome.findings),
        earlier_attempts=tuple(
            short("; ".join([*one.actions, one.result, one.message]), 300) for one in history
        ),
        fault_start=snapshot.fault_start,
    )


def _followed(context: StepContext) -> list[ObjectRef]:
    """Return the workload that a report was opened for: it is not followed again."""
    follow_up = context.status.follow_up
    if follow_up is None:
        return []
    cause = follow_up.cause
    return [ObjectRef(cause.kind, context.namespace, cause.name)]  # type: ignore[arg-type]


async def _stored_choice(context: StepContext, number: int) -> StoredChoice | None:
    """Return the choice that an earlier process stored, if it got that far."""
    name = _artifact_name(context, number, "choice")
    return await earlier_artifact(context, name, CHOICE_KEY, StoredChoice)


def _round(
    number: int, stored: StoredChoice, reference: ArtifactReference, started: datetime
) -> InvestigationRound:
    choice = stored.choice
    return InvestigationRound(
        number=number,
        start_time=started,
        coordinator=clip(choice.coordinator, 256),
        choice=choice.choice,
        message=clip(choice.message),
        reason=choice.reason,
        inspections=[_inspection_record(one) for one in choice.inspections],
        cause=choice.cause,
        view=reference,
        prompt_tokens=choice.prompt_tokens,
        completion_tokens=choice.completion_tokens,
    )


# the inspections ---------------------------------------------------------------------------------


async def _inspect(
    context: StepContext, chosen: Sequence[Candidate], snapshot: ClusterSnapshot, seconds: float
) -> list[InspectionOutcome]:
    """Perform all inspections at once; what does not end in time is Unavailable."""

    async def one(candidate: Candidate) -> InspectionOutcome:
        findings = await _findings(context, candidate, snapshot, seconds)
        stored = recorded.stored_findings(candidate.name, findings)
        return InspectionOutcome(inspection=candidate, findings=stored)

    return list(await asyncio.gather(*map(one, chosen)))


async def _findings(
    context: StepContext, candidate: Candidate, snapshot: ClusterSnapshot, seconds: float
) -> Sequence[Finding]:
    try:
        inspection: Inspection = candidate.inspection()
    except ValueError:
        return (_unavailable(candidate, "this version does not know it"),)
    if candidate.subject.namespace not in ("", context.namespace):
        return (_unavailable(candidate, "it is in another namespace"),)
    result = await context.deps.inspector.inspect(inspection, snapshot, seconds)
    return result.findings or (_unavailable(candidate, result.error or "it showed nothing"),)


def _unavailable(candidate: Candidate, why: str) -> Finding:
    text = f"{candidate.name} of {candidate.subject} could not be read: {why}"
    return Finding(FindingKind.UNAVAILABLE, candidate.subject, text)


def _inspection_record(
    candidate: Candidate, outcome: InspectionOutcome | None = None
) -> InspectionRecord:
    subject = {"kind": candidate.subject.kind, "name": candidate.subject.name}
    arguments = json.dumps({"subject": subject, **candidate.arguments}, separators=(",", ":"))
    record = InspectionRecord(name=candidate.name, arguments=clip(arguments, _MAX_ARGUMENTS))
    if outcome is None or not outcome.findings:
        return record
    main = recorded.main_finding(outcome.findings)
    return updated(record, result=str(main.kind), finding=clip(main.text))


def _seconds_left(context: StepContext, attempt: Attempt) -> float:
    """Return the time of the investigation that is left, at least one second."""
    policy, now = context.observed.policy, context.now()
    end = investigation_end(policy, attempt)
    remaining = end - now if end else timedelta(seconds=policy.investigation.max_seconds)
    return max(1.0, remaining.total_seconds())


def _artifact_name(context: StepContext, number: int, what: str) -> str:
    return artifact_name(context.remediation, context.attempt.number, f"round-{number}-{what}")


def _seed(uid: str, attempt: int, number: int) -> int:
    """Return a seed that is the same whenever this round is chosen again."""
    return crc32(f"{uid}/{attempt}/{number}".encode()) & 0x7FFFFFFF

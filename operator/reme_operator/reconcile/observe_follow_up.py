"""Reads what became of the report that a remediation opened for the cause of its fault."""

from reme_api.conditions import Status, find_condition
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.investigation import FollowUp
from reme_api.reasons import ConditionType
from reme_api.remediation import Remediation
from reme_kube.errors import NotFoundError
from reme_kube.protocols import Cluster
from reme_operator.decision.follow_up import MAX_DEPTH
from reme_operator.decision.observed import (
    ObservedFollowUp,
    follow_up_of,
    follows_cause,
    latest_attempt,
)
from reme_operator.names import remediation_name


async def observe_follow_up(cluster: Cluster, remediation: Remediation) -> ObservedFollowUp:
    """Return what the follow-up of the latest attempt depends on; nothing where there is none."""
    attempt = latest_attempt(remediation)
    if attempt is None or attempt.outcome is not None or not follows_cause(attempt):
        return ObservedFollowUp()
    follow_up = follow_up_of(remediation, attempt)
    if follow_up is None:
        return ObservedFollowUp(earlier_targets=await _earlier_targets(cluster, remediation))
    if not follow_up.uid or follow_up.completion_time is not None:
        return ObservedFollowUp()
    if follow_up.remediation:
        return await _with_remediation(cluster, remediation, follow_up, follow_up.remediation)
    return await _with_report(cluster, remediation, follow_up)


async def _with_report(
    cluster: Cluster, remediation: Remediation, follow_up: FollowUp
) -> ObservedFollowUp:
    namespace = remediation.metadata.namespace
    try:
        report = await cluster.get_object(DiagnosisReport, namespace, follow_up.report)
    except NotFoundError:
        return ObservedFollowUp(gone=True)
    if report.metadata.uid != follow_up.uid:
        return ObservedFollowUp(gone=True)
    known = report.status.remediations
    name = known[0].name if known else remediation_name(report)
    state = await _with_remediation(cluster, remediation, follow_up, name)
    if state.remediation:
        return state
    accepted = find_condition(report.status.conditions, ConditionType.ACCEPTED)
    current = report.status.observed_generation == report.metadata.generation
    if accepted is None or accepted.status is not Status.FALSE or not current:
        return ObservedFollowUp()
    return ObservedFollowUp(
        reason=accepted.reason, message=accepted.message, retry_time=report.status.retry_time
    )


async def _with_remediation(
    cluster: Cluster, remediation: Remediation, follow_up: FollowUp, name: str
) -> ObservedFollowUp:
    try:
        other = await cluster.get_object(Remediation, remediation.metadata.namespace, name)
    except NotFoundError:
        return ObservedFollowUp(remediation_gone=bool(follow_up.remediation))
    if other.spec.report_ref.uid != follow_up.uid:
        return ObservedFollowUp(remediation_gone=bool(follow_up.remediation))
    return ObservedFollowUp(
        remediation=name, outcome=other.status.outcome, outcome_message=other.status.message
    )


async def _earlier_targets(
    cluster: Cluster, remediation: Remediation
) -> tuple[tuple[str, str], ...]:
    """Return the targets of the remediations that led to this one, the nearest first."""
    targets: list[tuple[str, str]] = []
    link = remediation.spec.follow_up_of
    while link is not None and len(targets) < MAX_DEPTH:
        try:
            earlier = await cluster.get_object(
                Remediation, remediation.metadata.namespace, link.remediation
            )
        except NotFoundError:
            break
        if earlier.metadata.uid != link.uid:
            break
        targets.append((earlier.spec.target.kind.value, earlier.spec.target.name))
        link = earlier.spec.follow_up_of
    return tuple(targets)

"""Opens the report of a cause, records what became of it, and lets the probes decide."""

import asyncio
from collections.abc import Sequence

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.investigation import Cause, FollowUp
from reme_api.probes import Probe
from reme_api.reasons import Reason
from reme_kube.errors import AlreadyExistsError, ForbiddenError, InvalidError, NotFoundError
from reme_kube.events import EventType
from reme_operator.decision.decisions import (
    ConcludeFollowUp,
    CreateFollowUp,
    EndFollowUp,
    OpenFollowUp,
    RecordFollowUp,
)
from reme_operator.decision.follow_up_report import (
    cause_target,
    combine_probes,
    follow_up_report,
    is_report_of,
    probes_of_cause,
    probes_of_first,
)
from reme_operator.errors import one_line
from reme_operator.names import follow_up_name
from reme_operator.probes.derived import derived_probes, workload_ports
from reme_operator.steps.context import StepContext, StepResult, clip, updated
from reme_playbook.snapshot import unstructured, views

_ACTION = "FollowCause"


async def open_follow_up(context: StepContext, decision: OpenFollowUp) -> StepResult:
    """Record the report under the name that it will have."""
    cause = decision.cause
    return context.with_status(
        follow_up=FollowUp(
            report=follow_up_name(context.remediation, cause.kind, cause.name),
            attempt=context.attempt.number,
            cause=cause,
            start_time=context.now(),
        )
    )


async def create_follow_up(context: StepContext, _: CreateFollowUp) -> StepResult:
    """Create the report, or adopt the one that an earlier try created."""
    follow_up, cluster = _follow_up(context), context.deps.cluster
    desired = follow_up_report(context.remediation, follow_up, await _probes(context, follow_up))
    context.deps.require_leadership()
    try:
        report = await cluster.create_object(desired)
    except AlreadyExistsError:
        report = await cluster.get_object(DiagnosisReport, context.namespace, follow_up.report)
    except (ForbiddenError, InvalidError) as error:
        message = clip(f"report {follow_up.report} cannot be created: {one_line(error)}")
        return _with_follow_up(context, message=message, completion_time=context.now())
    if not is_report_of(report, context.remediation, follow_up.cause):
        message = f"another report has the name {follow_up.report}: delete it, and report again"
        return _with_follow_up(context, message=message, completion_time=context.now())
    first = context.remediation
    message = f"opened by remediation {first.metadata.name}, whose fault it may be the cause of"
    await cluster.post_event(report, EventType.NORMAL, Reason.FOLLOWING_CAUSE, _ACTION, message)
    return _with_follow_up(context, uid=report.metadata.uid)


async def record_follow_up(context: StepContext, decision: RecordFollowUp) -> StepResult:
    """Record the name of the remediation of the cause."""
    return _with_follow_up(context, remediation=decision.remediation)


async def end_follow_up(context: StepContext, decision: EndFollowUp) -> StepResult:
    """Record how the remediation of the cause ended."""
    return _with_follow_up(
        context,
        outcome=decision.outcome,
        message=clip(decision.message),
        completion_time=context.now(),
    )


async def conclude_follow_up(context: StepContext, decision: ConcludeFollowUp) -> StepResult:
    """Record what the probes of this remediation showed; nothing of it is to be undone."""
    history, started = context.observed.probe_history, context.attempt.verification
    assert history is not None, "a verdict has samples"
    assert started is not None, "a verification is started before it is concluded"
    verdict = decision.verdict
    window = history.window(verdict.verdict, context.now(), verdict.message)
    return context.with_attempt(verification=updated(window, start_time=started.start_time))


def _follow_up(context: StepContext) -> FollowUp:
    assert context.status.follow_up is not None, "this step belongs to a follow-up"
    return context.status.follow_up


def _with_follow_up(context: StepContext, **fields: object) -> StepResult:
    return context.with_status(follow_up=updated(_follow_up(context), **fields))


async def _probes(context: StepContext, follow_up: FollowUp) -> list[Probe]:
    """Return the probes that decide whether the cause is repaired.

    Where those of the cause itself fail now, they see its fault, and they decide alone: the first
    target may have a fault of its own as well. Otherwise the probes of the first target are the
    only ones that show it.
    """
    cause, first = follow_up.cause, probes_of_first(context.remediation)
    services, derived = await _of_cause(context, cause)
    own = probes_of_cause(first, cause, services, derived)
    if await _any_fails(context, own, cause):
        return combine_probes(own)
    return combine_probes(probes_of_cause(first, cause, services), first)


async def _any_fails(context: StepContext, probes: Sequence[Probe], cause: Cause) -> bool:
    target, prober = cause_target(cause), context.deps.prober
    with context.timer.waiting():
        samples = await asyncio.gather(
            *(prober.sample(probe, target, context.namespace) for probe in probes)
        )
    return any(sample.passed is False for sample in samples)


async def _of_cause(context: StepContext, cause: Cause) -> tuple[set[str], list[Probe]]:
    """Return the names of the Services that lead to the cause, and the probes derived for it."""
    cluster, namespace = context.deps.cluster, context.namespace
    try:
        workload = await cluster.workload(cause.kind, namespace, cause.name)
    except NotFoundError:
        return set(), []
    services = await cluster.services(namespace)
    ports = workload_ports(workload)
    names = {
        name
        for service in services
        if (name := unstructured.text(service, "metadata", "name")) == cause.name
        or views.selects(unstructured.strings(service, "spec", "selector"), ports.labels)
    }
    return names, derived_probes(ports, services)

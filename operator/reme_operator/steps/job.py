"""The run of an attempt, or of a rollback: created, recorded, stopped, cleaned up."""

import asyncio
from datetime import timedelta
from typing import Any

from reme_api.approval import Plan
from reme_api.reasons import Reason
from reme_api.remediation import Remediation, Run
from reme_kube.errors import (
    ForbiddenError,
    ForeignObjectError,
    InvalidError,
    NotFoundError,
    TamperedError,
)
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, JOBS, RUN_GRANTS, Json
from reme_operator.decision.decisions import CleanUp, CreateRun, RecordRun, RunKind, StopRun
from reme_operator.errors import one_line
from reme_operator.names import artifact_name
from reme_operator.steps.cleanup import RunLocation, delete_run, get_owned, revoke_rbac
from reme_operator.steps.context import StepContext, StepResult, clip, updated
from reme_operator.steps.run_request import build_run_request
from reme_operator.steps.run_state import observe_run
from reme_operator.steps.target_conflicts import find_open_remediation
from reme_playbook.errors import PlaybookError
from reme_playbook.execution.manifests import RunManifests, RunRequest, manifests
from reme_playbook.execution.result import (
    RunResult,
    UnreadableResultError,
    event_lines,
    parse_result,
)

EVENTS_KEY = "events.jsonl"

PERMANENT_ERRORS = (ForbiddenError, ForeignObjectError, InvalidError, NotFoundError, PlaybookError)
"""Errors of creating what a run needs that another try would not change."""

_GRANT_RENEWAL = timedelta(seconds=10)
"""A run that waited longer before its grant was made gets a new start: its time would be over."""

RunDecision = CreateRun | RecordRun | StopRun | CleanUp


async def create_run(context: StepContext, decision: CreateRun) -> StepResult:
    """Create, or adopt, everything that the named run needs; the Job last.

    A permanent error ends the run; an error that may pass is raised.
    """
    run = _run_of(context, decision.kind)
    cluster, uid = context.deps.cluster, context.remediation.metadata.uid
    if job := await get_owned(cluster, JOBS, run.namespace, run.name, uid):
        # Created by a process that ended before it could record it, after everything else.
        return _with_run(context, decision.kind, uid=job["metadata"]["uid"])
    if await _starts_late(context, run):
        # Recorded before a grant is made from it: another process must make the same grant.
        return _with_run(context, decision.kind, created_time=context.now())
    try:
        made = manifests(await _request(context, run, decision.kind))
        await _create_all(cluster, made.input_config_map, *_identity(made))
        # After the grant: an identity without one would be held by its roles alone.
        await _create_all(cluster, *made.role_bindings)
        if (await context.deps.switch.refresh()).on:
            await delete_run(cluster, _location(context.remediation, run))
            return StepResult()  # nothing runs while the kill switch is on; it is created later
        if decision.kind is RunKind.MANUAL_ROLLBACK:
            other = await find_open_remediation(cluster, context.remediation)
            if other:
                return _not_started(context, decision, f"remediation {other} is open")
        job = await cluster.create_or_adopt(made.job)
    except (*PERMANENT_ERRORS, TamperedError) as error:
        return _not_started(context, decision, one_line(error))
    job_uid = job["metadata"]["uid"]
    return _with_run(context, decision.kind, uid=job_uid, created_time=run.created_time)


def _not_started(context: StepContext, decision: CreateRun, message: str) -> StepResult:
    return _with_run(
        context,
        decision.kind,
        reason=Reason.RUN_NOT_STARTED,
        message=message,
        completion_time=context.now(),
    )


def _identity(made: RunManifests) -> tuple[Json, ...]:
    return made.grant, made.result_config_map, made.service_account


async def grant_rbac(context: StepContext, request: RunRequest) -> str:
    """Create, or adopt, the identity of a run with its rights, and return its name.

    The binding to its own result is created last: once the API server applies it, it applies the
    others too.
    """
    cluster, made = context.deps.cluster, manifests(request)
    await _create_all(cluster, *_identity(made))
    *others, result = made.role_bindings
    await _create_all(cluster, *others)
    await _create_all(cluster, result)
    return request.name


async def _starts_late(context: StepContext, run: Run) -> bool:
    """Return whether a run needs a new start: it was named long ago, and has no grant yet.

    A grant that exists has its deadline, and keeps it.
    """
    created = run.created_time
    if created is not None and context.now() - created < _GRANT_RENEWAL:
        return False
    uid = context.remediation.metadata.uid
    grant = await get_owned(context.deps.cluster, RUN_GRANTS, run.namespace, run.name, uid)
    return grant is None


async def _create_all(cluster: Cluster, *objects: Json) -> None:
    """Create, or adopt, all of them at once; the first error is raised when all have ended."""
    results = await asyncio.gather(
        *(cluster.create_or_adopt(manifest) for manifest in objects), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _request(context: StepContext, run: Run, kind: RunKind) -> RunRequest:
    if kind is RunKind.MANUAL_ROLLBACK:
        playbook = context.manual_rollback.playbook
        number = context.manual_rollback.attempt
    else:
        attempt, repairs = context.attempt, kind is RunKind.REPAIR
        playbook = attempt.playbook if repairs else attempt.rollback_playbook
        number = attempt.number
    assert playbook is not None, "a run is named after its playbook was stored"
    created = run.created_time or context.now()
    rollback = kind is not RunKind.REPAIR
    return await build_run_request(context, playbook, created, number, rollback=rollback)


async def record_run(context: StepContext, decision: RecordRun) -> StepResult:
    """Record how a run ended, and store its events."""
    run, uid = _run_of(context, decision.kind), context.remediation.metadata.uid
    job = await get_owned(context.deps.cluster, JOBS, run.namespace, run.name, uid)
    return await _ended(context, decision, decision.reason, job)


async def stop_run(context: StepContext, decision: StopRun) -> StepResult:
    """Revoke the rights of a run, delete its Job, and record what it did until then."""
    run, uid = _run_of(context, decision.kind), context.remediation.metadata.uid
    cluster = context.deps.cluster
    await revoke_rbac(cluster, _location(context.remediation, run))
    job = await get_owned(cluster, JOBS, run.namespace, run.name, uid)
    if job is not None:
        await cluster.delete(JOBS, run.namespace, run.name)
    state = await observe_run(cluster, run, uid)
    reason = (state.reason or decision.reason) if state.claimed else Reason.RUN_NOT_STARTED
    return await _ended(context, decision, reason, job)


async def _ended(
    context: StepContext, decision: RecordRun | StopRun, reason: Reason, job: Json | None
) -> StepResult:
    run, uid = _run_of(context, decision.kind), context.remediation.metadata.uid
    result_map = await get_owned(
        context.deps.cluster, CONFIG_MAPS, run.namespace, f"{run.name}-result", uid
    )
    data: dict[str, str] = (result_map or {}).get("data") or {}
    fields: dict[str, Any] = {
        "reason": reason,
        "message": clip(decision.message),
        "completion_time": context.now(),
    }
    if job is not None and not run.uid:
        fields["uid"] = job["metadata"]["uid"]  # it ended before its UID was recorded
    if result := _result(data):
        fields |= {
            "first_task_time": result.first_task,
            "task_count": result.tasks,
            "changed_task_count": result.changed,
        }
        if result.message and not decision.message:
            fields["message"] = clip(result.message)
    if text := event_lines(data):
        fields["events"], _ = await context.deps.cluster.store_artifact(
            context.remediation, _events_name(context, decision.kind), EVENTS_KEY, text
        )
    return _with_run(context, decision.kind, **fields)


def _events_name(context: StepContext, kind: RunKind) -> str:
    if kind is RunKind.MANUAL_ROLLBACK:
        rollback = context.manual_rollback
        number, what = rollback.attempt, f"manual-rollback-{rollback.number}-events"
    else:
        number = context.attempt.number
        what = "events" if kind is RunKind.REPAIR else "rollback-events"
    return artifact_name(context.remediation, number, what)


def _result(data: dict[str, str]) -> RunResult | None:
    try:
        return parse_result(data)
    except UnreadableResultError:
        return None


async def clean_up(context: StepContext, decision: CleanUp) -> StepResult:
    """Delete what a run needed: its rights first, its result last."""
    remediation, cluster = context.remediation, context.deps.cluster
    if decision.kind is RunKind.MANUAL_ROLLBACK:
        await delete_run(cluster, _location(remediation, _run_of(context, decision.kind)))
        return _with_run(context, decision.kind, cleaned_up=True)
    attempt = context.status.attempts[decision.attempt - 1]
    field = _CLEANED_UP_FIELDS[decision.kind]
    run = getattr(attempt, field)
    assert run is not None, "only a run that was named is cleaned up"
    await delete_run(cluster, _location(remediation, run))
    cleaned = updated(attempt, **{field: updated(run, cleaned_up=True)})
    attempts = [cleaned if a.number == attempt.number else a for a in context.status.attempts]
    return context.with_status(attempts=attempts)


_CLEANED_UP_FIELDS = {
    RunKind.REPAIR: "run",
    RunKind.ROLLBACK: "rollback",
    RunKind.DRY_RUN: "plan",
}


def _location(remediation: Remediation, run: Run | Plan) -> RunLocation:
    meta = remediation.metadata
    return RunLocation(run.name, run.namespace, meta.namespace, meta.uid)


def _run_of(context: StepContext, kind: RunKind) -> Run:
    match kind:
        case RunKind.MANUAL_ROLLBACK:
            run = context.manual_rollback.run
        case RunKind.ROLLBACK:
            run = context.attempt.rollback
        case RunKind.REPAIR | RunKind.DRY_RUN:
            run = context.attempt.run
    assert run is not None, "a run is named before anything is done about it"
    return run


def _with_run(context: StepContext, kind: RunKind, **fields: Any) -> StepResult:
    run = updated(_run_of(context, kind), **fields)
    match kind:
        case RunKind.MANUAL_ROLLBACK:
            return context.with_manual_rollback(run=run)
        case RunKind.ROLLBACK:
            return context.with_attempt(rollback=run)
        case RunKind.REPAIR | RunKind.DRY_RUN:
            return context.with_attempt(run=run)

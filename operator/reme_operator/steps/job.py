"""The run of an attempt, or of its undo: made, watched, stopped, cleaned up."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from reme_api.approval import Plan
from reme_api.base import ArtifactReference
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
from reme_kube.resources import (
    CONFIG_MAPS,
    JOBS,
    PODS,
    RUN_GRANTS,
    Json,
)
from reme_operator.decision.decisions import CleanUp, CreateRun, RecordRun, StopRun
from reme_operator.decision.observed import JobState, ObservedRun
from reme_operator.errors import one_line
from reme_operator.names import run_name, text_name
from reme_operator.settings import OperatorSettings
from reme_operator.steps.cleanup import RunLocation, delete_run, own, revoke_rbac
from reme_operator.steps.context import StepContext, StepResult, clip
from reme_operator.steps.target_conflicts import find_open_remediation
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollback import Rollback
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.errors import PlaybookError
from reme_playbook.execution.manifests import RunManifests, RunRequest, manifests
from reme_playbook.execution.pod import PodOptions
from reme_playbook.execution.result import (
    RunResult,
    UnreadableResultError,
    event_lines,
    parse_claim,
    parse_result,
)
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.revisions import RevisionNotFoundError, chosen, revisions
from reme_playbook.snapshot.views import pod

_DOES_NOT_START = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}

EVENTS_KEY = "events.jsonl"

PERMANENT_ERRORS = (ForbiddenError, ForeignObjectError, InvalidError, NotFoundError, PlaybookError)
"""How making what a run needs may end, so that trying again would not help."""

_HELD_FOR_LONG = timedelta(seconds=10)


async def observe_run(cluster: Cluster, namespace: str, run: Run, uid: str) -> ObservedRun:
    """Return what can be seen of a run: the Job first, so that a result it left is seen too."""
    job = await own(cluster, JOBS, namespace, run.name, uid)
    data = await own(cluster, CONFIG_MAPS, namespace, f"{run.name}-result", uid)
    state, message = _job_state(job)
    if job is not None and run.uid and job["metadata"]["uid"] != run.uid:
        state = JobState.ABSENT  # a Job of this name that is not the one that was recorded
    if data is None:
        return ObservedRun(job=state, message=message)
    try:
        result = parse_result(data.get("data") or {})
        taken = parse_claim(data.get("data") or {}) is not None
    except UnreadableResultError as error:
        return ObservedRun(job=state, claimed=True, message=one_line(error))
    if result is not None and result.ended:
        return ObservedRun(state, claimed=True, reason=result.reason, message=result.message)
    taken = taken or result is not None
    stuck = ""
    if state is JobState.ACTIVE and not taken:
        pods = await cluster.list_resource(
            PODS, namespace, {"batch.kubernetes.io/job-name": run.name}
        )
        stuck = next(filter(None, map(_stuck, pods)), "")
    return ObservedRun(job=state, claimed=taken, message=message, stuck=stuck)


def _stuck(found: Json) -> str:
    """Return why a pod does not start; empty while it may just be on its way."""
    observed = pod(found)
    if observed.unscheduled:
        return f"no node takes it: {observed.unscheduled}"
    waiting = next((c for c in observed.containers if c.waiting in _DOES_NOT_START), None)
    return f"{waiting.waiting}: {waiting.waiting_message}" if waiting else ""


def _job_state(job: Json | None) -> tuple[JobState, str]:
    if job is None:
        return JobState.ABSENT, ""
    for condition in job.get("status", {}).get("conditions", []):
        if condition.get("status") != "True":
            continue
        message = str(condition.get("message", ""))
        if condition.get("type") == "Complete":
            return JobState.COMPLETE, message
        if condition.get("type") == "Failed":
            overdue = condition.get("reason") == "DeadlineExceeded"
            return (JobState.OVERDUE if overdue else JobState.FAILED), message
    return JobState.ACTIVE, ""


async def create_run(context: StepContext, decision: CreateRun) -> StepResult:
    """Make, or adopt, everything that the named run needs; the Job last.

    What refuses for good becomes the end of the run; what may pass is raised.
    """
    run = _run_of(context, decision)
    cluster, uid = context.deps.cluster, context.remediation.metadata.uid
    if job := await own(cluster, JOBS, run.namespace, run.name, uid):
        # Made by a process that ended before it could say so: all the rest was there before it.
        return _changed(context, decision, uid=job["metadata"]["uid"])
    renewed = await _renewed(context, run)
    if renewed is not run:
        # Written down before a grant is made from it: whoever goes on must make the same grant.
        return _changed(context, decision, created_time=renewed.created_time)
    try:
        made = manifests(await _made(context, run, decision))
        await _create(cluster, made.input_config_map, *_rights(made))
        # After the grant: a bound identity without one would be held by its roles alone.
        await _create(cluster, *made.role_bindings)
        if (await context.deps.switch.refresh()).on:
            await delete_run(cluster, _place(context.remediation, run))
            return StepResult()  # nothing runs while the kill switch is on; it is made anew later
        if decision.manual and (other := await find_open_remediation(cluster, context.remediation)):
            return _not_started(context, decision, f"remediation {other} is open")
        job = await cluster.create_or_adopt(made.job)
    except (*PERMANENT_ERRORS, TamperedError) as error:
        return _not_started(context, decision, one_line(error))
    uid = job["metadata"]["uid"]
    return _changed(context, decision, uid=uid, created_time=run.created_time)


def _not_started(context: StepContext, decision: CreateRun, message: str) -> StepResult:
    reason, now = Reason.RUN_NOT_STARTED, context.now()
    return _changed(context, decision, reason=reason, message=message, completion_time=now)


def _rights(made: RunManifests) -> tuple[Json, ...]:
    return made.grant, made.result_config_map, made.service_account


async def grant_rbac(context: StepContext, asked: RunRequest) -> str:
    """Make, or adopt, the identity of a run with its rights, and return its name.

    The binding to its own result is made last: whoever sees the API server know it knows that the
    server knows the others too.
    """
    cluster, made = context.deps.cluster, manifests(asked)
    await _create(cluster, *_rights(made))
    *others, result = made.role_bindings
    await _create(cluster, *others)
    await _create(cluster, result)
    return asked.name


async def _renewed(context: StepContext, run: Run) -> Run:
    """Return a run that was held for long with a new beginning: its grant would be over already.

    One whose grant is there has its deadline, and keeps it.
    """
    begun, cluster = run.created_time, context.deps.cluster
    if begun is not None and context.now() - begun < _HELD_FOR_LONG:
        return run
    if await own(cluster, RUN_GRANTS, run.namespace, run.name, context.remediation.metadata.uid):
        return run
    return run.model_copy(update={"created_time": context.now()})


async def _create(cluster: Cluster, *manifests: Json) -> None:
    """Create, or adopt, all of them at once; the first that fails is raised when all have ended."""
    done = await asyncio.gather(
        *(cluster.create_or_adopt(manifest) for manifest in manifests), return_exceptions=True
    )
    for result in done:
        if isinstance(result, BaseException):
            raise result


async def _made(context: StepContext, run: Run, decision: CreateRun) -> RunRequest:
    manual, attempt = context.hand_undo if decision.manual else None, context.attempt
    reference = attempt.rollback_playbook if decision.undo else attempt.playbook
    number = attempt.number
    if manual is not None:
        reference, number = manual.playbook, manual.attempt
    assert reference is not None, "a run is named after its playbook was kept"
    created = run.created_time or context.now()
    return await build_run_request(context, reference, created, number, undo=decision.undo)


async def build_run_request(
    context: StepContext,
    playbook: ArtifactReference,
    created: datetime,
    number: int,
    *,
    undo: bool = False,
) -> RunRequest:
    """Return everything that the objects of a run follow from.

    Raises:
        SandboxError: the playbook that was kept is none any more.
        ClusterError: it cannot be read.

    """
    remediation = context.remediation
    policy = remediation.spec.policy.spec
    text = await context.deps.cluster.read_artifact(context.namespace, playbook)
    limits = policy.sandbox
    if undo:
        longest = max(10, policy.rollback.timeout_seconds)
        limits = limits.model_copy(update={"deadline_seconds": longest})
    settings = context.deps.settings
    actions = compile_playbook(text, for_rollback=undo)
    return RunRequest(
        remediation_uid=remediation.metadata.uid,
        remediation_name=remediation.metadata.name,
        target_namespace=context.namespace,
        attempt=number,
        actions=actions,
        templates=await _templates(context.deps.cluster, actions),
        created=created,
        release_namespace=settings.release_namespace,
        image=settings.sandbox_image,
        sandbox=limits,
        is_rollback=undo,
        role_kind=settings.run_role_kind,
        role_prefix=settings.run_role_prefix,
        pod=PodOptions(
            image_pull_policy=settings.sandbox_image_pull_policy,
            image_pull_secrets=settings.sandbox_image_pull_secrets,
        ),
    )


async def _templates(cluster: Cluster, actions: Sequence[Action]) -> dict[ObjectRef, Json]:
    """Return the pod templates that rollbacks go back to; the fence admits no other."""
    found: dict[ObjectRef, Json] = {}
    for target, number in ((a.target, a.revision) for a in actions if isinstance(a, Rollback)):
        workload = await cluster.workload(target.kind, target.namespace, target.name)
        known = revisions(workload, target.kind, await cluster.revisions(workload))
        with contextlib.suppress(
            RevisionNotFoundError
        ):  # without it the run is refused, and says so
            found[target] = dict(chosen(workload, known, number).template)
    return found


async def record_run(context: StepContext, decision: RecordRun) -> StepResult:
    """Record how a run ended, and keep its events."""
    run = _run_of(context, decision)
    uid = context.remediation.metadata.uid
    job = await own(context.deps.cluster, JOBS, run.namespace, run.name, uid)
    return await _ended(context, decision, decision.reason, job)


async def stop_run(context: StepContext, decision: StopRun) -> StepResult:
    """Take the rights of a run away, stop its Job, and record what it had done until then."""
    run, cluster = _run_of(context, decision), context.deps.cluster
    await revoke_rbac(cluster, _place(context.remediation, run))
    job = await own(cluster, JOBS, run.namespace, run.name, context.remediation.metadata.uid)
    if job is not None:
        await cluster.delete(JOBS, run.namespace, run.name)
    observed = await observe_run(cluster, run.namespace, run, context.remediation.metadata.uid)
    reason = decision.reason
    if not observed.claimed:
        reason = Reason.RUN_NOT_STARTED
    elif observed.reason is not None:
        reason = observed.reason
    return await _ended(context, decision, reason, job)


async def _ended(
    context: StepContext, decision: RecordRun | StopRun, reason: Reason, job: Json | None
) -> StepResult:
    run, message, uid = (
        _run_of(context, decision),
        decision.message,
        context.remediation.metadata.uid,
    )
    found = await own(context.deps.cluster, CONFIG_MAPS, run.namespace, f"{run.name}-result", uid)
    data: dict[str, str] = (found or {}).get("data") or {}
    update: dict[str, object] = {
        "reason": reason,
        "message": clip(message),
        "completion_time": context.now(),
    }
    if job is not None and not run.uid:
        update["uid"] = job["metadata"]["uid"]  # it ended before anybody had written down who it is
    if result := _readable(data):
        update |= {
            "first_task_time": result.first_task,
            "task_count": result.tasks,
            "changed_task_count": result.changed,
        }
        if result.message and not message:
            update["message"] = clip(result.message)
    if text := event_lines(data):
        number, what = context.attempt.number, "undo-events" if decision.undo else "events"
        if decision.manual:
            number, what = context.hand_undo.attempt, f"undo-{context.hand_undo.number}-events"
        name = text_name(context.remediation, number, what)
        update["events"], _ = await context.deps.cluster.store_artifact(
            context.remediation, name, EVENTS_KEY, text
        )
    return _changed(context, decision, **update)


def _readable(data: dict[str, str]) -> RunResult | None:
    try:
        return parse_result(data)
    except UnreadableResultError:
        return None


async def clean_up(context: StepContext, decision: CleanUp) -> StepResult:
    """Remove what a run needed: its rights first, what it left behind last."""
    remediation = context.remediation
    if decision.manual:
        run = _run_of(context, decision)
        await delete_run(context.deps.cluster, _place(remediation, run))
        return _changed(context, decision, cleaned_up=True)
    attempt = remediation.status.attempts[decision.attempt - 1]
    field = "plan" if decision.plan else "rollback" if decision.undo else "run"
    run = getattr(attempt, field)
    assert run is not None, "only a run that was named is cleaned up"
    await delete_run(context.deps.cluster, _place(remediation, run))
    cleaned = attempt.model_copy(update={field: run.model_copy(update={"cleaned_up": True})})
    attempts = [cleaned if a.number == attempt.number else a for a in remediation.status.attempts]
    return StepResult(remediation.status.model_copy(update={"attempts": attempts}))


def _place(remediation: Remediation, run: Run | Plan) -> RunLocation:
    meta = remediation.metadata
    return RunLocation(run.name, run.namespace, meta.namespace, meta.uid)


def new_run(settings: OperatorSettings, name: str, now: datetime) -> Run:
    """Return the record of a run that does not exist yet."""
    return Run(name=name, namespace=settings.release_namespace, created_time=_rounded(now))


def new_plan(context: StepContext, attempt: int) -> Plan:
    """Return the record of a dry run that was not made yet, under the name of the run."""
    return Plan(
        name=run_name(context.remediation, attempt),
        namespace=context.deps.settings.release_namespace,
        created_time=_rounded(context.now()),
    )


def _rounded(now: datetime) -> datetime:
    # Whole milliseconds, as the status keeps them: the grant is derived from this time.
    return now - timedelta(microseconds=now.microsecond % 1000)


def _run_of(context: StepContext, decision: CreateRun | RecordRun | StopRun | CleanUp) -> Run:
    attempt, manual = context.attempt, decision.manual
    run = context.hand_undo.run if manual else attempt.rollback if decision.undo else attempt.run
    assert run is not None, "a run is named before anything is done about it"
    return run


def _changed(
    context: StepContext, decision: CreateRun | RecordRun | StopRun | CleanUp, **fields: object
) -> StepResult:
    changed = _run_of(context, decision).model_copy(update=fields)
    if decision.manual:
        return StepResult(context.with_manual_rollback(run=changed))
    return StepResult(context.revised(**{"rollback" if decision.undo else "run": changed}))

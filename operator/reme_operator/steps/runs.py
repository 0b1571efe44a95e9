"""The run of an attempt, or of its undo: made, watched, stopped, cleaned up."""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.reasons import Reason
from reme_api.remediation import Remediation, Run
from reme_operator.clients.errors import (
    ForbiddenError,
    ForeignObjectError,
    InvalidError,
    NotFoundError,
    TamperedError,
)
from reme_operator.clients.protocols import Cluster, Json
from reme_operator.clients.resources import (
    CLUSTER_ROLE_BINDINGS,
    CONFIG_MAPS,
    JOBS,
    PODS,
    ROLE_BINDINGS,
    RUN_GRANTS,
    SERVICE_ACCOUNTS,
    Resource,
)
from reme_operator.decisions import CleanUp, CreateRun, RecordRun, StopRun
from reme_operator.errors import brief
from reme_operator.names import REMEDIATION_UID_LABEL, text_name
from reme_operator.observed import JobState, RunSeen
from reme_operator.settings import OperatorSettings
from reme_operator.steps.work import Effect, Work, clip
from reme_sandbox.compiler import compile_playbook
from reme_sandbox.errors import SandboxError
from reme_sandbox.job import RESULT_ROLE, RunManifests, RunRequest, manifests
from reme_sandbox.pod import PodOptions
from reme_sandbox.result import RunResult, UnreadableResultError, claimed, events, parse
from reme_sandbox.rights import CLUSTER_ROLES, RUN_ROLES
from reme_sandbox.views import pod

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


async def look_at_run(cluster: Cluster, namespace: str, run: Run, uid: str) -> RunSeen:
    """Return what can be seen of a run: the Job first, so that a result it left is seen too."""
    job = await _own(cluster, JOBS, namespace, run.name, uid)
    data = await _own(cluster, CONFIG_MAPS, namespace, f"{run.name}-result", uid)
    state, message = _job_state(job)
    if job is not None and run.uid and job["metadata"]["uid"] != run.uid:
        state = JobState.ABSENT  # a Job of this name that is not the one that was recorded
    if data is None:
        return RunSeen(job=state, message=message)
    try:
        result = parse(data.get("data") or {})
        taken = claimed(data.get("data") or {}) is not None
    except UnreadableResultError as error:
        return RunSeen(job=state, claimed=True, message=brief(error))
    if result is not None and result.ended:
        return RunSeen(state, claimed=True, reason=result.reason, message=result.message)
    taken = taken or result is not None
    stuck = ""
    if state is JobState.ACTIVE and not taken:
        pods = await cluster.find(PODS, namespace, {"batch.kubernetes.io/job-name": run.name})
        stuck = next(filter(None, map(_stuck, pods)), "")
    return RunSeen(job=state, claimed=taken, message=message, stuck=stuck)


def _stuck(found: Json) -> str:
    """Return why a pod does not start; empty while it may just be on its way."""
    seen = pod(found)
    if seen.unscheduled:
        return f"no node takes it: {seen.unscheduled}"
    waiting = next((c for c in seen.containers if c.waiting in _DOES_NOT_START), None)
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


async def create_run(work: Work, decision: CreateRun) -> Effect:
    """Make, or adopt, everything that the named run needs; the Job last.

    What refuses for good becomes the end of the run; what may pass is raised.
    """
    run = work.attempt.undo if decision.undo else work.attempt.run
    assert run is not None, "a run is named before it is created"
    cluster, uid = work.tools.cluster, work.remediation.metadata.uid
    if job := await _own(cluster, JOBS, run.namespace, run.name, uid):
        # Made by a process that ended before it could say so: all the rest was there before it.
        return _changed(work, decision.undo, uid=job["metadata"]["uid"])
    try:
        made = await _made(work, undo=decision.undo)
        await _create(
            cluster,
            made.grant,
            made.input_config_map,
            made.result_config_map,
            made.service_account,
        )
        # After the grant: a bound identity without one would be held by its roles alone.
        await _create(cluster, *made.role_bindings)
        job = await cluster.create_or_adopt(made.job)
    except (
        ForbiddenError,
        ForeignObjectError,
        InvalidError,
        NotFoundError,
        SandboxError,
        TamperedError,
    ) as error:
        return _changed(
            work,
            decision.undo,
            reason=Reason.RUN_NOT_STARTED,
            message=brief(error),
            completion_time=work.now(),
        )
    return _changed(work, decision.undo, uid=job["metadata"]["uid"])


async def _create(cluster: Cluster, *manifests: Json) -> None:
    """Create, or adopt, all of them at once; the first that fails is raised when all have ended."""
    done = await asyncio.gather(
        *(cluster.create_or_adopt(manifest) for manifest in manifests), return_exceptions=True
    )
    for result in done:
        if isinstance(result, BaseException):
            raise result


async def _made(work: Work, *, undo: bool) -> RunManifests:
    remediation, attempt = work.remediation, work.attempt
    policy = remediation.spec.policy.spec
    reference = attempt.undo_playbook if undo else attempt.playbook
    run = attempt.undo if undo else attempt.run
    assert reference is not None, "a run is named after its playbook was kept"
    assert run is not None, "a run is named before it is created"
    text = await work.tools.cluster.read_text(work.namespace, reference)
    limits = policy.sandbox
    if undo:
        longest = max(10, policy.rollback.timeout_seconds)
        limits = limits.model_copy(update={"deadline_seconds": longest})
    settings = work.tools.settings
    request = RunRequest(
        remediation_uid=remediation.metadata.uid,
        remediation_name=remediation.metadata.name,
        target_namespace=work.namespace,
        attempt=attempt.number,
        actions=compile_playbook(text, allow_undo=undo),
        created=run.created_time or work.now(),
        release_namespace=run.namespace,
        image=settings.sandbox_image,
        sandbox=limits,
        undo=undo,
        role_kind=settings.run_role_kind,
        role_prefix=settings.run_role_prefix,
        pod=PodOptions(
            image_pull_policy=settings.sandbox_image_pull_policy,
            image_pull_secrets=settings.sandbox_image_pull_secrets,
        ),
    )
    return manifests(request)


async def record_run(work: Work, decision: RecordRun) -> Effect:
    """Record how a run ended, and keep its events."""
    run = work.attempt.undo if decision.undo else work.attempt.run
    assert run is not None, "only a run that was named is recorded"
    return await _ended(work, run, decision.undo, decision.reason, decision.message)


async def stop_run(work: Work, decision: StopRun) -> Effect:
    """Take the rights of a run away, stop its Job, and record what it had done until then."""
    run = work.attempt.undo if decision.undo else work.attempt.run
    assert run is not None, "only a run that was named is stopped"
    cluster = work.tools.cluster
    await take_rights(cluster, _place(work.remediation, run))
    if await _own(cluster, JOBS, run.namespace, run.name, work.remediation.metadata.uid):
        await cluster.delete(JOBS, run.namespace, run.name)
    seen = await look_at_run(cluster, run.namespace, run, work.remediation.metadata.uid)
    reason = decision.reason
    if not seen.claimed:
        reason = Reason.RUN_NOT_STARTED
    elif seen.reason is not None:
        reason = seen.reason
    return await _ended(work, run, decision.undo, reason, decision.message)


async def _ended(work: Work, run: Run, undo: bool, reason: Reason, message: str) -> Effect:
    uid = work.remediation.metadata.uid
    found = await _own(work.tools.cluster, CONFIG_MAPS, run.namespace, f"{run.name}-result", uid)
    data: dict[str, str] = (found or {}).get("data") or {}
    update: dict[str, object] = {
        "reason": reason,
        "message": clip(message),
        "completion_time": work.now(),
    }
    if result := _readable(data):
        update |= {
            "first_task_time": result.first_task,
            "tasks": result.tasks,
            "changed": result.changed,
        }
        if result.message and not message:
            update["message"] = clip(result.message)
    if text := events(data):
        name = text_name(work.remediation, work.attempt.number, "undo-events" if undo else "events")
        update["events"], _ = await work.tools.cluster.keep_text(
            work.remediation, name, EVENTS_KEY, text
        )
    return _changed(work, undo, **update)


def _readable(data: dict[str, str]) -> RunResult | None:
    try:
        return parse(data)
    except UnreadableResultError:
        return None


async def clean_up(work: Work, decision: CleanUp) -> Effect:
    """Remove what a run needed: its rights first, what it left behind last."""
    remediation = work.remediation
    attempt = remediation.status.attempts[decision.attempt - 1]
    run = attempt.undo if decision.undo else attempt.run
    assert run is not None, "only a run that was named is cleaned up"
    await remove_run(work.tools.cluster, _place(remediation, run))
    field = "undo" if decision.undo else "run"
    cleaned = attempt.model_copy(update={field: run.model_copy(update={"cleaned_up": True})})
    attempts = [cleaned if a.number == attempt.number else a for a in remediation.status.attempts]
    return Effect(remediation.status.model_copy(update={"attempts": attempts}))


class Place(NamedTuple):
    """Where the objects of a run are."""

    run: str
    release_namespace: str
    target_namespace: str
    uid: str  # of the remediation that they belong to


def _place(remediation: Remediation, run: Run) -> Place:
    meta = remediation.metadata
    return Place(run.name, run.namespace, meta.namespace, meta.uid)


async def remove_run(cluster: Cluster, place: Place) -> None:
    """Remove everything of a run that is there and belongs to its remediation."""
    await take_rights(cluster, place)
    # The claim goes last: while it is there, no Job of this run can begin a second time.
    await _remove(cluster, JOBS, place, place.run)
    await asyncio.gather(
        _remove(cluster, SERVICE_ACCOUNTS, place, place.run),
        _remove(cluster, CONFIG_MAPS, place, f"{place.run}-input"),
        _remove(cluster, CONFIG_MAPS, place, f"{place.run}-result"),
    )


async def take_rights(cluster: Cluster, place: Place) -> None:
    """Remove the RoleBindings, then the grant: without a grant RBAC alone would decide."""
    roles = sorted({*RUN_ROLES, RESULT_ROLE} - CLUSTER_ROLES)
    await asyncio.gather(
        *(_take_everywhere(cluster, place, f"{place.run}-{role}") for role in CLUSTER_ROLES),
        *(
            _remove(
                cluster,
                ROLE_BINDINGS,
                place,
                f"{place.run}-{role}",
                place.release_namespace if role == RESULT_ROLE else place.target_namespace,
            )
            for role in roles
        ),
    )
    await _remove(cluster, RUN_GRANTS, place, place.run)


async def _take_everywhere(cluster: Cluster, place: Place, name: str) -> None:
    # Where reme watches only some namespaces it may not ask, and has never made one.
    with contextlib.suppress(ForbiddenError):
        found = await _own(cluster, CLUSTER_ROLE_BINDINGS, "", name, place.uid)
        if found is not None:
            await cluster.delete(CLUSTER_ROLE_BINDINGS, "", name, found["metadata"].get("uid"))


async def _remove(
    cluster: Cluster, resource: Resource, place: Place, name: str, namespace: str = ""
) -> None:
    where = namespace or place.release_namespace
    found = await _own(cluster, resource, where, name, place.uid)
    if found is not None:
        await cluster.delete(resource, where, name, found["metadata"].get("uid"))


async def _own(
    cluster: Cluster, resource: Resource, namespace: str, name: str, uid: str
) -> Json | None:
    """Return the object if it exists and belongs to the remediation of that UID."""
    try:
        found = await cluster.get(resource, namespace, name)
    except NotFoundError:
        return None
    labels = found["metadata"].get("labels") or {}
    return found if labels.get(REMEDIATION_UID_LABEL) == uid else None


def named_run(settings: OperatorSettings, name: str, now: datetime) -> Run:
    """Return the record of a run that does not exist yet."""
    # Whole milliseconds, as the status keeps them: the grant is derived from this time.
    rounded = now - timedelta(microseconds=now.microsecond % 1000)
    return Run(name=name, namespace=settings.release_namespace, created_time=rounded)


def _changed(work: Work, undo: bool, **fields: object) -> Effect:
    run = work.attempt.undo if undo else work.attempt.run
    assert run is not None, "only a run that was named changes"
    changed = run.model_copy(update=fields)
    return Effect(work.revised(**{"undo" if undo else "run": changed}))

"""The dry run of a playbook: what the run would change, by the API server under the run's identity.

First the run's identity gets its rights, and one write that they do not include is tried: only when
the run admission policy denies it are the others trusted to be bounded by it. What the API server
rejects in the dry run, it would reject in the run. Nothing here changes an object of anybody.
"""

import itertools
import json
from collections.abc import Sequence

from reme_api.base import ArtifactReference
from reme_api.content_types import MERGE_PATCH
from reme_api.reasons import Reason
from reme_api.remediation import Change
from reme_kube.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TamperedError,
)
from reme_kube.protocols import DryRun
from reme_kube.resources import Json
from reme_operator.decision.decisions import RenewPlan, RunDryRun
from reme_operator.errors import one_line
from reme_operator.names import artifact_name
from reme_operator.steps.context import StepContext, StepResult, updated
from reme_operator.steps.job import PERMANENT_ERRORS, grant_rbac
from reme_operator.steps.run_request import build_run_request, new_plan
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution import plan_record
from reme_playbook.execution.dry_run import DryRunTask, dry_run_tasks, requests
from reme_playbook.execution.manifests import RunRequest
from reme_playbook.snapshot import object_diff
from reme_playbook.snapshot.object_diff import Difference

PLAN_KEY = "plan.json"
FORBIDDEN_WRITE = {"data": {"canary": ""}}
"""A field of the run's own result that no grant includes."""

MAX_ARTIFACT_CHARACTERS = 512 * 1024
"""Half of what a ConfigMap can hold."""

_ENFORCEMENT_SECONDS = 5.0
_RETRY_SECONDS = 0.02
_TRIES = 5


class GrantNotEnforcedError(Exception):
    """The API server would let the run write what its grant does not include."""


class _RejectedTaskError(Exception):
    """The API server would reject a task of the run."""


async def renew_plan(context: StepContext, _: RenewPlan) -> StepResult:
    """Name another dry run; until it is complete, the result of the last one stays visible."""
    plan = new_plan(context)
    if before := context.attempt.plan:
        plan = updated(
            plan,
            digest=before.digest,
            omitted_changes=before.omitted_changes,
            full_changes=before.full_changes,
        )
    return context.with_attempt(plan=plan)


async def run_dry_run(context: StepContext, _: RunDryRun) -> StepResult:
    """Grant the run its rights, dry-run each of its tasks, and record what they would change."""
    attempt, cluster = context.attempt, context.deps.cluster
    assert attempt.plan is not None, "a plan is named before its rights are granted"
    assert attempt.playbook is not None, "a playbook is stored before it is planned"
    try:
        run = await build_run_request(
            context, attempt.playbook, attempt.plan.created_time, attempt.number
        )
        identity = await grant_rbac(context, run)
        async with cluster.dry_run_as(run.release_namespace, identity) as server:
            await _require_enforcement(context, server, run)
            differences = [
                difference
                for task in dry_run_tasks(run.actions, run.name)
                for difference in await _dry_run_task(context, server, task, run.name)
            ]
    except RejectedPlaybookError as error:
        return context.reject(error.rule, error.message)
    except _RejectedTaskError as error:
        return context.reject(Reason.DRY_RUN_REFUSED, str(error))
    except TamperedError as error:
        return context.reject(Reason.TAMPERED, one_line(error))
    except (*PERMANENT_ERRORS, GrantNotEnforcedError) as error:
        return context.reject(Reason.RUN_NOT_STARTED, one_line(error))
    shown = plan_record.changes(differences)[: plan_record.MAX_CHANGES]
    plan = updated(
        attempt.plan,
        completion_time=context.now(),
        digest=plan_record.digest(attempt.playbook.digest, differences),
        omitted_changes=len(differences) - len(shown),
        full_changes=await _store_all_changes(context, attempt.playbook, differences),
    )
    return context.with_attempt(plan=plan, changes=shown)


async def _require_enforcement(context: StepContext, server: DryRun, run: RunRequest) -> None:
    """Return once the API server holds this identity to its grant.

    Raises:
        GrantNotEnforcedError: it does not, as when the chart's admission policies are missing.

    """
    path = f"/api/v1/namespaces/{run.release_namespace}/configmaps/{run.name}-result"
    clock, response = context.deps.clock, ""
    until = clock.monotonic() + _ENFORCEMENT_SECONDS
    while True:
        try:
            await server.send("PATCH", path, FORBIDDEN_WRITE, MERGE_PATCH)
            response = "the write was allowed"
        except ForbiddenError as error:
            response = one_line(error)
            if "ValidatingAdmissionPolicy" in response:
                return
        except InvalidError as error:
            response = one_line(error)
        if clock.monotonic() >= until:
            raise GrantNotEnforcedError(
                f"the API server does not hold the run to its grant: {response}"
            )
        await clock.sleep(_RETRY_SECONDS)


async def _dry_run_task(
    context: StepContext, server: DryRun, task: DryRunTask, run_name: str
) -> list[Difference]:
    """Return what one task would change.

    Raises:
        _RejectedTaskError: the API server would reject it.
        RejectedPlaybookError: it cannot even be sent.

    """
    try:
        return await _dry_run_consistently(context, server, task, run_name)
    except (ForbiddenError, InvalidError, NotFoundError, ConflictError) as error:
        raise _RejectedTaskError(f"{task.target}: {one_line(error, 900)}") from error


async def _dry_run_consistently(
    context: StepContext, server: DryRun, task: DryRunTask, run_name: str
) -> list[Difference]:
    """Dry-run a task on an object that nobody changes meanwhile."""
    for tries_left in reversed(range(_TRIES)):
        before = await server.read(task.target.path)
        history = _items(await server.read(task.history)) if task.history else []
        request, *deletions = requests(task, run_name, before, history)
        try:
            after = await server.send(
                request.method, request.path, request.body, request.content_type
            )
        except (ConflictError, InvalidError):
            # A failed test of a JSON patch looks like any other bad request: controllers write the
            # object too, and may have changed it after it was read.
            if not task.history or not tries_left:
                raise
        else:
            if _same_version(request, before, after) or not tries_left:
                deleted = [await _deletion(server, deletion) for deletion in deletions]
                return [*_differences(request, before, after), *itertools.chain(*deleted)]
        await context.deps.clock.sleep(_RETRY_SECONDS)
    raise AssertionError("unreachable: the last try returns or raises")


async def _deletion(server: DryRun, request: ApiRequest) -> list[Difference]:
    """Return what the deletion of a pod changes; nothing if the pod does not exist any more."""
    try:
        await server.send(request.method, request.path, request.body, request.content_type)
    except NotFoundError:
        return []
    return [Difference.deletion(request.target)]


def _same_version(request: ApiRequest, before: Json, after: Json) -> bool:
    """Return whether nobody wrote the object between the read and the dry run."""
    if request.method == "DELETE" or request.path.endswith("/scale"):
        return True
    versions = [item["metadata"].get("resourceVersion") for item in (before, after)]
    return bool(versions[0] == versions[1])


def _differences(request: ApiRequest, before: Json, after: Json) -> list[Difference]:
    if request.method == "DELETE":
        return [Difference.deletion(request.target)]
    if request.path.endswith("/scale"):
        old, new = (str((o.get("spec") or {}).get("replicas", 0)) for o in (before, after))
        return [] if old == new else [Difference(request.target, "spec.replicas", old, new)]
    return object_diff.differences(request.target, before, after)


def _items(listing: Json) -> list[Json]:
    return [item for item in listing.get("items") or [] if isinstance(item, dict)]


async def _store_all_changes(
    context: StepContext, playbook: ArtifactReference, differences: Sequence[Difference]
) -> ArtifactReference | None:
    """Store all changes in full length, if the status has no room for them."""
    if plan_record.fits(differences):
        return None
    digest = plan_record.digest(playbook.digest, differences)[7:15]
    reference, _text = await context.deps.cluster.store_artifact(
        context.remediation,
        artifact_name(context.remediation, context.attempt.number, f"plan-{digest}"),
        PLAN_KEY,
        changes_text(plan_record.changes(differences, plan_record.MAX_LONG)),
    )
    return reference


def changes_text(changes: Sequence[Change], max_characters: int = MAX_ARTIFACT_CHARACTERS) -> str:
    """Return the changes as JSON: as many whole changes as there is room for, from the first on."""
    parts: list[str] = []
    room = max_characters - len("[]")
    for change in changes:
        text = json.dumps(change.wire(), separators=(",", ":"))
        room -= len(text) + len(",")
        if room < 0:
            break
        parts.append(text)
    return f"[{','.join(parts)}]"

"""What the run would change, by the API server's word: a dry run under the run's own identity.

The rights that the run will have are made first, and one write that they do not include is tried:
only when that is refused by the fence are all others judged by it. What the server then refuses,
it would refuse the run. Nothing here changes an object of anybody.
"""

import itertools
import json
from collections.abc import Sequence

from reme_api.base import ArtifactReference
from reme_api.content_types import MERGE_PATCH
from reme_api.reasons import Reason
from reme_api.remediation import Rejection
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
from reme_operator.names import text_name
from reme_operator.steps.context import StepContext, StepResult, clip
from reme_operator.steps.job import PERMANENT_ERRORS, build_run_request, grant_rbac, new_plan
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.execution import plan_record
from reme_playbook.execution.dry_run import DryRunTask, dry_run_tasks, requests
from reme_playbook.execution.manifests import RunRequest
from reme_playbook.snapshot import object_diff
from reme_playbook.snapshot.object_diff import Difference

PLAN_KEY = "plan.json"
CANARY = {"data": {"canary": ""}}
"""A field of the run's own result that no grant includes."""
_SETTLE_SECONDS = 5.0
_PAUSE_SECONDS = 0.02
_TRIES = 5


class GrantNotEnforcedError(Exception):
    """The API server would let the run write what its grant does not include."""


async def replan(context: StepContext, _: RenewPlan) -> StepResult:
    """Name another dry run; what the last one found is shown until then."""
    fresh = new_plan(context, context.attempt.number)
    if before := context.attempt.plan:
        kept = {
            "digest": before.digest,
            "omitted_changes": before.omitted_changes,
            "full_changes": before.full_changes,
        }
        fresh = fresh.model_copy(update=kept)
    return StepResult(context.revised(plan=fresh))


async def rehearse(context: StepContext, _: RunDryRun) -> StepResult:
    """Make the rights of the run, ask for a dry run of each of its tasks, and keep the answer."""
    attempt = context.attempt
    assert attempt.plan is not None, "a plan is named before its rights are made"
    assert attempt.playbook is not None, "a playbook is kept before it is planned"
    try:
        asked = await build_run_request(
            context, attempt.playbook, attempt.plan.created_time, attempt.number
        )
        made = await grant_rbac(context, asked)
        async with context.deps.cluster.dry_run_as(asked.release_namespace, made) as server:
            await _settled(context, server, asked)
            found = [
                d
                for part in dry_run_tasks(asked.actions, asked.name)
                for d in await _of(context, server, part, asked.name)
            ]
    except RejectedPlaybookError as error:
        return _rejected(context, error.rule, error.message)
    except _RefusedError as error:
        return _rejected(context, Reason.DRY_RUN_REFUSED, str(error))
    except TamperedError as error:
        return _rejected(context, Reason.TAMPERED, one_line(error))
    except (*PERMANENT_ERRORS, GrantNotEnforcedError) as error:
        return _rejected(context, Reason.RUN_NOT_STARTED, one_line(error))
    shown = plan_record.changes(found)[: plan_record.MAX_CHANGES]
    planned = attempt.plan.model_copy(
        update={
            "completion_time": context.now(),
            "digest": plan_record.digest(attempt.playbook.digest, found),
            "omitted_changes": len(found) - len(shown),
            "full_changes": await _kept(context, found),
        }
    )
    return StepResult(context.revised(plan=planned, changes=shown))


class _RefusedError(Exception):
    """The API server would refuse the run."""


async def _settled(context: StepContext, server: DryRun, asked: RunRequest) -> None:
    """Return once the API server holds this identity to its grant.

    Raises:
        UnfencedError: it does not, as when the chart's admission policies are missing.

    """
    place = f"/api/v1/namespaces/{asked.release_namespace}/configmaps/{asked.name}-result"
    clock, answer = context.deps.clock, ""
    until = clock.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            await server.send("PATCH", place, CANARY, MERGE_PATCH)
            answer = "the write was allowed"
        except ForbiddenError as error:
            answer = one_line(error)
            if "ValidatingAdmissionPolicy" in answer:
                return
        except InvalidError as error:
            answer = one_line(error)
        if clock.monotonic() >= until:
            raise GrantNotEnforcedError(
                f"the API server does not hold the run to its grant: {answer}"
            )
        await clock.sleep(_PAUSE_SECONDS)


async def _of(
    context: StepContext, server: DryRun, part: DryRunTask, run_id: str
) -> list[Difference]:
    """Return what one task would change.

    Raises:
        _RefusedError: the API server would refuse it.
        RejectedPlaybookError: it cannot even be asked for.

    """
    try:
        return await _tried(context, server, part, run_id)
    except (ForbiddenError, InvalidError, NotFoundError, ConflictError) as error:
        raise _RefusedError(f"{part.target}: {one_line(error, 900)}") from error


async def _tried(
    context: StepContext, server: DryRun, part: DryRunTask, run_id: str
) -> list[Difference]:
    for tries_left in reversed(range(_TRIES)):
        before = await server.read(part.target.path)
        history = _items(await server.read(part.history)) if part.history else []
        request, *deletions = requests(part, run_id, before, history)
        try:
            after = await server.send(
                request.method, request.path, request.body, request.content_type
            )
        except (ConflictError, InvalidError):
            # A test of a JSON patch that fails looks like any other bad request: controllers
            # write the object too, so that it may have changed after it was read.
            if not part.history or not tries_left:
                raise
        else:
            if _same_version(request, before, after) or not tries_left:
                deleted = [await _deletion(server, deletion) for deletion in deletions]
                return [*_differences(request, before, after), *itertools.chain(*deleted)]
        await context.deps.clock.sleep(_PAUSE_SECONDS)
    raise AssertionError("unreachable: the last try returns or raises")


async def _deletion(server: DryRun, request: ApiRequest) -> list[Difference]:
    """Return what the deletion of a pod changes; nothing if the pod does not exist any more."""
    try:
        await server.send(request.method, request.path, request.body, request.content_type)
    except NotFoundError:
        return []
    return [Difference.deletion(request.target)]


def _same_version(request: ApiRequest, before: Json, after: Json) -> bool:
    """Return whether nobody wrote the object between the look and the dry run."""
    if request.method == "DELETE" or request.path.endswith("/scale"):
        return True
    versions = [found["metadata"].get("resourceVersion") for found in (before, after)]
    return bool(versions[0] == versions[1])


def _differences(request: ApiRequest, before: Json, after: Json) -> list[Difference]:
    if request.method == "DELETE":
        return [Difference.deletion(request.target)]
    if request.path.endswith("/scale"):
        was, now = (str((o.get("spec") or {}).get("replicas", 0)) for o in (before, after))
        same = was == now
        return [] if same else [Difference(request.target, "spec.replicas", was, now)]
    return object_diff.differences(request.target, before, after)


def _items(found: Json) -> list[Json]:
    return [item for item in found.get("items") or [] if isinstance(item, dict)]


async def _kept(context: StepContext, found: Sequence[Difference]) -> ArtifactReference | None:
    """Keep all changes in full length, if the status has no room for them."""
    if plan_record.fits(found):
        return None
    attempt = context.attempt
    assert attempt.playbook is not None, "a playbook is kept before it is planned"
    mark = plan_record.digest(attempt.playbook.digest, found)[7:15]
    changes = [c.wire() for c in plan_record.changes(found, plan_record.MAX_LONG)]
    kept, _text = await context.deps.cluster.store_artifact(
        context.remediation,
        text_name(context.remediation, attempt.number, f"plan-{mark}"),
        PLAN_KEY,
        json.dumps(changes, separators=(",", ":"))[:_MOST_TEXT],
    )
    return kept


_MOST_TEXT = 512 * 1024


def _rejected(context: StepContext, rule: str, message: str) -> StepResult:
    return StepResult(
        context.revised(rejection=Rejection(rule=clip(rule, 256), message=clip(message)))
    )

"""Rolling back: every field that a run changed gets its earlier value, and that is checked.

What follows from that is measured afterwards: `settle`.

The same steps serve the rollback of an attempt and the one that a person asks for. They differ in
what a problem means: an attempt has failed to roll back, a manual rollback was not done.
"""

from collections.abc import Iterable, Sequence

from reme_api.approval import SkippedField
from reme_api.base import ArtifactReference
from reme_api.probes import ProbeResult, ProbeVerdict, ProbeWindow
from reme_api.reasons import Reason
from reme_api.remediation import Attempt, ManualRollback, TargetState
from reme_kube.errors import NotFoundError, TamperedError
from reme_operator.decision.decisions import (
    AbortAttempt,
    BeginManualRollback,
    CloseManualRollback,
    PlanRollback,
    VerifyRollback,
)
from reme_operator.decision.rollback import NOTHING_CHANGED
from reme_operator.errors import TargetVanishedError, one_line
from reme_operator.names import artifact_name
from reme_operator.snapshot.collect import collect_snapshot, read_report
from reme_operator.steps.cleanup import RunLocation, revoke_rbac
from reme_operator.steps.context import StepContext, StepResult, clip
from reme_operator.steps.run_request import new_run
from reme_operator.steps.target_conflicts import find_open_remediation
from reme_operator.steps.target_state import target_state
from reme_playbook.actions.base import Conflict
from reme_playbook.errors import PlaybookError
from reme_playbook.execution import rollback as restore
from reme_playbook.execution.capture import Capture
from reme_playbook.execution.render import playbook_text
from reme_playbook.execution.rollback import RollbackPlan
from reme_playbook.snapshot.snapshot import ClusterSnapshot

ROLLBACK_KEY = "rollback.json"
_PROBE = "captured-fields"
_MAX_SKIPPED = 32
_CAPTURE_ERRORS = (NotFoundError, TamperedError, PlaybookError, ValueError)


async def abort_attempt(context: StepContext, decision: AbortAttempt) -> StepResult:
    """Record why the open attempt is aborted.

    The kill switch revokes the rights of the run before that: recording takes time, in which the
    run would go on to write. Should it not be recorded, the run fails and is rolled back.
    """
    run, meta = context.attempt.run, context.remediation.metadata
    if decision.reason is Reason.KILL_SWITCH and run is not None and run.uid and not run.reason:
        location = RunLocation(run.name, run.namespace, meta.namespace, meta.uid)
        await revoke_rbac(context.deps.cluster, location)
    return context.with_attempt(reason=decision.reason, message=clip(decision.message))


async def begin_manual_rollback(context: StepContext, _: BeginManualRollback) -> StepResult:
    """Record who asked for a rollback, and which attempt is rolled back."""
    request = context.remediation.spec.rollback
    assert request is not None, "a manual rollback starts because a person asked for it"
    attempt = last_attempt_with_changes(context.status.attempts)
    rollback = ManualRollback(
        number=request.number,
        username=request.username,
        reason=request.reason,
        attempt=attempt.number if attempt else 0,
        start_time=context.now(),
    )
    return context.with_status(manual_rollbacks=[*context.status.manual_rollbacks, rollback])


def last_attempt_with_changes(attempts: Iterable[Attempt]) -> Attempt | None:
    """Return the last attempt whose changes are still in place, by the record."""
    last = None
    for attempt in attempts:
        run, verification = attempt.run, attempt.rollback_verification
        rolled_back = verification is not None and verification.verdict is ProbeVerdict.PASSED
        if attempt.capture is None or run is None or run.reason in NOTHING_CHANGED or rolled_back:
            continue
        last = attempt
    return last


async def close_manual_rollback(context: StepContext, decision: CloseManualRollback) -> StepResult:
    """Record the outcome of a manual rollback."""
    return context.with_manual_rollback(
        outcome=decision.outcome, message=clip(decision.message), completion_time=context.now()
    )


async def plan_rollback(context: StepContext, decision: PlanRollback) -> StepResult:
    """Derive the rollback from the capture and name its run, or record that there is none."""
    if decision.manual:
        return await _plan_manual(context)
    try:
        plan, snapshot = await _plan(context, context.attempt)
    except _CAPTURE_ERRORS as error:
        return _conclude(context, ProbeVerdict.FAILED, _unusable(error))
    if not plan.actions:
        state = target_state(snapshot)
        return _conclude_restored(context, plan, "nothing to restore", after=state)
    number = context.attempt.number
    playbook = await _store(context, number, "rollback", plan)
    run = new_run(context, number, rollback=True)
    return context.with_attempt(
        rollback_playbook=playbook, rollback=run, target_after=target_state(snapshot)
    )


async def _plan_manual(context: StepContext) -> StepResult:
    rollback, manual = context.manual_rollback, True
    if refusal := await _refusal(context):
        return _conclude(context, ProbeVerdict.UNKNOWN, refusal, manual=manual)
    attempt = context.status.attempts[rollback.attempt - 1]
    try:
        plan, _ = await _plan(context, attempt)
    except TargetVanishedError as error:
        message = f"not rolled back: {one_line(error)}"
        return _conclude(context, ProbeVerdict.UNKNOWN, message, manual=manual)
    except _CAPTURE_ERRORS as error:
        return _conclude(context, ProbeVerdict.UNKNOWN, _unusable(error), manual=manual)
    if conflicts := (*plan.conflicts, *plan.unrestorable):
        # Nothing depends on it: a person can look first.
        reasons = "; ".join(conflict.message for conflict in conflicts)
        message = f"not rolled back, because the target was changed after the run: {reasons}"
        return _conclude(context, ProbeVerdict.UNKNOWN, message, conflicts, manual=manual)
    if not plan.actions:
        return _conclude_restored(context, plan, "nothing to restore", manual=manual)
    name = f"manual-rollback-{rollback.number}"
    playbook = await _store(context, attempt.number, name, plan)
    run = new_run(context, attempt.number, rollback=True)
    return context.with_manual_rollback(playbook=playbook, run=run)


async def verify_rollback(context: StepContext, decision: VerifyRollback) -> StepResult:
    """Compare the cluster with the capture, and record the result."""
    manual = decision.manual
    rollback = context.manual_rollback if manual else None
    attempt = context.status.attempts[rollback.attempt - 1] if rollback else context.attempt
    try:
        plan, _ = await _plan(context, attempt)
    except TargetVanishedError as error:
        if not manual:
            raise
        return _conclude(context, ProbeVerdict.FAILED, one_line(error), manual=manual)
    except _CAPTURE_ERRORS as error:
        return _conclude(context, ProbeVerdict.FAILED, _unusable(error), manual=manual)
    if not plan.actions:
        return _conclude_restored(context, plan, "every field has its earlier value", manual=manual)
    conflicts = (*plan.conflicts, *plan.unrestorable)
    run = rollback.run if rollback else None
    if run is not None and run.reason is Reason.RUN_NOT_STARTED:
        message = f"not rolled back: {run.message}"
        return _conclude(context, ProbeVerdict.UNKNOWN, message, conflicts, manual=manual)
    missing = "; ".join(action.summary() for action in plan.actions)
    message = f"not restored: {missing}"
    return _conclude(context, ProbeVerdict.FAILED, message, conflicts, manual=manual)


async def _refusal(context: StepContext) -> str:
    """Return why a manual rollback cannot start."""
    if context.manual_rollback.attempt == 0:
        return "there is nothing to roll back: no change of an attempt is still in place"
    other = await find_open_remediation(context.deps.cluster, context.remediation)
    return f"remediation {other} of the same target is open" if other else ""


async def _plan(context: StepContext, attempt: Attempt) -> tuple[RollbackPlan, ClusterSnapshot]:
    """Return what is left to restore, and the snapshot that shows it."""
    assert attempt.capture is not None, "what a run changes is captured before it"
    cluster = context.deps.cluster
    text = await cluster.read_artifact(context.namespace, attempt.capture)
    capture = Capture.model_validate_json(text)
    report = await read_report(cluster, context.remediation)
    changed = [item.action.target for item in capture.items]
    snapshot = await collect_snapshot(
        cluster, context.remediation, report, context.now(), include=changed
    )
    return restore.plan_rollback(capture, snapshot), snapshot


async def _store(
    context: StepContext, attempt: int, what: str, plan: RollbackPlan
) -> ArtifactReference:
    reference, _text = await context.deps.cluster.store_artifact(
        context.remediation,
        artifact_name(context.remediation, attempt, what),
        ROLLBACK_KEY,
        playbook_text(plan.actions),
    )
    return reference


def _unusable(error: Exception) -> str:
    return f"the captured state cannot be used: {one_line(error)}"


def _conclude_restored(
    context: StepContext,
    plan: RollbackPlan,
    message: str,
    *,
    manual: bool = False,
    after: TargetState | None = None,
) -> StepResult:
    """Record a rollback that has nothing left to do; its rollout may still go on."""
    conflicts = (*plan.conflicts, *plan.unrestorable)
    if plan.unrestorable:
        reasons = "; ".join(conflict.message for conflict in plan.unrestorable)
        message = f"not restored: {reasons}"
        return _conclude(context, ProbeVerdict.FAILED, message, conflicts, manual=manual)
    if plan.conflicts:
        fields = ", ".join(f"{c.target} {c.field}".strip() for c in plan.conflicts)
        message = f"{message}; not restored, because others changed them meanwhile: {fields}"
    return _begin_settling(context, message, conflicts, manual=manual, after=after)


def _begin_settling(
    context: StepContext,
    message: str,
    conflicts: Sequence[Conflict],
    *,
    manual: bool,
    after: TargetState | None,
) -> StepResult:
    """Record what is restored, and when the wait for the rollout began: it survives a restart."""
    window = ProbeWindow(start_time=context.now(), message=clip(message))
    skipped = [_skipped_field(conflict) for conflict in conflicts[:_MAX_SKIPPED]]
    if manual:
        return context.with_manual_rollback(verification=window, skipped_fields=skipped)
    state = {} if after is None else {"target_after": after}
    return context.with_attempt(rollback_verification=window, skipped_fields=skipped, **state)


def _conclude(
    context: StepContext,
    verdict: ProbeVerdict,
    message: str,
    conflicts: Sequence[Conflict] = (),
    *,
    manual: bool = False,
) -> StepResult:
    now = context.now()
    probe = ProbeResult(name=_PROBE, verdict=verdict, failed=1)
    window = ProbeWindow(
        start_time=now,
        completion_time=now,
        verdict=verdict,
        probes=[probe],
        message=clip(message),
    )
    skipped = [_skipped_field(conflict) for conflict in conflicts[:_MAX_SKIPPED]]
    if manual:
        return context.with_manual_rollback(verification=window, skipped_fields=skipped)
    return context.with_attempt(rollback_verification=window, skipped_fields=skipped)


def _skipped_field(conflict: Conflict) -> SkippedField:
    return SkippedField(
        kind=conflict.target.kind,
        object_name=conflict.target.name,
        field=clip(conflict.field, 256),
        message=clip(conflict.message),
    )

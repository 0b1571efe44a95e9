"""Taking a run back: every field that it touched gets its earlier value, and that is looked at."""

import json
from collections.abc import Iterable

from reme_api.approval import SkippedField
from reme_api.probes import ProbeResult, ProbeVerdict, ProbeWindow
from reme_api.reasons import Reason
from reme_api.remediation import Attempt, ManualRollback
from reme_kube.errors import NotFoundError, TamperedError
from reme_operator.decision.decisions import (
    BeginManualRollback,
    CloseManualRollback,
    PlanRollback,
    VerifyRollback,
)
from reme_operator.errors import TargetVanishedError, one_line
from reme_operator.names import run_name, text_name
from reme_operator.snapshot.collect import collect_snapshot, read_report
from reme_operator.steps.context import StepContext, StepResult, clip
from reme_operator.steps.job import new_run
from reme_operator.steps.target_conflicts import find_open_remediation
from reme_playbook.actions.base import Conflict
from reme_playbook.errors import PlaybookError
from reme_playbook.execution.capture import Capture
from reme_playbook.execution.render import render
from reme_playbook.execution.rollback import RollbackPlan, plan_rollback

UNDO_KEY = "undo.json"
_PROBE = "captured-fields"
_MOST_KEPT = 32
_UNUSABLE = (NotFoundError, TamperedError, PlaybookError, ValueError)
_TOUCHED_NOTHING = {Reason.RUN_NOT_STARTED, Reason.PLAYBOOK_REJECTED}


async def begin_undo(context: StepContext, _: BeginManualRollback) -> StepResult:
    """Record who wants it undone, and which attempt that is about."""
    request = context.remediation.spec.rollback
    assert request is not None, "an undo by hand is begun because somebody asked"
    found = last_attempt_with_changes(context.status.attempts)
    begun = ManualRollback(
        number=request.number,
        username=request.username,
        reason=request.reason,
        attempt=found.number if found else 0,
        start_time=context.now(),
    )
    return StepResult(
        context.status.model_copy(
            update={"manual_rollbacks": [*context.status.manual_rollbacks, begun]}
        )
    )


def last_attempt_with_changes(attempts: Iterable[Attempt]) -> Attempt | None:
    """Return the last attempt whose changes are still there, as far as the record says."""
    found = [
        a
        for a in attempts
        if a.capture is not None
        and a.run is not None
        and a.run.reason not in _TOUCHED_NOTHING
        and (
            a.rollback_verification is None
            or a.rollback_verification.verdict is not ProbeVerdict.PASSED
        )
    ]
    return found[-1] if found else None


async def close_undo(context: StepContext, decision: CloseManualRollback) -> StepResult:
    """Record what came of an undo that a person asked for."""
    return StepResult(
        context.with_manual_rollback(
            outcome=decision.outcome, message=clip(decision.message), completion_time=context.now()
        )
    )


async def plan_undo(context: StepContext, decision: PlanRollback) -> StepResult:
    """Derive the undo from the capture and name its run, or record that there is nothing to do."""
    manual = decision.manual
    if manual and (why := await _refusal(context)):
        return _concluded(context, manual, ProbeVerdict.UNKNOWN, why)
    try:
        plan = await _plan(context, manual)
    except TargetVanishedError as error:
        if not manual:
            raise
        return _concluded(context, manual, ProbeVerdict.UNKNOWN, f"not undone: {one_line(error)}")
    except _UNUSABLE as error:
        unusable = f"the captured state cannot be used: {one_line(error)}"
        verdict = ProbeVerdict.UNKNOWN if manual else ProbeVerdict.FAILED
        return _concluded(context, manual, verdict, unusable)
    if manual and (plan.conflicts or plan.unrestorable):
        # Nobody waits for this one, so that a person may as well look first.
        words = "; ".join(c.message for c in (*plan.conflicts, *plan.unrestorable))
        message = f"not undone, because it is not as the run left it: {words}"
        return _concluded(context, manual, ProbeVerdict.UNKNOWN, message, plan)
    if not plan.actions:
        return _told(context, manual, plan, "nothing to restore")
    number = _source(context, manual).number
    what = f"undo-{context.hand_undo.number}" if manual else "undo"
    playbook, _text = await context.deps.cluster.store_artifact(
        context.remediation,
        text_name(context.remediation, number, what),
        UNDO_KEY,
        json.dumps(render(plan.actions), separators=(",", ":")),
    )
    run = new_run(
        context.deps.settings,
        run_name(context.remediation, number, is_rollback=True),
        context.now(),
    )
    if manual:
        return StepResult(context.with_manual_rollback(playbook=playbook, run=run))
    return StepResult(context.revised(rollback_playbook=playbook, rollback=run))


async def verify_undo(context: StepContext, decision: VerifyRollback) -> StepResult:
    """Compare the cluster with the capture."""
    manual = decision.manual
    try:
        plan = await _plan(context, manual)
    except TargetVanishedError as error:
        if not manual:
            raise
        return _concluded(context, manual, ProbeVerdict.FAILED, one_line(error))
    except _UNUSABLE as error:
        unusable = f"the captured state cannot be used: {one_line(error)}"
        return _concluded(context, manual, ProbeVerdict.FAILED, unusable)
    if plan.actions:
        run = context.hand_undo.run if manual else None
        if run is not None and run.reason is Reason.RUN_NOT_STARTED:
            words = f"not undone: {run.message}"
            return _concluded(context, manual, ProbeVerdict.UNKNOWN, words, plan)
        left = "; ".join(action.summary() for action in plan.actions)
        return _concluded(context, manual, ProbeVerdict.FAILED, f"not restored: {left}", plan)
    return _told(context, manual, plan, "every field has its earlier value")


def _source(context: StepContext, manual: bool) -> Attempt:
    return context.status.attempts[context.hand_undo.attempt - 1] if manual else context.attempt


async def _refusal(context: StepContext) -> str:
    """Return why an undo by hand cannot be begun."""
    if context.hand_undo.attempt == 0:
        return "there is nothing to undo: no attempt left a change behind"
    other = await find_open_remediation(context.deps.cluster, context.remediation)
    return f"remediation {other} of the same target is open" if other else ""


async def _plan(context: StepContext, manual: bool) -> RollbackPlan:
    kept = _source(context, manual).capture
    assert kept is not None, "what a run changes is captured before it"
    text = await context.deps.cluster.read_artifact(context.namespace, kept)
    capture = Capture.model_validate_json(text)
    report = await read_report(context.deps.cluster, context.remediation)
    written = [item.action.target for item in capture.items]
    live = await collect_snapshot(
        context.deps.cluster, context.remediation, report, context.now(), include=written
    )
    return plan_rollback(capture, live)


def _told(context: StepContext, manual: bool, plan: RollbackPlan, words: str) -> StepResult:
    if plan.unrestorable:
        message = "; ".join(conflict.message for conflict in plan.unrestorable)
        return _concluded(context, manual, ProbeVerdict.FAILED, f"not restored: {message}", plan)
    if plan.conflicts:
        fields = ", ".join(f"{c.target} {c.field}".strip() for c in plan.conflicts)
        words = f"{words}; changed by somebody else meanwhile, and kept: {fields}"
    return _concluded(context, manual, ProbeVerdict.PASSED, words, plan)


def _concluded(
    context: StepContext,
    manual: bool,
    verdict: ProbeVerdict,
    message: str,
    plan: RollbackPlan | None = None,
) -> StepResult:
    now = context.now()
    passed = verdict is ProbeVerdict.PASSED
    probe = ProbeResult(name=_PROBE, verdict=verdict, passed=int(passed), failed=int(not passed))
    window = ProbeWindow(
        start_time=now,
        completion_time=now,
        verdict=verdict,
        probes=[probe],
        message=clip(message),
    )
    kept = [_record(c) for c in (*plan.conflicts, *plan.unrestorable)][:_MOST_KEPT] if plan else []
    if manual:
        return StepResult(context.with_manual_rollback(verification=window, skipped_fields=kept))
    return StepResult(context.revised(rollback_verification=window, skipped_fields=kept))


def _record(conflict: Conflict) -> SkippedField:
    return SkippedField(
        kind=conflict.target.kind,
        object_name=conflict.target.name,
        field=clip(conflict.field, 256),
        message=clip(conflict.message),
    )

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
from reme_playbook.errors import PlaybookError
from reme_playbook.execution.capture import Capture
from reme_playbook.execution.render import render
from reme_playbook.execution.rollback import Conflict, RollbackPlan, undo

UNDO_KEY = "undo.json"
_PROBE = "captured-fields"
_MOST_KEPT = 32
_UNUSABLE = (NotFoundError, TamperedError, PlaybookError, ValueError)
_TOUCHED_NOTHING = {Reason.RUN_NOT_STARTED, Reason.PLAYBOOK_REJECTED}


async def begin_undo(work: StepContext, _: BeginManualRollback) -> StepResult:
    """Record who wants it undone, and which attempt that is about."""
    request = work.remediation.spec.undo
    assert request is not None, "an undo by hand is begun because somebody asked"
    found = last_attempt_with_changes(work.status.attempts)
    begun = ManualRollback(
        number=request.number,
        by=request.by,
        reason=request.reason,
        attempt=found.number if found else 0,
        start_time=work.now(),
    )
    return StepResult(
        work.status.model_copy(update={"manual_rollbacks": [*work.status.manual_rollbacks, begun]})
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


async def close_undo(work: StepContext, decision: CloseManualRollback) -> StepResult:
    """Record what came of an undo that a person asked for."""
    return StepResult(
        work.with_manual_rollback(
            outcome=decision.outcome, message=clip(decision.message), completion_time=work.now()
        )
    )


async def plan_undo(work: StepContext, decision: PlanRollback) -> StepResult:
    """Derive the undo from the capture and name its run, or record that there is nothing to do."""
    manual = decision.manual
    if manual and (why := await _refusal(work)):
        return _concluded(work, manual, ProbeVerdict.UNKNOWN, why)
    try:
        plan = await _plan(work, manual)
    except TargetVanishedError as error:
        if not manual:
            raise
        return _concluded(work, manual, ProbeVerdict.UNKNOWN, f"not undone: {one_line(error)}")
    except _UNUSABLE as error:
        unusable = f"the captured state cannot be used: {one_line(error)}"
        verdict = ProbeVerdict.UNKNOWN if manual else ProbeVerdict.FAILED
        return _concluded(work, manual, verdict, unusable)
    if manual and (plan.kept or plan.lost):
        # Nobody waits for this one, so that a person may as well look first.
        words = "; ".join(c.message for c in (*plan.kept, *plan.lost))
        message = f"not undone, because it is not as the run left it: {words}"
        return _concluded(work, manual, ProbeVerdict.UNKNOWN, message, plan)
    if not plan.actions:
        return _told(work, manual, plan, "nothing to restore")
    number = _source(work, manual).number
    what = f"undo-{work.hand_undo.number}" if manual else "undo"
    playbook, _text = await work.tools.cluster.store_artifact(
        work.remediation,
        text_name(work.remediation, number, what),
        UNDO_KEY,
        json.dumps(render(plan.actions), separators=(",", ":")),
    )
    run = new_run(work.tools.settings, run_name(work.remediation, number, undo=True), work.now())
    if manual:
        return StepResult(work.with_manual_rollback(playbook=playbook, run=run))
    return StepResult(work.revised(rollback_playbook=playbook, undo=run))


async def verify_undo(work: StepContext, decision: VerifyRollback) -> StepResult:
    """Compare the cluster with the capture."""
    manual = decision.manual
    try:
        plan = await _plan(work, manual)
    except TargetVanishedError as error:
        if not manual:
            raise
        return _concluded(work, manual, ProbeVerdict.FAILED, one_line(error))
    except _UNUSABLE as error:
        unusable = f"the captured state cannot be used: {one_line(error)}"
        return _concluded(work, manual, ProbeVerdict.FAILED, unusable)
    if plan.actions:
        run = work.hand_undo.run if manual else None
        if run is not None and run.reason is Reason.RUN_NOT_STARTED:
            words = f"not undone: {run.message}"
            return _concluded(work, manual, ProbeVerdict.UNKNOWN, words, plan)
        left = "; ".join(action.summary() for action in plan.actions)
        return _concluded(work, manual, ProbeVerdict.FAILED, f"not restored: {left}", plan)
    return _told(work, manual, plan, "every field has its earlier value")


def _source(work: StepContext, manual: bool) -> Attempt:
    return work.status.attempts[work.hand_undo.attempt - 1] if manual else work.attempt


async def _refusal(work: StepContext) -> str:
    """Return why an undo by hand cannot be begun."""
    if work.hand_undo.attempt == 0:
        return "there is nothing to undo: no attempt left a change behind"
    other = await find_open_remediation(work.tools.cluster, work.remediation)
    return f"remediation {other} of the same target is open" if other else ""


async def _plan(work: StepContext, manual: bool) -> RollbackPlan:
    kept = _source(work, manual).capture
    assert kept is not None, "what a run changes is captured before it"
    text = await work.tools.cluster.read_artifact(work.namespace, kept)
    capture = Capture.model_validate_json(text)
    report = await read_report(work.tools.cluster, work.remediation)
    written = [item.action.target for item in capture.items]
    live = await collect_snapshot(
        work.tools.cluster, work.remediation, report, work.now(), also=written
    )
    return undo(capture, live)


def _told(work: StepContext, manual: bool, plan: RollbackPlan, words: str) -> StepResult:
    if plan.lost:
        message = "; ".join(conflict.message for conflict in plan.lost)
        return _concluded(work, manual, ProbeVerdict.FAILED, f"not restored: {message}", plan)
    if plan.kept:
        fields = ", ".join(f"{c.target} {c.field}".strip() for c in plan.kept)
        words = f"{words}; changed by somebody else meanwhile, and kept: {fields}"
    return _concluded(work, manual, ProbeVerdict.PASSED, words, plan)


def _concluded(
    work: StepContext,
    manual: bool,
    verdict: ProbeVerdict,
    message: str,
    plan: RollbackPlan | None = None,
) -> StepResult:
    now = work.now()
    passed = verdict is ProbeVerdict.PASSED
    probe = ProbeResult(name=_PROBE, verdict=verdict, passed=int(passed), failed=int(not passed))
    window = ProbeWindow(
        start_time=now,
        completion_time=now,
        verdict=verdict,
        probes=[probe],
        message=clip(message),
    )
    kept = [_record(c) for c in (*plan.kept, *plan.lost)][:_MOST_KEPT] if plan else []
    if manual:
        return StepResult(work.with_manual_rollback(verification=window, kept=kept))
    return StepResult(work.revised(rollback_verification=window, kept=kept))


def _record(conflict: Conflict) -> SkippedField:
    return SkippedField(
        kind=conflict.target.kind,
        object_name=conflict.target.name,
        field=clip(conflict.field, 256),
        message=clip(conflict.message),
    )

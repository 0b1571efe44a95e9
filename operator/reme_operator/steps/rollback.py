"""Taking a run back: every field that it touched gets its earlier value, and that is looked at."""

import json
from collections.abc import Iterable

from reme_api.approval import KeptField
from reme_api.probes import ProbeResult, ProbeVerdict, Window
from reme_api.reasons import Reason
from reme_api.remediation import Attempt, HandUndo
from reme_kube.errors import NotFoundError, TamperedError
from reme_operator.decision.decisions import BeginUndo, CloseUndo, PlanUndo, VerifyUndo
from reme_operator.errors import TargetVanishedError, brief
from reme_operator.names import run_name, text_name
from reme_operator.snapshot.collect import read_live, report_of
from reme_operator.steps.context import Effect, Work, clip
from reme_operator.steps.job import named_run
from reme_operator.steps.target_conflicts import open_beside
from reme_playbook.errors import SandboxError
from reme_playbook.execution.capture import Capture
from reme_playbook.execution.render import render
from reme_playbook.execution.rollback import Conflict, UndoPlan, undo

UNDO_KEY = "undo.json"
_PROBE = "captured-fields"
_MOST_KEPT = 32
_UNUSABLE = (NotFoundError, TamperedError, SandboxError, ValueError)
_TOUCHED_NOTHING = {Reason.RUN_NOT_STARTED, Reason.PLAYBOOK_REJECTED}


async def begin_undo(work: Work, _: BeginUndo) -> Effect:
    """Record who wants it undone, and which attempt that is about."""
    request = work.remediation.spec.undo
    assert request is not None, "an undo by hand is begun because somebody asked"
    found = changed_by(work.status.attempts)
    begun = HandUndo(
        number=request.number,
        by=request.by,
        reason=request.reason,
        attempt=found.number if found else 0,
        start_time=work.now(),
    )
    return Effect(work.status.model_copy(update={"undos": [*work.status.undos, begun]}))


def changed_by(attempts: Iterable[Attempt]) -> Attempt | None:
    """Return the last attempt whose changes are still there, as far as the record says."""
    found = [
        a
        for a in attempts
        if a.capture is not None
        and a.run is not None
        and a.run.reason not in _TOUCHED_NOTHING
        and (a.undo_verification is None or a.undo_verification.verdict is not ProbeVerdict.PASSED)
    ]
    return found[-1] if found else None


async def close_undo(work: Work, decision: CloseUndo) -> Effect:
    """Record what came of an undo that a person asked for."""
    return Effect(
        work.revised_hand(
            outcome=decision.outcome, message=clip(decision.message), completion_time=work.now()
        )
    )


async def plan_undo(work: Work, decision: PlanUndo) -> Effect:
    """Derive the undo from the capture and name its run, or record that there is nothing to do."""
    by_hand = decision.by_hand
    if by_hand and (why := await _refusal(work)):
        return _concluded(work, by_hand, ProbeVerdict.UNKNOWN, why)
    try:
        plan = await _plan(work, by_hand)
    except TargetVanishedError as error:
        if not by_hand:
            raise
        return _concluded(work, by_hand, ProbeVerdict.UNKNOWN, f"not undone: {brief(error)}")
    except _UNUSABLE as error:
        unusable = f"the captured state cannot be used: {brief(error)}"
        verdict = ProbeVerdict.UNKNOWN if by_hand else ProbeVerdict.FAILED
        return _concluded(work, by_hand, verdict, unusable)
    if by_hand and (plan.kept or plan.lost):
        # Nobody waits for this one, so that a person may as well look first.
        words = "; ".join(c.message for c in (*plan.kept, *plan.lost))
        message = f"not undone, because it is not as the run left it: {words}"
        return _concluded(work, by_hand, ProbeVerdict.UNKNOWN, message, plan)
    if not plan.actions:
        return _told(work, by_hand, plan, "nothing to restore")
    number = _source(work, by_hand).number
    what = f"undo-{work.hand_undo.number}" if by_hand else "undo"
    playbook, _text = await work.tools.cluster.keep_text(
        work.remediation,
        text_name(work.remediation, number, what),
        UNDO_KEY,
        json.dumps(render(plan.actions), separators=(",", ":")),
    )
    run = named_run(work.tools.settings, run_name(work.remediation, number, undo=True), work.now())
    if by_hand:
        return Effect(work.revised_hand(playbook=playbook, run=run))
    return Effect(work.revised(undo_playbook=playbook, undo=run))


async def verify_undo(work: Work, decision: VerifyUndo) -> Effect:
    """Compare the cluster with the capture."""
    by_hand = decision.by_hand
    try:
        plan = await _plan(work, by_hand)
    except TargetVanishedError as error:
        if not by_hand:
            raise
        return _concluded(work, by_hand, ProbeVerdict.FAILED, brief(error))
    except _UNUSABLE as error:
        unusable = f"the captured state cannot be used: {brief(error)}"
        return _concluded(work, by_hand, ProbeVerdict.FAILED, unusable)
    if plan.actions:
        run = work.hand_undo.run if by_hand else None
        if run is not None and run.reason is Reason.RUN_NOT_STARTED:
            words = f"not undone: {run.message}"
            return _concluded(work, by_hand, ProbeVerdict.UNKNOWN, words, plan)
        left = "; ".join(action.summary() for action in plan.actions)
        return _concluded(work, by_hand, ProbeVerdict.FAILED, f"not restored: {left}", plan)
    return _told(work, by_hand, plan, "every field has its earlier value")


def _source(work: Work, by_hand: bool) -> Attempt:
    return work.status.attempts[work.hand_undo.attempt - 1] if by_hand else work.attempt


async def _refusal(work: Work) -> str:
    """Return why an undo by hand cannot be begun."""
    if work.hand_undo.attempt == 0:
        return "there is nothing to undo: no attempt left a change behind"
    other = await open_beside(work.tools.cluster, work.remediation)
    return f"remediation {other} of the same target is open" if other else ""


async def _plan(work: Work, by_hand: bool) -> UndoPlan:
    kept = _source(work, by_hand).capture
    assert kept is not None, "what a run changes is captured before it"
    text = await work.tools.cluster.read_text(work.namespace, kept)
    capture = Capture.model_validate_json(text)
    report = await report_of(work.tools.cluster, work.remediation)
    written = [item.action.target for item in capture.items]
    live = await read_live(work.tools.cluster, work.remediation, report, work.now(), also=written)
    return undo(capture, live)


def _told(work: Work, by_hand: bool, plan: UndoPlan, words: str) -> Effect:
    if plan.lost:
        message = "; ".join(conflict.message for conflict in plan.lost)
        return _concluded(work, by_hand, ProbeVerdict.FAILED, f"not restored: {message}", plan)
    if plan.kept:
        fields = ", ".join(f"{c.target} {c.field}".strip() for c in plan.kept)
        words = f"{words}; changed by somebody else meanwhile, and kept: {fields}"
    return _concluded(work, by_hand, ProbeVerdict.PASSED, words, plan)


def _concluded(
    work: Work, by_hand: bool, verdict: ProbeVerdict, message: str, plan: UndoPlan | None = None
) -> Effect:
    now = work.now()
    passed = verdict is ProbeVerdict.PASSED
    probe = ProbeResult(name=_PROBE, verdict=verdict, passed=int(passed), failed=int(not passed))
    window = Window(
        start_time=now,
        completion_time=now,
        verdict=verdict,
        probes=[probe],
        message=clip(message),
    )
    kept = [_record(c) for c in (*plan.kept, *plan.lost)][:_MOST_KEPT] if plan else []
    if by_hand:
        return Effect(work.revised_hand(verification=window, kept=kept))
    return Effect(work.revised(undo_verification=window, kept=kept))


def _record(conflict: Conflict) -> KeptField:
    return KeptField(
        kind=conflict.target.kind,
        object_name=conflict.target.name,
        field=clip(conflict.field, 256),
        message=clip(conflict.message),
    )

"""Taking a run back: every field that it touched gets its earlier value, and that is looked at."""

import json

from reme_api.probes import ProbeResult, ProbeVerdict, Window
from reme_operator.clients.errors import TamperedError
from reme_operator.decisions import PlanUndo, VerifyUndo
from reme_operator.errors import brief
from reme_operator.live import read_live, report_of
from reme_operator.names import run_name, text_name
from reme_operator.steps.runs import named_run
from reme_operator.steps.work import Effect, Work, clip
from reme_sandbox.capture import Capture
from reme_sandbox.errors import SandboxError
from reme_sandbox.render import render
from reme_sandbox.undo import UndoPlan, undo

UNDO_KEY = "undo.json"
_PROBE = "captured-fields"


async def plan_undo(work: Work, _: PlanUndo) -> Effect:
    """Derive the undo from the capture and name its run, or record that there is nothing to do."""
    try:
        plan = await _plan(work)
    except (TamperedError, SandboxError, ValueError) as error:
        return _concluded(work, ProbeVerdict.FAILED, f"the capture cannot be used: {brief(error)}")
    if not plan.actions:
        return _concluded(work, ProbeVerdict.PASSED, f"nothing to restore{_kept(plan)}")
    remediation, attempt = work.remediation, work.attempt
    playbook, _text = await work.tools.cluster.keep_text(
        remediation,
        text_name(remediation, attempt.number, "undo"),
        UNDO_KEY,
        json.dumps(render(plan.actions), separators=(",", ":")),
    )
    name = run_name(remediation, attempt.number, undo=True)
    run = named_run(work.tools.settings, name, work.now())
    return Effect(work.revised(undo_playbook=playbook, undo=run))


async def verify_undo(work: Work, _: VerifyUndo) -> Effect:
    """Compare the cluster with the capture."""
    try:
        plan = await _plan(work)
    except (TamperedError, SandboxError, ValueError) as error:
        return _concluded(work, ProbeVerdict.FAILED, f"the capture cannot be used: {brief(error)}")
    if plan.actions:
        left = "; ".join(action.summary() for action in plan.actions)
        return _concluded(work, ProbeVerdict.FAILED, f"not restored: {left}")
    return _concluded(work, ProbeVerdict.PASSED, f"every field has its earlier value{_kept(plan)}")


async def _plan(work: Work) -> UndoPlan:
    assert work.attempt.capture is not None, "what a run changes is captured before it"
    text = await work.tools.cluster.read_text(work.namespace, work.attempt.capture)
    capture = Capture.model_validate_json(text)
    report = await report_of(work.tools.cluster, work.remediation)
    written = [item.action.target for item in capture.items]
    live = await read_live(work.tools.cluster, work.remediation, report, work.now(), also=written)
    return undo(capture, live)


def _kept(plan: UndoPlan) -> str:
    if not plan.kept:
        return ""
    return f"; {len(plan.kept)} changed by somebody else meanwhile, and kept"


def _concluded(work: Work, verdict: ProbeVerdict, message: str) -> Effect:
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
    return Effect(work.revised(undo_verification=window))

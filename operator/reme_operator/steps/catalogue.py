"""Which function carries out which decision, and on whose time."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from reme_api.reasons import Step
from reme_operator import decisions as d
from reme_operator.steps import (
    approve,
    gate,
    generate,
    going_back,
    measure,
    plan,
    record,
    runs,
    undo,
)
from reme_operator.steps.work import Effect, Work

Perform = Callable[[Work, Any], Awaitable[Effect]]

PERFORM: Mapping[type[d.Decision], Perform] = MappingProxyType(
    {
        d.Begin: record.begin,
        d.Measure: measure.measure,
        d.ConcludeBaseline: measure.conclude_baseline,
        d.OpenAttempt: record.open_attempt,
        d.Generate: generate.generate,
        d.Gate: gate.gate,
        d.Rehearse: plan.rehearse,
        d.Replan: plan.replan,
        d.NoteApproval: approve.note_approval,
        d.TakeEdit: approve.take_edit,
        d.Capture: gate.capture,
        d.CreateRun: runs.create_run,
        d.RecordRun: runs.record_run,
        d.StopRun: runs.stop_run,
        d.CleanUp: runs.clean_up,
        d.BeginVerification: measure.begin_verification,
        d.Verify: measure.verify,
        d.ConcludeVerification: measure.conclude_verification,
        d.GoBack: going_back.go_back,
        d.BeginUndo: undo.begin_undo,
        d.CloseUndo: undo.close_undo,
        d.PlanUndo: undo.plan_undo,
        d.VerifyUndo: undo.verify_undo,
        d.CloseAttempt: record.close_attempt,
        d.Finish: record.finish,
    }
)
"""Every decision but `Wait` and `Done`, which cause nothing."""

_STEPS: Mapping[type[d.Decision], Step] = MappingProxyType(
    {
        d.Begin: Step.ADMIT,
        d.Measure: Step.BASELINE,
        d.ConcludeBaseline: Step.BASELINE,
        d.Generate: Step.CONTEXT,
        d.Gate: Step.GATE,
        d.Rehearse: Step.PLAN,
        d.Replan: Step.PLAN,
        d.NoteApproval: Step.APPROVE,
        d.TakeEdit: Step.APPROVE,
        d.Capture: Step.CAPTURE,
        d.CreateRun: Step.PREPARE,
        d.RecordRun: Step.EXECUTE,
        d.StopRun: Step.EXECUTE,
        d.CleanUp: Step.CLEAN_UP,
        d.BeginVerification: Step.VERIFY,
        d.Verify: Step.VERIFY,
        d.ConcludeVerification: Step.VERIFY,
        d.BeginUndo: Step.UNDO,
        d.PlanUndo: Step.UNDO,
        d.VerifyUndo: Step.VERIFY_UNDO,
    }
)


def step_of(decision: d.Decision) -> Step:
    """Return the step that a decision belongs to."""
    if isinstance(decision, d.Measure | d.ConcludeBaseline) and decision.again:
        return Step.APPROVE
    undoes = isinstance(decision, d.CreateRun | d.RecordRun | d.StopRun) and decision.undo
    return Step.UNDO if undoes else _STEPS.get(type(decision), Step.RECORD)

"""Which function carries out which decision, and on whose time."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from reme_api.reasons import Step
from reme_operator.decision import decisions as d
from reme_operator.steps import (
    abort,
    approve,
    dry_run,
    generate,
    job,
    probe,
    record,
    rollback,
    validate,
)
from reme_operator.steps.context import Effect, Work

Perform = Callable[[Work, Any], Awaitable[Effect]]

PERFORM: Mapping[type[d.Decision], Perform] = MappingProxyType(
    {
        d.Begin: record.begin,
        d.Measure: probe.measure,
        d.ConcludeBaseline: probe.conclude_baseline,
        d.OpenAttempt: record.open_attempt,
        d.Generate: generate.generate,
        d.Gate: validate.gate,
        d.Rehearse: dry_run.rehearse,
        d.Replan: dry_run.replan,
        d.NoteApproval: approve.note_approval,
        d.TakeEdit: approve.take_edit,
        d.Capture: validate.capture,
        d.CreateRun: job.create_run,
        d.RecordRun: job.record_run,
        d.StopRun: job.stop_run,
        d.CleanUp: job.clean_up,
        d.BeginVerification: probe.begin_verification,
        d.Verify: probe.verify,
        d.ConcludeVerification: probe.conclude_verification,
        d.GoBack: abort.go_back,
        d.BeginUndo: rollback.begin_undo,
        d.CloseUndo: rollback.close_undo,
        d.PlanUndo: rollback.plan_undo,
        d.VerifyUndo: rollback.verify_undo,
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

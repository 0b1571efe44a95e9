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
from reme_operator.steps.context import StepContext, StepResult

Perform = Callable[[StepContext, Any], Awaitable[StepResult]]

STEP_HANDLERS: Mapping[type[d.Decision], Perform] = MappingProxyType(
    {
        d.Begin: record.begin,
        d.ProbeBaseline: probe.measure,
        d.ConcludeBaseline: probe.conclude_baseline,
        d.OpenAttempt: record.open_attempt,
        d.Generate: generate.generate,
        d.Validate: validate.gate,
        d.RunDryRun: dry_run.rehearse,
        d.RenewPlan: dry_run.replan,
        d.RecordApproval: approve.note_approval,
        d.ApplyEdit: approve.take_edit,
        d.Capture: validate.capture,
        d.CreateRun: job.create_run,
        d.RecordRun: job.record_run,
        d.StopRun: job.stop_run,
        d.CleanUp: job.clean_up,
        d.BeginVerification: probe.begin_verification,
        d.Verify: probe.verify,
        d.ConcludeVerification: probe.conclude_verification,
        d.AbortAttempt: abort.go_back,
        d.BeginManualRollback: rollback.begin_undo,
        d.CloseManualRollback: rollback.close_undo,
        d.PlanRollback: rollback.plan_undo,
        d.VerifyRollback: rollback.verify_undo,
        d.CloseAttempt: record.close_attempt,
        d.Finish: record.finish,
    }
)
"""Every decision but `Wait` and `Done`, which cause nothing."""

_STEPS: Mapping[type[d.Decision], Step] = MappingProxyType(
    {
        d.Begin: Step.ADMIT,
        d.ProbeBaseline: Step.BASELINE,
        d.ConcludeBaseline: Step.BASELINE,
        d.Generate: Step.CONTEXT,
        d.Validate: Step.VALIDATE,
        d.RunDryRun: Step.DRY_RUN,
        d.RenewPlan: Step.DRY_RUN,
        d.RecordApproval: Step.APPROVE,
        d.ApplyEdit: Step.APPROVE,
        d.Capture: Step.CAPTURE,
        d.CreateRun: Step.PREPARE,
        d.RecordRun: Step.EXECUTE,
        d.StopRun: Step.EXECUTE,
        d.CleanUp: Step.CLEAN_UP,
        d.BeginVerification: Step.VERIFY,
        d.Verify: Step.VERIFY,
        d.ConcludeVerification: Step.VERIFY,
        d.BeginManualRollback: Step.ROLLBACK,
        d.PlanRollback: Step.ROLLBACK,
        d.VerifyRollback: Step.VERIFY_ROLLBACK,
    }
)


def step_of(decision: d.Decision) -> Step:
    """Return the step that a decision belongs to."""
    if isinstance(decision, d.ProbeBaseline | d.ConcludeBaseline) and decision.again:
        return Step.APPROVE
    undoes = isinstance(decision, d.CreateRun | d.RecordRun | d.StopRun) and decision.undo
    return Step.ROLLBACK if undoes else _STEPS.get(type(decision), Step.RECORD)

"""Which function carries out which decision, and which step its time is counted for."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from reme_api.reasons import Step
from reme_operator.decision import decisions as d
from reme_operator.steps import (
    approve,
    dry_run,
    follow_up,
    generate,
    investigate,
    job,
    probe,
    record,
    rollback,
    settle,
    validate,
)
from reme_operator.steps.context import StepContext, StepResult

StepHandler = Callable[[StepContext, Any], Awaitable[StepResult]]

STEP_HANDLERS: Mapping[type[d.Decision], StepHandler] = MappingProxyType(
    {
        d.Begin: record.begin,
        d.ProbeBaseline: probe.probe_baseline,
        d.ConcludeBaseline: probe.conclude_baseline,
        d.OpenAttempt: record.open_attempt,
        d.ChooseRound: investigate.choose_round,
        d.RunRound: investigate.run_round,
        d.Generate: generate.generate,
        d.OpenFollowUp: follow_up.open_follow_up,
        d.CreateFollowUp: follow_up.create_follow_up,
        d.RecordFollowUp: follow_up.record_follow_up,
        d.EndFollowUp: follow_up.end_follow_up,
        d.ConcludeFollowUp: follow_up.conclude_follow_up,
        d.Validate: validate.validate,
        d.RunDryRun: dry_run.run_dry_run,
        d.RenewPlan: dry_run.renew_plan,
        d.RecordApproval: approve.record_approval,
        d.ApplyEdit: approve.apply_edit,
        d.BeginHold: record.begin_hold,
        d.EndHold: record.end_hold,
        d.Capture: validate.capture,
        d.CreateRun: job.create_run,
        d.RecordRun: job.record_run,
        d.StopRun: job.stop_run,
        d.CleanUp: job.clean_up,
        d.BeginVerification: probe.begin_verification,
        d.Verify: probe.verify,
        d.ConcludeVerification: probe.conclude_verification,
        d.AbortAttempt: rollback.abort_attempt,
        d.BeginManualRollback: rollback.begin_manual_rollback,
        d.CloseManualRollback: rollback.close_manual_rollback,
        d.PlanRollback: rollback.plan_rollback,
        d.VerifyRollback: rollback.verify_rollback,
        d.SettleRollback: settle.settle_rollback,
        d.ConcludeRollback: settle.conclude_rollback,
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
        d.ChooseRound: Step.INVESTIGATE,
        d.RunRound: Step.INVESTIGATE,
        d.Generate: Step.CONTEXT,
        d.OpenFollowUp: Step.FOLLOW_CAUSE,
        d.CreateFollowUp: Step.FOLLOW_CAUSE,
        d.RecordFollowUp: Step.FOLLOW_CAUSE,
        d.EndFollowUp: Step.FOLLOW_CAUSE,
        d.ConcludeFollowUp: Step.VERIFY,
        d.Validate: Step.VALIDATE,
        d.RunDryRun: Step.DRY_RUN,
        d.RenewPlan: Step.DRY_RUN,
        d.RecordApproval: Step.APPROVE,
        d.ApplyEdit: Step.APPROVE,
        d.BeginHold: Step.APPROVE,
        d.EndHold: Step.APPROVE,
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
        d.SettleRollback: Step.VERIFY_ROLLBACK,
        d.ConcludeRollback: Step.VERIFY_ROLLBACK,
    }
)


def step_of(decision: d.Decision) -> Step:
    """Return the step that the time of a decision is counted for."""
    if isinstance(decision, d.ProbeBaseline | d.ConcludeBaseline) and decision.again:
        return Step.APPROVE
    if isinstance(decision, d.CreateRun | d.RecordRun | d.StopRun):
        return _STEPS[type(decision)] if decision.kind is d.RunKind.REPAIR else Step.ROLLBACK
    return _STEPS.get(type(decision), Step.RECORD)

"""What comes next for a run that is named or in flight, of whatever kind. Pure."""

from datetime import datetime, timedelta

from reme_api.reasons import Reason
from reme_api.remediation import Run
from reme_operator.decision.decisions import (
    CreateRun,
    Decision,
    RecordRun,
    RunKind,
    StopRun,
    Wait,
)
from reme_operator.decision.observed import JobState, Observed, ObservedRun
from reme_playbook.execution.manifests import START_SECONDS
from reme_playbook.execution.runner_contract import TERMINATION_GRACE_SECONDS

RUN_POLL = timedelta(seconds=2)
"""How often a run in flight is looked at, should its watch events not arrive."""

RUN_GRACE = timedelta(seconds=START_SECONDS + TERMINATION_GRACE_SECONDS + 30)
"""What a Job may take beyond the deadline of its playbook before the operator stops it."""

STUCK_TIMEOUT = timedelta(seconds=45)
"""How long a pod may be unable to start: a registry may be away for a moment."""


def decide_run(observed: Observed, run: Run, now: datetime, kind: RunKind) -> Decision:
    """Return what comes next for a run that has not been recorded as ended."""
    if observed.run.reason is not None:
        return RecordRun(observed.run.reason, observed.run.message, kind)
    if not run.uid:
        return _not_created(observed, now, kind)
    ended = _ended_job(observed.run)
    if ended is not None:
        return RecordRun(*ended, kind)
    if observed.run.stuck and now >= (run.created_time or now) + STUCK_TIMEOUT:
        message = f"its pod does not start: {observed.run.stuck}"[:500]
        return StopRun(Reason.RUN_NOT_STARTED, message, kind)
    if now >= _latest_end(observed, run, kind):
        return StopRun(Reason.RUN_TIMED_OUT, "its Job did not end within its deadline", kind)
    return Wait(now + RUN_POLL)


def wait_for_kill_switch(observed: Observed, now: datetime) -> Wait:
    """Return the wait until the kill switch is off."""
    return Wait(now + RUN_POLL, Reason.KILL_SWITCH, observed.switch.text())


def _not_created(observed: Observed, now: datetime, kind: RunKind) -> Decision:
    absent = observed.run.job is JobState.ABSENT
    if absent and observed.run.claimed:
        return RecordRun(Reason.RUN_LOST, "it was started, and its Job is gone", kind)
    if absent and observed.switch.on:
        return wait_for_kill_switch(observed, now)
    return CreateRun(kind)


def _ended_job(run: ObservedRun) -> tuple[Reason, str] | None:
    """Return how a run without a result ended, by the state of its Job; None while it runs."""
    match run.job:
        case JobState.ABSENT:
            return Reason.RUN_LOST, "its Job was deleted before it left a result"
        case JobState.COMPLETE:
            return Reason.RUN_LOST, "its Job completed and left no result"
        case JobState.FAILED | JobState.OVERDUE if not run.claimed:
            return Reason.RUN_NOT_STARTED, run.message or "its pod did not start"
        case JobState.OVERDUE:
            return Reason.RUN_TIMED_OUT, run.message or "it exceeded its deadline"
        case JobState.FAILED:
            return Reason.RUN_FAILED, run.message or "its pod failed"
        case JobState.ACTIVE:
            return None


def _latest_end(observed: Observed, run: Run, kind: RunKind) -> datetime:
    policy = observed.policy
    repairs = kind is RunKind.REPAIR
    seconds = policy.sandbox.deadline_seconds if repairs else policy.rollback.timeout_seconds
    started = run.created_time or observed.remediation.status.start_time
    assert started is not None, "a remediation with a run has a start time"
    return started + timedelta(seconds=seconds) + RUN_GRACE

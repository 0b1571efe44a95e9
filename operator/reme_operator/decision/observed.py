"""Everything that a decision may depend on, read before it is made. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from reme_api.investigation import Choice, FollowUp
from reme_api.policy import RemediationPolicySpec
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation, Run
from reme_operator.decision.probe_verdict import ProbeHistory
from reme_operator.kill_switch.state import OFF, KillSwitchState


class JobState(StrEnum):
    """What the API server says about the Job of a run."""

    ABSENT = "Absent"
    ACTIVE = "Active"
    COMPLETE = "Complete"
    FAILED = "Failed"
    OVERDUE = "Overdue"  # failed: it took longer than its deadline


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """The state of the run that is in flight."""

    job: JobState = JobState.ABSENT
    claimed: bool = False  # a pod has started it: it may have written
    reason: Reason | None = None  # how it ended, by its own result
    message: str = ""
    stuck: str = ""  # why its pod does not start, if the cluster says why


@dataclass(frozen=True, slots=True)
class ModelFailures:
    """Failures to reach the model in this process, for the open attempt."""

    count: int = 0
    reason: Reason = Reason.MODEL_UNAVAILABLE
    message: str = ""
    retry_at: datetime | None = None
    exhausted: bool = False


class HoldReason(NamedTuple):
    """Why a remediation may not go on before its run."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class ObservedFollowUp:
    """The report that was opened for the cause, and its remediation."""

    gone: bool = False  # the report was there, and is not any more
    reason: Reason | None = None  # why the report is not accepted
    message: str = ""  # of the refusal
    retry_time: datetime | None = None  # when admission looks at it again
    refused_since: datetime | None = None  # as far as this process knows
    remediation: str = ""
    remediation_gone: bool = False  # it was recorded, and is not there any more
    outcome: Outcome | None = None  # of the remediation
    outcome_message: str = ""
    earlier_targets: tuple[tuple[str, str], ...] = ()
    """Kind and name of the targets of the remediations that led to this one."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One remediation, and everything around it that matters, at one moment."""

    remediation: Remediation
    report_gone: bool = False
    target_gone: bool = False
    hold: HoldReason | None = None  # by the remediation, its report, its policy, or others
    switch: KillSwitchState = OFF
    run: ObservedRun = ObservedRun()
    follow_up: ObservedFollowUp = ObservedFollowUp()
    probe_history: ProbeHistory | None = None
    model_failures: ModelFailures = ModelFailures()
    internal_error: str = ""  # of reme itself, once it is certain that it does not pass
    workloads: int = 0  # of the namespace, where the policy bounds the share that is changed

    @property
    def policy(self) -> RemediationPolicySpec:
        """The policy that the remediation was created under."""
        return self.remediation.spec.policy.spec

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt."""
        return latest_attempt(self.remediation)


def latest_attempt(remediation: Remediation) -> Attempt | None:
    """Return the latest attempt."""
    attempts = remediation.status.attempts
    return attempts[-1] if attempts else None


def follows_cause(attempt: Attempt) -> bool:
    """Return whether the coordinator chose to follow the cause in this attempt."""
    return bool(attempt.investigation) and attempt.investigation[-1].choice is Choice.FOLLOW_CAUSE


def follow_up_of(remediation: Remediation, attempt: Attempt) -> FollowUp | None:
    """Return the follow-up report that this attempt opened."""
    follow_up = remediation.status.follow_up
    return follow_up if follow_up is not None and follow_up.attempt == attempt.number else None


def is_following(remediation: Remediation) -> bool:
    """Return whether it does nothing but wait for the remediation of a cause, and probe.

    It then needs neither its target nor a slot of the budgets: the remediation of the cause takes
    its own.
    """
    attempt = latest_attempt(remediation)
    return (
        remediation.status.outcome is None
        and attempt is not None
        and follow_up_of(remediation, attempt) is not None
    )


def has_run(remediation: Remediation) -> bool:
    """Return whether an attempt has had a run."""
    return any(attempt.run is not None for attempt in remediation.status.attempts)


def current_run(remediation: Remediation) -> Run | None:
    """Return the run that is in flight, or named and not yet created."""
    attempt, manual_rollbacks = latest_attempt(remediation), remediation.status.manual_rollbacks
    runs = [manual_rollbacks[-1].run] if manual_rollbacks else []
    if attempt is not None and attempt.outcome is None:
        runs += [attempt.rollback, attempt.run]
    return next((run for run in runs if run is not None and run.reason is None), None)


def rejection_reason(attempt: Attempt) -> Reason:
    """Return the reason of a rejection: its rule where that is one, else PlaybookRejected."""
    rule = attempt.rejection.rule if attempt.rejection else ""
    return Reason(rule) if rule in list(Reason) else Reason.PLAYBOOK_REJECTED

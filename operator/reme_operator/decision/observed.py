"""Everything that a decision may depend on, read before it is made."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reme_api.reasons import Reason
from reme_api.remediation import Attempt, Remediation, Run
from reme_operator.decision.probe_verdict import ProbeHistory
from reme_operator.kill_switch.state import OFF, KillSwitchState


class JobState(StrEnum):
    """What the API server says about the Job of a run."""

    ABSENT = "Absent"
    ACTIVE = "Active"
    COMPLETE = "Complete"
    FAILED = "Failed"
    OVERDUE = "Overdue"  # failed because it took longer than it may


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """What can be seen of the run that is under way."""

    job: JobState = JobState.ABSENT
    claimed: bool = False  # it has begun: it may have written
    reason: Reason | None = None  # how it ended, by its own word
    message: str = ""
    stuck: str = ""  # why its pod has not begun, if the cluster says why


@dataclass(frozen=True, slots=True)
class ModelFailures:
    """Failures to reach the model in this process, for the open attempt."""

    count: int = 0
    reason: Reason = Reason.MODEL_UNAVAILABLE
    message: str = ""
    retry_at: datetime | None = None
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """One remediation and its surroundings at one moment."""

    remediation: Remediation
    report_gone: bool = False
    target_gone: bool = False
    held: str = ""  # who holds it before its next write: the remediation, its report, its policy
    held_for: Reason = Reason.SUSPENDED
    switch: KillSwitchState = OFF  # the kill switch
    run: ObservedRun = ObservedRun()
    probe_history: ProbeHistory | None = None
    model_failures: ModelFailures = ModelFailures()
    internal_error: str = ""  # what keeps going wrong in reme itself, once that is certain

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt."""
        attempts = self.remediation.status.attempts
        return attempts[-1] if attempts else None


def current_run(remediation: Remediation) -> Run | None:
    """Return the run that is under way, or named and not yet created."""
    attempts, manual_rollbacks = remediation.status.attempts, remediation.status.manual_rollbacks
    if (
        manual_rollbacks
        and manual_rollbacks[-1].run is not None
        and manual_rollbacks[-1].run.reason is None
    ):
        return manual_rollbacks[-1].run
    if not attempts or attempts[-1].outcome is not None:
        return None
    last = attempts[-1]
    if last.rollback is not None and last.rollback.reason is None:
        return last.rollback
    if last.run is not None and last.run.reason is None:
        return last.run
    return None

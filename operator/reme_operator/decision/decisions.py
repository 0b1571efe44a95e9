"""What the operator may do next: one frozen type per kind of step, with data and no behaviour."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reme_api.investigation import Cause
from reme_api.reasons import Outcome, Reason
from reme_operator.decision.probe_verdict import WindowVerdict


class RunKind(StrEnum):
    """What an identity with rights exists for."""

    REPAIR = "Repair"  # the run of an attempt
    ROLLBACK = "Rollback"  # of an attempt
    MANUAL_ROLLBACK = "ManualRollback"  # that a person asked for after the end
    DRY_RUN = "DryRun"  # that no run has followed yet


@dataclass(frozen=True, slots=True)
class Begin:
    """Write the first status: the start time, and every condition as pending."""


@dataclass(frozen=True, slots=True)
class ProbeBaseline:
    """Take one round of probes for the baseline."""

    again: bool = False  # here and below: the baseline before has become old


@dataclass(frozen=True, slots=True)
class ConcludeBaseline:
    """Record what the baseline showed."""

    verdict: WindowVerdict
    again: bool = False


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """Start another attempt."""

    number: int


@dataclass(frozen=True, slots=True)
class ChooseRound:
    """Ask the coordinator what to do next, and record its choice before anything is done."""

    number: int


@dataclass(frozen=True, slots=True)
class RunRound:
    """Perform the inspections that the coordinator chose, and store their findings."""

    number: int


@dataclass(frozen=True, slots=True)
class Generate:
    """Read the cluster, ask the model, and store its reply."""


@dataclass(frozen=True, slots=True)
class OpenFollowUp:
    """Record that a report is opened for the cause, and its name, before it exists."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class CreateFollowUp:
    """Create, or adopt, the report that is recorded; it can be done twice."""


@dataclass(frozen=True, slots=True)
class RecordFollowUp:
    """Record the name of the remediation that the report became."""

    remediation: str


@dataclass(frozen=True, slots=True)
class EndFollowUp:
    """Record how the remediation of the cause ended, or why there is none."""

    outcome: Outcome | None
    message: str


@dataclass(frozen=True, slots=True)
class ConcludeFollowUp:
    """Record what the probes showed after the remediation of the cause had ended."""

    verdict: WindowVerdict


@dataclass(frozen=True, slots=True)
class Validate:
    """Compile the reply and check it against the policy and the cluster as it is now."""


@dataclass(frozen=True, slots=True)
class RunDryRun:
    """Grant the run's identity its rights, and dry-run its tasks on the API server."""


@dataclass(frozen=True, slots=True)
class RenewPlan:
    """Name another dry run: the rights of the last one are revoked, or old."""


@dataclass(frozen=True, slots=True)
class RecordApproval:
    """Record what a person decided, before anything follows from it."""


@dataclass(frozen=True, slots=True)
class ApplyEdit:
    """Validate the playbook that a person wrote, and put it in the place of the model's."""


@dataclass(frozen=True, slots=True)
class BeginHold:
    """Record that the remediation is on hold: from now on it takes no room in any budget."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class EndHold:
    """Record that the hold is over, if the budgets and the target have room."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Validate once more, store what the run will change, and name the run before it exists."""


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Create, or adopt, everything that the named run needs; the Job last."""

    kind: RunKind = RunKind.REPAIR


@dataclass(frozen=True, slots=True)
class RecordRun:
    """Record how a run ended."""

    reason: Reason
    message: str
    kind: RunKind = RunKind.REPAIR


@dataclass(frozen=True, slots=True)
class StopRun:
    """Revoke the rights of a run, delete its Job, and record that."""

    reason: Reason
    message: str
    kind: RunKind = RunKind.REPAIR


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Delete what a run needed: its rights first, its result last."""

    attempt: int
    kind: RunKind = RunKind.REPAIR


@dataclass(frozen=True, slots=True)
class BeginVerification:
    """Record when the verification started, so that its timeout survives a restart."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Take one round of probes for the verification."""


@dataclass(frozen=True, slots=True)
class ConcludeVerification:
    """Record what the verification showed."""

    verdict: WindowVerdict


@dataclass(frozen=True, slots=True)
class AbortAttempt:
    """Record why the open attempt must be rolled back, before anything is done about it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class BeginManualRollback:
    """Record that a person asked for a rollback, before anything is done about it."""


@dataclass(frozen=True, slots=True)
class CloseManualRollback:
    """Record the outcome of a manual rollback."""

    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class PlanRollback:
    """Derive the rollback from the capture and name its run, or record that there is none."""

    manual: bool = False


@dataclass(frozen=True, slots=True)
class VerifyRollback:
    """Compare the cluster with the capture, and record what is restored, or that it is not."""

    manual: bool = False


@dataclass(frozen=True, slots=True)
class SettleRollback:
    """Take one round of probes, and see whether the rollout of the target has settled."""

    manual: bool = False


@dataclass(frozen=True, slots=True)
class ConcludeRollback:
    """Record whether the target is as it was before the run."""

    verdict: WindowVerdict
    manual: bool = False


@dataclass(frozen=True, slots=True)
class CloseAttempt:
    """Record the outcome of the open attempt."""

    outcome: Outcome
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Record the outcome of the whole remediation."""

    outcome: Outcome
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing until then, or until something changes; `why` is set when people should see it."""

    until: datetime
    why: Reason | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do."""


Decision = (
    Begin
    | ProbeBaseline
    | ConcludeBaseline
    | OpenAttempt
    | ChooseRound
    | RunRound
    | Generate
    | OpenFollowUp
    | CreateFollowUp
    | RecordFollowUp
    | EndFollowUp
    | ConcludeFollowUp
    | Validate
    | RunDryRun
    | RenewPlan
    | RecordApproval
    | ApplyEdit
    | BeginHold
    | EndHold
    | Capture
    | CreateRun
    | RecordRun
    | StopRun
    | CleanUp
    | BeginVerification
    | Verify
    | ConcludeVerification
    | AbortAttempt
    | BeginManualRollback
    | CloseManualRollback
    | PlanRollback
    | VerifyRollback
    | SettleRollback
    | ConcludeRollback
    | CloseAttempt
    | Finish
    | Wait
    | Done
)

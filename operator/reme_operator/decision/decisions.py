"""What the operator may do next: one frozen type per kind of step, and nothing but data in it."""

from dataclasses import dataclass
from datetime import datetime

from reme_api.reasons import Outcome, Reason
from reme_operator.decision.probe_verdict import WindowVerdict


@dataclass(frozen=True, slots=True)
class Begin:
    """Write the first status: start time, and every condition as pending."""


@dataclass(frozen=True, slots=True)
class ProbeBaseline:
    """Take one round of the baseline."""

    again: bool = False  # here and below: once more, because the first has become old


@dataclass(frozen=True, slots=True)
class ConcludeBaseline:
    """Record what the baseline showed."""

    verdict: WindowVerdict
    again: bool = False


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """Begin another attempt."""

    number: int


@dataclass(frozen=True, slots=True)
class Generate:
    """Read the cluster, ask the model, and keep what it said."""


@dataclass(frozen=True, slots=True)
class Validate:
    """Compile the reply and check it against the policy and the cluster as it is now."""


@dataclass(frozen=True, slots=True)
class RunDryRun:
    """Give the run's identity its rights, and have the API server say what the run would change."""


@dataclass(frozen=True, slots=True)
class RenewPlan:
    """Name another dry run, because the rights of the last are gone or old."""


@dataclass(frozen=True, slots=True)
class RecordApproval:
    """Record what a person decided, before anything follows from it."""


@dataclass(frozen=True, slots=True)
class ApplyEdit:
    """Put the playbook that a person wrote through the gate, and in the place of the model's."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Check once more, keep what the run will change, and name the run before it exists."""


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Make, or adopt, everything that the named run needs; the Job last."""

    undo: bool = False
    manual: bool = False  # here and below: the undo is one that a person asked for


@dataclass(frozen=True, slots=True)
class RecordRun:
    """Record how a run ended."""

    reason: Reason
    message: str
    undo: bool = False
    manual: bool = False


@dataclass(frozen=True, slots=True)
class StopRun:
    """Take the rights of a run away, stop it, and record that."""

    reason: Reason
    message: str
    undo: bool = False
    manual: bool = False


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Remove what a run needed: its rights first, what it left behind last."""

    attempt: int
    undo: bool = False
    plan: bool = False  # of a dry run that no run has followed
    manual: bool = False


@dataclass(frozen=True, slots=True)
class BeginVerification:
    """Record when the verification began, so that its timeout survives a restart."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Take one round of the verification."""


@dataclass(frozen=True, slots=True)
class ConcludeVerification:
    """Record what the verification showed."""

    verdict: WindowVerdict


@dataclass(frozen=True, slots=True)
class AbortAttempt:
    """Record why the open attempt must not stay, before anything is done about it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class BeginManualRollback:
    """Record that a person wants the remediation undone, before anything is done about it."""


@dataclass(frozen=True, slots=True)
class CloseManualRollback:
    """Record what came of an undo that a person asked for."""

    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class PlanRollback:
    """Derive the undo from the capture and name its run, or record that nothing is to be undone."""

    manual: bool = False


@dataclass(frozen=True, slots=True)
class VerifyRollback:
    """Compare the cluster with the capture, and record the result."""

    manual: bool = False


@dataclass(frozen=True, slots=True)
class CloseAttempt:
    """Record what came of the open attempt."""

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
    """Do nothing until then, or until something changes; `why` is shown when it is for people."""

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
    | Generate
    | Validate
    | RunDryRun
    | RenewPlan
    | RecordApproval
    | ApplyEdit
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
    | CloseAttempt
    | Finish
    | Wait
    | Done
)

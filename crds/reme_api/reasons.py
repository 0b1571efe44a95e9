"""Every word that a status may hold: conditions, reasons, outcomes, steps."""

from enum import StrEnum


class ConditionType(StrEnum):
    """What is stated about an object."""

    ACCEPTED = "Accepted"  # DiagnosisReport
    REMEDIATED = "Remediated"  # DiagnosisReport
    SUCCEEDED = "Succeeded"  # Remediation, the summary
    GENERATED = "Generated"
    VALIDATED = "Validated"
    APPROVED = "Approved"
    EXECUTED = "Executed"
    VERIFIED = "Verified"
    STALLED = "Stalled"
    READY = "Ready"  # RemediationPolicy


class Outcome(StrEnum):
    """How a remediation ended."""

    VERIFIED = "Verified"
    UNVERIFIED = "Unverified"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_FAILED = "RollbackFailed"
    REJECTED = "Rejected"
    NO_ACTION_NEEDED = "NoActionNeeded"
    ABSTAINED = "Abstained"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"
    OBSERVED = "Observed"  # mode Observe: a plan, never run
    FAILED = "Failed"  # reme itself could not go on: model unreachable, run could not start


class Step(StrEnum):
    """The steps of a remediation, in their order; each is timed."""

    ADMIT = "Admit"
    BASELINE = "Baseline"
    CONTEXT = "Context"
    GENERATE = "Generate"
    VALIDATE = "Validate"
    DRY_RUN = "DryRun"
    APPROVE = "Approve"
    CAPTURE = "Capture"
    PREPARE = "Prepare"  # grant, identity, Job
    EXECUTE = "Execute"
    VERIFY = "Verify"
    ROLLBACK = "Rollback"
    VERIFY_ROLLBACK = "VerifyRollback"
    CLEAN_UP = "CleanUp"
    RECORD = "Record"


class Reason(StrEnum):
    """Why a condition has its status: for people and for alerts."""

    # A report is taken or not
    REMEDIATION_CREATED = "RemediationCreated"
    SUSPENDED = "Suspended"
    NO_POLICY_MATCHES = "NoPolicyMatches"
    POLICY_NOT_FOUND = "PolicyNotFound"
    POLICY_READY = "PolicyReady"
    POLICY_SUSPENDED = "PolicySuspended"
    POLICY_INVALID = "PolicyInvalid"
    POLICY_CONFLICT = "PolicyConflict"
    POLICY_ALLOWS_NOTHING = "PolicyAllowsNothing"
    TARGET_NOT_FOUND = "TargetNotFound"
    TARGET_UNSUPPORTED = "TargetUnsupported"
    TARGET_PROTECTED = "TargetProtected"
    TARGET_LOCKED = "TargetLocked"  # another remediation holds the target lock
    COOLING_DOWN = "CoolingDown"
    BUDGET_EXHAUSTED = "BudgetExhausted"
    OUTSIDE_WINDOW = "OutsideWindow"
    SAME_CAUSE = "SameCause"  # in a storm: another report is acted on for this one too
    REPORT_STORM = "ReportStorm"  # in a storm: few are acted on at once, the worst first
    KILL_SWITCH = "KillSwitch"
    INSUFFICIENT_EVIDENCE = "InsufficientEvidence"
    INVALID_OBJECT = "InvalidObject"
    # On its way
    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    WAITING_FOR_BUDGET = "WaitingForBudget"
    WAITING_FOR_PERSISTENCE = "WaitingForPersistence"  # the fault may pass by itself
    # Generated
    PLAYBOOK_GENERATED = "PlaybookGenerated"
    MODEL_UNAVAILABLE = "ModelUnavailable"
    MODEL_TIMED_OUT = "ModelTimedOut"
    MODEL_REPLY_EMPTY = "ModelReplyEmpty"
    MODEL_REPLY_INVALID = "ModelReplyInvalid"
    MODEL_REPLY_TOO_LARGE = "ModelReplyTooLarge"
    MODEL_ABSTAINED = "ModelAbstained"
    # Validated
    PLAYBOOK_ALLOWED = "PlaybookAllowed"
    PLAYBOOK_REJECTED = "PlaybookRejected"
    DRY_RUN_REFUSED = "DryRunRefused"  # by the API server: the run would have been refused too
    # Approved
    APPROVED_BY_POLICY = "ApprovedByPolicy"
    APPROVED_BY_PERSON = "ApprovedByPerson"
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    PLAN_CHANGED = "PlanChanged"  # since it was approved, so that it waits for another approval
    EDIT_REFUSED = "EditRefused"
    REJECTED_BY_PERSON = "RejectedByPerson"
    APPROVAL_EXPIRED = "ApprovalExpired"
    OBSERVE_ONLY = "ObserveOnly"
    # Executed
    RUN_SUCCEEDED = "RunSucceeded"
    RUN_FAILED = "RunFailed"
    RUN_TIMED_OUT = "RunTimedOut"
    RUN_LOST = "RunLost"
    RUN_NOT_STARTED = "RunNotStarted"
    # Verified
    PROBES_PASSED = "ProbesPassed"
    PROBES_FAILED = "ProbesFailed"
    PROBES_INCONCLUSIVE = "ProbesInconclusive"
    NEIGHBOURS_DEGRADED = "NeighboursDegraded"
    # Ended
    ALREADY_HEALTHY = "AlreadyHealthy"
    DIAGNOSIS_CONTRADICTED = "DiagnosisContradicted"  # what is seen is not what was reported
    FAULT_ELSEWHERE = "FaultElsewhere"
    NO_ACTION_HELPS = "NoActionHelps"
    ROLLBACK_DISABLED = "RollbackDisabled"  # the run did not help and the policy disables rollback
    TARGET_DELETED = "TargetDeleted"
    REPORT_DELETED = "ReportDeleted"
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    CANCELLED = "Cancelled"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_FAILED = "RollbackFailed"
    TAMPERED = "Tampered"
    INTERNAL_ERROR = "InternalError"

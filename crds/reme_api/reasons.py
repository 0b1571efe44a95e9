"""Condition types, outcomes, steps and reasons, each with its meaning for the reference."""

from enum import StrEnum
from typing import Self


class _Documented(StrEnum):
    """An enumeration whose members are declared as value and meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class ConditionType(_Documented):
    """Condition types."""

    ACCEPTED = "Accepted", "DiagnosisReport: reme acts on the report."
    REMEDIATED = "Remediated", "DiagnosisReport: the last remediation succeeded."
    SUCCEEDED = "Succeeded", "Remediation: summary; Unknown until the end."
    GENERATED = "Generated", "Remediation: the model returned a playbook."
    VALIDATED = "Validated", "Remediation: the playbook compiles and the policy allows it."
    APPROVED = "Approved", "Remediation: the plan may run."
    EXECUTED = "Executed", "Remediation: the run ended without an error."
    VERIFIED = "Verified", "Remediation: the probes passed after the run."
    STALLED = "Stalled", "Remediation: a person must act."
    READY = "Ready", "RemediationPolicy: the policy is valid and in use."


class Outcome(_Documented):
    """Outcome of a remediation."""

    VERIFIED = "Verified", "The run helped: the probes passed over the whole window."
    UNVERIFIED = "Unverified", "The run ended, and the probes could not show whether it helped."
    ROLLED_BACK = "RolledBack", "The run did not help, and its changes were rolled back."
    ROLLBACK_FAILED = "RollbackFailed", "The run did not help, and the rollback failed: check it."
    REJECTED = "Rejected", "No playbook was allowed to run."
    NO_ACTION_NEEDED = "NoActionNeeded", "The target is healthy; nothing was changed."
    ABSTAINED = "Abstained", "No action was expected to help; nothing was changed."
    TIMED_OUT = "TimedOut", "The deadline passed before a verified repair."
    CANCELLED = "Cancelled", "A person, or the deletion of the report or target, ended it."
    OBSERVED = "Observed", "Mode Observe: the plan was recorded and not run."
    FAILED = "Failed", "reme could not continue, for example without a model or a run."


class Step(_Documented):
    """Steps of a remediation, in order; each is timed."""

    ADMIT = "Admit", "Evaluates the report."
    BASELINE = "Baseline", "Probes the target before the run."
    INVESTIGATE = "Investigate", "Inspects the cluster in rounds (method ThinkRemed)."
    FOLLOW_CAUSE = "FollowCause", "Waits for the remediation of another workload, the cause."
    CONTEXT = "Context", "Collects the cluster snapshot and writes the prompt."
    GENERATE = "Generate", "Waits for the playbook of the model."
    VALIDATE = "Validate", "Compiles the playbook and checks it against the policy."
    DRY_RUN = "DryRun", "Records the plan by a server-side dry run."
    APPROVE = "Approve", "Waits for an approval."
    CAPTURE = "Capture", "Stores the fields that the run will change."
    PREPARE = "Prepare", "Creates the RunGrant, the ServiceAccount, the bindings and the Job."
    EXECUTE = "Execute", "Waits for the run."
    VERIFY = "Verify", "Probes the target and its neighbours after the run."
    ROLLBACK = "Rollback", "Restores the captured fields."
    VERIFY_ROLLBACK = "VerifyRollback", "Checks that the captured fields are restored."
    CLEAN_UP = "CleanUp", "Deletes the permissions and objects of the run."
    RECORD = "Record", "Writes the status."


class Reason(_Documented):
    """Reason of a condition; stable, for alerts."""

    # Accepted and Ready
    REMEDIATION_CREATED = "RemediationCreated", "The report is accepted; a Remediation exists."
    SUSPENDED = "Suspended", "spec.suspend is true, or the operator is paused: resume it."
    NO_POLICY_MATCHES = (
        "NoPolicyMatches",
        "No policy selects the target and fault type: create one, or widen its targets.",
    )
    POLICY_NOT_FOUND = "PolicyNotFound", "The policy named by spec.policyRef does not exist."
    POLICY_READY = "PolicyReady", "The policy is valid and in use."
    POLICY_SUSPENDED = "PolicySuspended", "spec.suspend of the policy is true."
    POLICY_INVALID = "PolicyInvalid", "The policy has an error, which the message names: fix it."
    POLICY_CONFLICT = (
        "PolicyConflict",
        "Two policies match equally well: make one more specific, or set spec.policyRef.",
    )
    POLICY_ALLOWS_NOTHING = (
        "PolicyAllowsNothing",
        "The policy allows no action, or none that fits the target.",
    )
    TARGET_NOT_FOUND = "TargetNotFound", "The target does not exist in the report's namespace."
    TARGET_UNSUPPORTED = "TargetUnsupported", "reme cannot act on this kind or state of workload."
    TARGET_PROTECTED = (
        "TargetProtected",
        "The target is part of reme, in a system namespace, or labelled reme.dev/protected.",
    )
    TARGET_LOCKED = "TargetLocked", "Another remediation of the target is in progress."
    COOLING_DOWN = "CoolingDown", "The cooldown of the target has not passed."
    BUDGET_EXHAUSTED = "BudgetExhausted", "A budget of the policy or of the operator is used up."
    OUTSIDE_WINDOW = "OutsideWindow", "No time window of the policy is open."
    SAME_CAUSE = "SameCause", "Report storm: another report of the same cause is handled first."
    REPORT_STORM = "ReportStorm", "Report storm: reports of higher priority are handled first."
    KILL_SWITCH = "KillSwitch", "The kill switch is on: delete its ConfigMap to continue."
    TOO_LITTLE_EVIDENCE = (
        "TooLittleEvidence",
        "Less evidence than the policy or the model needs, or no probe that sees the fault.",
    )
    INVALID_OBJECT = "InvalidObject", "The object has an error, which the message names: fix it."
    # In progress
    PENDING = "Pending", "Not reached yet."
    IN_PROGRESS = "InProgress", "In progress."
    WAITING_FOR_PERSISTENCE = (
        "WaitingForPersistence",
        "The fault has not lasted evidence.minPersistenceSeconds yet.",
    )
    # Generated
    PLAYBOOK_GENERATED = "PlaybookGenerated", "The model returned a playbook."
    MODEL_UNAVAILABLE = (
        "ModelUnavailable",
        "The model server cannot be reached or refuses requests.",
    )
    MODEL_TIMED_OUT = "ModelTimedOut", "The model did not reply in time."
    MODEL_REPLY_EMPTY = "ModelReplyEmpty", "The model returned an empty reply."
    MODEL_REPLY_INVALID = "ModelReplyInvalid", "The reply of the model is not a playbook."
    MODEL_REPLY_TOO_LARGE = "ModelReplyTooLarge", "The reply of the model exceeds the size limit."
    MODEL_ABSTAINED = "ModelAbstained", "The model abstained; the message has its reason."
    # Validated
    PLAYBOOK_ALLOWED = "PlaybookAllowed", "The playbook compiles and the policy allows it."
    PLAYBOOK_REJECTED = "PlaybookRejected", "The playbook breaks a rule, which the message names."
    DRY_RUN_REFUSED = "DryRunRefused", "The API server refused the dry run, so the run would fail."
    # Approved
    APPROVED_BY_POLICY = "ApprovedByPolicy", "Mode Auto: the plan needs no approval."
    APPROVED_BY_PERSON = "ApprovedByPerson", "A person approved the plan."
    WAITING_FOR_APPROVAL = (
        "WaitingForApproval",
        "The plan waits for a person: kubectl reme approve.",
    )
    PLAN_CHANGED = "PlanChanged", "The plan changed after its approval, and needs a new one."
    EDIT_REFUSED = "EditRefused", "The edited playbook breaks a rule: correct it, or decide anew."
    REJECTED_BY_PERSON = "RejectedByPerson", "A person rejected the plan."
    APPROVAL_EXPIRED = "ApprovalExpired", "Nobody decided within approvalTimeoutSeconds."
    HOLD_EXPIRED = "HoldExpired", "The plan was on hold for holdTimeoutSeconds: make a new report."
    OBSERVE_ONLY = "ObserveOnly", "Mode Observe: nothing is run."
    FOLLOWING_CAUSE = (
        "FollowingCause",
        "The cause is another workload, whose own report is being handled.",
    )
    # Executed
    RUN_SUCCEEDED = "RunSucceeded", "All tasks of the run succeeded."
    RUN_FAILED = "RunFailed", "A task of the run failed; the message has its error."
    RUN_TIMED_OUT = "RunTimedOut", "The run exceeded sandbox.deadlineSeconds."
    RUN_LOST = "RunLost", "The Job or its result is gone; what it changed is unknown."
    RUN_NOT_STARTED = "RunNotStarted", "The pod of the run did not start."
    # Verified
    PROBES_PASSED = "ProbesPassed", "The probes passed over the whole window."
    PROBES_FAILED = "ProbesFailed", "The probes did not pass before the timeout."
    PROBES_INCONCLUSIVE = "ProbesInconclusive", "The probes could not be sampled often enough."
    NEIGHBOURS_DEGRADED = (
        "NeighboursDegraded",
        "A neighbour has fewer available replicas than before.",
    )
    # Ended
    ALREADY_HEALTHY = "AlreadyHealthy", "The probes pass already."
    DIAGNOSIS_CONTRADICTED = "DiagnosisContradicted", "The cluster contradicts the report."
    FAULT_ELSEWHERE = "FaultElsewhere", "The fault is not in this workload."
    CAUSE_REPAIRED = "CauseRepaired", "The remediation of the cause helped: the probes pass."
    CAUSE_NOT_REPAIRED = (
        "CauseNotRepaired",
        "The fault is in another workload, and its remediation did not help.",
    )
    NO_ACTION_HELPS = "NoActionHelps", "No allowed action is expected to help."
    ROLLBACK_DISABLED = "RollbackDisabled", "The run did not help; rollback.enabled is false."
    TARGET_DELETED = "TargetDeleted", "The target was deleted."
    REPORT_DELETED = "ReportDeleted", "The report was deleted."
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted", "maxAttempts playbooks did not help."
    DEADLINE_EXCEEDED = "DeadlineExceeded", "deadlineSeconds passed."
    CANCELLED = "Cancelled", "spec.cancel is true."
    ROLLED_BACK = "RolledBack", "The changes were rolled back."
    ROLLBACK_FAILED = "RollbackFailed", "The rollback failed: restore the target by hand."
    TAMPERED = "Tampered", "A stored text does not match its digest: check who changed it."
    INTERNAL_ERROR = "InternalError", "An error in reme: see the log of the operator."

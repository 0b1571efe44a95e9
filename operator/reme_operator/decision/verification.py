"""What comes next for an attempt whose run has succeeded: verify it, then close it. Pure."""

from datetime import datetime, timedelta

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt
from reme_operator.decision.coverage import unseen
from reme_operator.decision.decisions import (
    AbortAttempt,
    BeginVerification,
    CloseAttempt,
    ConcludeVerification,
    Decision,
    Verify,
    Wait,
)
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import verification_verdict


def decide_verification(observed: Observed, attempt: Attempt, now: datetime) -> Decision:
    """Return the next round of probes, the conclusion, or the abort that a failure leads to."""
    window, history = attempt.verification, observed.probe_history
    if window is None:
        return BeginVerification()
    if window.completion_time is not None:  # it failed: any other result closes the attempt
        return AbortAttempt(Reason.PROBES_FAILED, window.message)
    if history is None:
        return Verify()
    policy = observed.policy.verification
    period = timedelta(seconds=policy.period_seconds)
    length = timedelta(seconds=policy.window_seconds)
    # A restart loses the samples, not the clock; but one whole window always has its chance.
    deadline = max(
        window.start_time + timedelta(seconds=policy.timeout_seconds),
        history.started + length + 2 * period,
    )
    if verdict := verification_verdict(history, now, window=length, deadline=deadline):
        return ConcludeVerification(verdict)
    due = (history.last_at or now - period) + period
    return Verify() if now >= due else Wait(due)


def close_verified(observed: Observed, attempt: Attempt) -> Decision | None:
    """Close an attempt whose verification has ended, unless it failed; None for any other."""
    window, baseline = attempt.verification, observed.remediation.status.baseline
    if attempt.reason is not None or window is None or window.completion_time is None:
        return None
    if window.verdict is ProbeVerdict.FAILED:
        return None
    if window.verdict is not ProbeVerdict.PASSED:
        return CloseAttempt(Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE, window.message)
    gap = unseen(observed.remediation)
    if baseline is None or baseline.verdict is not ProbeVerdict.FAILED:
        message = "every probe passes now, but none had failed before the run"
        if gap:
            message += f", and {gap}: check that the fault is gone"
        return CloseAttempt(Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE, message)
    message = window.message
    if observed.remediation.spec.coverage.uncovered:
        message += f"; but {gap}: check that too"
    return CloseAttempt(Outcome.VERIFIED, Reason.PROBES_PASSED, message)

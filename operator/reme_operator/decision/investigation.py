"""What comes next in the investigation of an attempt, before a playbook is written. Pure.

    ChooseRound 1 -> Inspect:     RunRound 1 -> ChooseRound 2 -> ..
                  -> Act:         Generate, with all findings
                  -> Abstain:     the end
                  -> FollowCause: the end of this attempt, or a report about the cause

After `maxRounds` rounds of inspections the coordinator is asked once more, without a choice of
inspections. When the time or the tokens are used up, the playbook is written from what is known.
The time counts from the start of the first round, also over a restart.
"""

from datetime import datetime, timedelta

from reme_api.investigation import Cause, Choice, InvestigationRound
from reme_api.policy import Method, RemediationPolicySpec
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt
from reme_operator.decision.abstention import probe_summary
from reme_operator.decision.decisions import ChooseRound, CloseAttempt, Decision, RunRound
from reme_operator.decision.follow_up import decide_follow_up
from reme_operator.decision.observed import Observed


def decide_investigation(observed: Observed, attempt: Attempt, now: datetime) -> Decision | None:
    """Return what comes next; nothing when the playbook is to be written."""
    policy, rounds = observed.policy, attempt.investigation
    if policy.method is not Method.THINK_REMED or not policy.investigation.max_rounds:
        return None
    last = rounds[-1] if rounds else None
    match last.choice if last else None:
        case Choice.ACT:
            return None
        case Choice.ABSTAIN:
            return _abstain(observed, rounds[-1])
        case Choice.FOLLOW_CAUSE:
            return _follow_cause(observed, attempt, rounds[-1], now)
    if _is_used_up(policy, rounds, now):
        return None
    if last is not None and last.completion_time is None:
        return RunRound(last.number)
    number = len(rounds) + 1
    return ChooseRound(number) if number <= policy.investigation.max_rounds + 1 else None


def investigation_end(policy: RemediationPolicySpec, attempt: Attempt) -> datetime | None:
    """Return when the time of the investigation is over; None before its first round."""
    rounds = attempt.investigation
    return (
        rounds[0].start_time + timedelta(seconds=policy.investigation.max_seconds)
        if rounds
        else None
    )


def tokens_of(rounds: list[InvestigationRound]) -> int:
    """Return how many tokens of the model the rounds have used."""
    return sum(entry.prompt_tokens + entry.completion_tokens for entry in rounds)


def _is_used_up(
    policy: RemediationPolicySpec, rounds: list[InvestigationRound], now: datetime
) -> bool:
    if not rounds:
        return False
    limits = policy.investigation
    tokens = tokens_of(rounds)
    late = now - rounds[0].start_time >= timedelta(seconds=limits.max_seconds)
    return late or (tokens > 0 and tokens >= limits.max_tokens)


def _abstain(observed: Observed, last: InvestigationRound) -> Decision:
    message = last.message or "no allowed action would help"
    summary = probe_summary(observed.remediation)
    reason = last.reason or Reason.NO_ACTION_HELPS
    return CloseAttempt(Outcome.ABSTAINED, reason, f"{message}{summary}")


def _follow_cause(
    observed: Observed, attempt: Attempt, last: InvestigationRound, now: datetime
) -> Decision:
    if last.cause is not None and observed.policy.investigation.follow_cause:
        return decide_follow_up(observed, attempt, last.cause, now)
    message = f"{last.message}{cause_text(last.cause)}{probe_summary(observed.remediation)}"
    return CloseAttempt(Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE, message)


def cause_text(cause: Cause | None) -> str:
    """Return the cause and its evidence, as the end of a sentence; empty when there is none."""
    if cause is None:
        return ""
    evidence = "; ".join(cause.evidence[:4])
    return f": {cause.kind} {cause.name}" + (f" ({evidence})" if evidence else "")

"""What comes next once the coordinator chose to follow the cause, another workload. Pure.

    OpenFollowUp -> CreateFollowUp -> (RecordFollowUp) -> EndFollowUp
                 -> BeginVerification -> Verify.. -> ConcludeFollowUp -> CloseAttempt

The cause is repaired by a report and a remediation of its own, under the policy of that workload.
Nothing is done to the target meanwhile. Then the probes of this remediation decide, whatever the
outcome of the other one is.
"""

from datetime import datetime, timedelta

from reme_api.diagnosis_report import TargetKind
from reme_api.investigation import Cause, FollowUp
from reme_api.policy import Mode
from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_operator.decision.coverage import unseen
from reme_operator.decision.deadline import deadline
from reme_operator.decision.decisions import (
    BeginVerification,
    CloseAttempt,
    ConcludeFollowUp,
    CreateFollowUp,
    Decision,
    EndFollowUp,
    OpenFollowUp,
    RecordFollowUp,
    Verify,
    Wait,
)
from reme_operator.decision.observed import Observed, ObservedFollowUp, follow_up_of
from reme_operator.decision.probe_verdict import (
    ProbeHistory,
    WindowVerdict,
    verification_verdict,
)

MAX_DEPTH = 2
"""How many remediations may follow each other from cause to cause."""

FOLLOW_UP_POLL = timedelta(seconds=5)
"""How often the follow-up report is looked at, should its watch events not arrive."""

REFUSAL_TIME = timedelta(seconds=10)
"""How long a refusal must stand: after a restart admission may not know every policy yet."""

_MAX_EVIDENCE = 512
"""Characters of evidence in a message, so that what follows it is not cut."""

_HELPED = frozenset({Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED})

_PASSES = frozenset(
    {
        Reason.SUSPENDED,
        Reason.POLICY_SUSPENDED,
        Reason.KILL_SWITCH,
        Reason.TARGET_LOCKED,
        Reason.BUDGET_EXHAUSTED,
        Reason.SAME_CAUSE,
        Reason.REPORT_STORM,
    }
)
"""Refusals that end without a change of the policy or of the workload."""

_PASSES_AT_RETRY = frozenset({Reason.COOLING_DOWN, Reason.OUTSIDE_WINDOW})
"""Refusals that end at the retry time, if there is one."""


def decide_follow_up(observed: Observed, attempt: Attempt, cause: Cause, now: datetime) -> Decision:
    """Return what comes next for an attempt that follows this cause."""
    follow_up = follow_up_of(observed.remediation, attempt)
    if follow_up is None:
        if why := _why_not(observed, cause):
            return _elsewhere(cause, why)
        return _unless_stopped(observed, OpenFollowUp(cause), now)
    if follow_up.completion_time is None:
        return _wait(observed, follow_up, now)
    return _verify(observed, attempt, follow_up, now)


def close_followed(observed: Observed, attempt: Attempt) -> Decision | None:
    """Close an attempt that followed a cause and whose probes have decided; None for any other."""
    follow_up, window = follow_up_of(observed.remediation, attempt), attempt.verification
    if follow_up is None or attempt.reason is not None:
        return None
    if window is None or window.completion_time is None:
        return None
    text, helped = describe(follow_up), follow_up.outcome in _HELPED
    if window.verdict is ProbeVerdict.PASSED:
        return _close_passed(observed, window.message, text, helped=helped)
    if follow_up.outcome is None:
        return _elsewhere(follow_up.cause, follow_up.message)
    if window.verdict is ProbeVerdict.UNKNOWN and helped:
        message = f"{text}, and then: {window.message}"
        return CloseAttempt(Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE, message)
    advice = (
        "the target has a fault of its own as well, or the cause is still another one"
        if helped
        else f"see kubectl reme show {follow_up.remediation or follow_up.report} and repair"
        f" {workload(follow_up.cause)}"
    )
    message = f"{text}, and the probes of this remediation: {window.message}; {advice}"
    return CloseAttempt(Outcome.ABSTAINED, Reason.CAUSE_NOT_REPAIRED, message)


def may_try_again(remediation: Remediation, attempt: Attempt) -> bool:
    """Return whether another attempt may help after this one.

    The cause is repaired, and the probes still fail: the target may have a fault of its own.
    """
    follow_up = follow_up_of(remediation, attempt)
    return (
        attempt.reason is Reason.CAUSE_NOT_REPAIRED
        and follow_up is not None
        and follow_up.outcome in _HELPED
    )


def workload(cause: Cause) -> str:
    """Return the cause as people write it."""
    return f"{cause.kind} {cause.name}"


def describe(follow_up: FollowUp) -> str:
    """Return what became of the follow-up report, as the start of a sentence."""
    text = f"report {follow_up.report} about {workload(follow_up.cause)}"
    if follow_up.outcome is None:
        ended = f" was not acted on: {follow_up.message}" if follow_up.completion_time else ""
        return f"{text}{ended}"
    remediation = f" (remediation {follow_up.remediation})" if follow_up.remediation else ""
    return f"{text}{remediation} ended with {follow_up.outcome}"


def follow_up_note(remediation: Remediation) -> str:
    """Return what an early end leaves to say about an open follow-up; empty when there is none."""
    follow_up = remediation.status.follow_up
    if follow_up is None or follow_up.completion_time is not None:
        return ""
    return (
        f"; report {follow_up.report} about {workload(follow_up.cause)} is not finished and goes"
        " on by itself: suspend or delete it if that is not wanted"
    )


# before the report exists ------------------------------------------------------------------------


def _why_not(observed: Observed, cause: Cause) -> str:
    """Return why no report is opened for this cause; empty when one may be."""
    spec, status = observed.remediation.spec, observed.remediation.status
    if observed.policy.mode is Mode.OBSERVE:
        return "no report is opened for it: the policy has mode Observe"
    if status.follow_up is not None:
        return f"no further report is opened: {describe(status.follow_up)}"
    if spec.follow_up_of is not None and spec.follow_up_of.depth >= MAX_DEPTH:
        return f"no report is opened for it: this is follow-up {MAX_DEPTH} already"
    if cause.kind not in list(TargetKind):
        return f"no report is opened for it: reme does not act on a {cause.kind}"
    earlier = {(spec.target.kind.value, spec.target.name), *observed.follow_up.earlier_targets}
    if (cause.kind, cause.name) in earlier:
        return "no report is opened for it: it led here"
    return ""


def _elsewhere(cause: Cause, why: str) -> Decision:
    evidence = f": {'; '.join(cause.evidence)}"[:_MAX_EVIDENCE] if cause.evidence else ""
    message = f"the fault is in {workload(cause)}{evidence}; {why}"
    return CloseAttempt(Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE, message)


def _unless_stopped(observed: Observed, decision: Decision, now: datetime) -> Decision:
    """Return the decision, or the wait for whoever stopped everything that writes."""
    if observed.switch.on:
        return Wait(now + FOLLOW_UP_POLL, Reason.KILL_SWITCH, observed.switch.text())
    if observed.hold is not None:
        return Wait(now + FOLLOW_UP_POLL, *observed.hold)
    return decision


# until its remediation has ended -----------------------------------------------------------------


def _wait(observed: Observed, follow_up: FollowUp, now: datetime) -> Decision:
    state = observed.follow_up
    if not follow_up.uid:
        return _unless_stopped(observed, CreateFollowUp(), now)
    if state.remediation and not follow_up.remediation:
        return RecordFollowUp(state.remediation)
    if state.outcome is not None:
        return EndFollowUp(state.outcome, state.outcome_message)
    if state.remediation_gone:
        return EndFollowUp(None, f"remediation {follow_up.remediation} was deleted")
    waits_for = f"report {follow_up.report} about {workload(follow_up.cause)}"
    if not follow_up.remediation:
        if state.gone:
            return EndFollowUp(None, f"report {follow_up.report} was deleted")
        if (
            state.reason is not None
            and _stands(state, now)
            and not _passes(state, deadline(observed.remediation, now))
        ):
            return EndFollowUp(None, f"it is refused: {state.reason}: {state.message}")
        if state.reason is not None:
            waits_for += f", which waits: {state.reason}: {state.message}"
    else:
        waits_for += f", remediation {follow_up.remediation}"
    return Wait(now + FOLLOW_UP_POLL, Reason.FOLLOWING_CAUSE, f"waits for {waits_for}"[:1024])


def _stands(state: ObservedFollowUp, now: datetime) -> bool:
    return state.refused_since is not None and now - state.refused_since >= REFUSAL_TIME


def _passes(state: ObservedFollowUp, until: datetime | None) -> bool:
    """Return whether a refusal may end in time without anybody's help."""
    if state.reason in _PASSES:
        return True
    if state.reason not in _PASSES_AT_RETRY or state.retry_time is None:
        return False
    return until is None or state.retry_time < until


# after it has ended ------------------------------------------------------------------------------


def _verify(observed: Observed, attempt: Attempt, follow_up: FollowUp, now: datetime) -> Decision:
    window, history = attempt.verification, observed.probe_history
    if window is None:
        return BeginVerification()
    if history is None:
        return Verify()
    policy = observed.policy.verification
    period = timedelta(seconds=policy.period_seconds)
    length = timedelta(seconds=policy.window_seconds)
    verdict = None
    if follow_up.outcome not in _HELPED:
        verdict = _failed(history)
    if verdict is None:
        until = max(
            window.start_time + timedelta(seconds=policy.timeout_seconds),
            history.started + length + 2 * period,
        )
        verdict = verification_verdict(history, now, window=length, deadline=until)
    if verdict is not None:
        return ConcludeFollowUp(verdict)
    due = (history.last_at or now - period) + period
    return Verify() if now >= due else Wait(due)


def _failed(history: ProbeHistory) -> WindowVerdict | None:
    """Return the verdict at the first failure: nothing was repaired that could need time."""
    failing = [probe.name for probe in history.probes if probe.failed]
    if not failing:
        return None
    return WindowVerdict(ProbeVerdict.FAILED, f"failing: {', '.join(failing)}")


def _close_passed(observed: Observed, held: str, text: str, *, helped: bool) -> Decision:
    baseline = observed.remediation.status.baseline
    if baseline is None or baseline.verdict is not ProbeVerdict.FAILED:
        message = f"{text}; healthy now, but no probe had failed before"
        return CloseAttempt(Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE, message)
    gap = unseen(observed.remediation)
    if helped:
        note = f"; but {gap}: check that too" if gap else ""
        message = f"{text}, and the probes pass: {held}{note}"
        return CloseAttempt(Outcome.VERIFIED, Reason.CAUSE_REPAIRED, message)
    if gap:
        message = f"{text}; every probe passes now, but {gap}: check that the fault is gone"
        return CloseAttempt(Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE, message)
    message = f"healthy again: {held}; {text}"
    return CloseAttempt(Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY, message)

"""What happens next, state by state."""

from dataclasses import replace
from typing import Any

import pytest

from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Rejection
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import JobState, ModelFailures, Observed, ObservedRun
from reme_operator.decision.probe_verdict import ProbeHistory, ProbeRound
from reme_operator.probes.sample import Sample
from tests.doubles.builders import (
    NOW,
    attempt,
    closed,
    executed,
    generated,
    later,
    plan,
    planned,
    remediation,
    run,
    started,
    text,
    validated_attempt,
    window,
)

PASSED, FAILED, UNKNOWN = ProbeVerdict.PASSED, ProbeVerdict.FAILED, ProbeVerdict.UNKNOWN


def observe(*attempts: Any, **fields: Any) -> Observed:
    observations = {
        key: fields.pop(key)
        for key in (
            "report_gone",
            "target_gone",
            "hold",
            "run",
            "probe_history",
            "model_failures",
            "internal_error",
        )
        if key in fields
    }
    return Observed(remediation(*attempts, **fields), **observations)


def measured(
    passed: bool | None, *, rounds: int = 1, start: float = 0, step: float = 1
) -> ProbeHistory:
    probe_history = ProbeHistory(started=later(start))
    for n in range(rounds):
        at = later(start + n * step)
        probe_history = probe_history.add(
            ProbeRound(at, {"answers": Sample(passed, "", "no answer")})
        )
    return probe_history


TABLE: list[tuple[str, Observed, d.Decision]] = [
    ("nothing yet", observe(started=False), d.Begin()),
    ("no baseline", observe(baseline=None), d.ProbeBaseline()),
    (
        "a baseline that needs more samples",
        observe(baseline=None, probe_history=measured(True)),
        d.Wait(later(1)),
    ),
    (
        "healthy already",
        observe(baseline=PASSED),
        d.Finish(Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY, "it Passed"),
    ),
    ("a fault that is seen", observe(), d.OpenAttempt(1)),
    ("a fault that cannot be measured", observe(baseline=UNKNOWN), d.OpenAttempt(1)),
    ("an open attempt", observe(attempt()), d.Generate()),
    (
        "a model that is away",
        observe(attempt(), model_failures=ModelFailures(1, retry_at=later(4), message="no answer")),
        d.Wait(later(4), Reason.MODEL_UNAVAILABLE, "no answer"),
    ),
    (
        "a model whose time has come again",
        observe(attempt(), model_failures=ModelFailures(1, retry_at=NOW)),
        d.Generate(),
    ),
    (
        "a model that stays away",
        observe(
            attempt(),
            model_failures=ModelFailures(4, Reason.MODEL_TIMED_OUT, "too slow", exhausted=True),
        ),
        d.CloseAttempt(Outcome.FAILED, Reason.MODEL_TIMED_OUT, "too slow"),
    ),
    (
        "an abstention",
        observe(generated(abstained="too little evidence")),
        d.CloseAttempt(Outcome.ABSTAINED, Reason.MODEL_ABSTAINED, "the model abstained"),
    ),
    ("a reply", observe(generated()), d.Validate()),
    (
        "a rejection",
        observe(generated(rejection=Rejection(rule="Bounds", message="too much"))),
        d.CloseAttempt(Outcome.REJECTED, Reason.PLAYBOOK_REJECTED, "too much"),
    ),
    (
        "a reply that is none",
        observe(attempt(rejection=Rejection(rule="ModelReplyEmpty", message="nothing"))),
        d.CloseAttempt(Outcome.REJECTED, Reason.MODEL_REPLY_EMPTY, "nothing"),
    ),
    ("a playbook", observe(validated_attempt(plan=plan(complete=False))), d.RunDryRun()),
    ("a plan", observe(planned()), d.Capture()),
    ("a named run", observe(started(run=run(uid=""))), d.CreateRun()),
    (
        "a named run whose Job is there",
        observe(started(run=run(uid="")), run=ObservedRun(JobState.ACTIVE)),
        d.CreateRun(),
    ),
    (
        "a named run that had begun, without a Job",
        observe(started(run=run(uid="")), run=ObservedRun(claimed=True)),
        d.RecordRun(Reason.RUN_LOST, "it was started, and its Job is gone"),
    ),
    (
        "a run under way",
        observe(started(), run=ObservedRun(JobState.ACTIVE)),
        d.Wait(later(2)),
    ),
    (
        "a result",
        observe(started(), run=ObservedRun(JobState.ACTIVE, True, Reason.RUN_SUCCEEDED, "done")),
        d.RecordRun(Reason.RUN_SUCCEEDED, "done"),
    ),
    (
        "a result that outlived its Job",
        observe(started(), run=ObservedRun(JobState.ABSENT, True, Reason.RUN_FAILED, "no")),
        d.RecordRun(Reason.RUN_FAILED, "no"),
    ),
    (
        "a Job that vanished",
        observe(started(), run=ObservedRun()),
        d.RecordRun(Reason.RUN_LOST, "its Job was deleted before it left a result"),
    ),
    (
        "a pod that never began",
        observe(started(), run=ObservedRun(JobState.OVERDUE)),
        d.RecordRun(Reason.RUN_NOT_STARTED, "its pod did not start"),
    ),
    (
        "a run that took too long",
        observe(started(), run=ObservedRun(JobState.OVERDUE, claimed=True)),
        d.RecordRun(Reason.RUN_TIMED_OUT, "it exceeded its deadline"),
    ),
    (
        "a pod that died",
        observe(started(), run=ObservedRun(JobState.FAILED, claimed=True, message="OOM")),
        d.RecordRun(Reason.RUN_FAILED, "OOM"),
    ),
    (
        "a Job that completed without a word",
        observe(started(), run=ObservedRun(JobState.COMPLETE, claimed=True)),
        d.RecordRun(Reason.RUN_LOST, "its Job completed and left no result"),
    ),
    (
        "a run that ended",
        observe(started(run=run(Reason.RUN_SUCCEEDED))),
        d.CleanUp(1),
    ),
    (
        "a run that never began",
        observe(executed(ended=Reason.RUN_NOT_STARTED)),
        d.CloseAttempt(Outcome.FAILED, Reason.RUN_NOT_STARTED, ""),
    ),
    (
        "a run that its own pod refused",
        observe(executed(ended=Reason.PLAYBOOK_REJECTED)),
        d.CloseAttempt(Outcome.REJECTED, Reason.PLAYBOOK_REJECTED, ""),
    ),
    (
        "a run that failed",
        observe(executed(ended=Reason.RUN_FAILED)),
        d.AbortAttempt(Reason.RUN_FAILED, ""),
    ),
    ("a run that succeeded", observe(executed()), d.BeginVerification()),
    ("a verification", observe(executed(verification=window(None))), d.Verify()),
    (
        "a verified repair",
        observe(executed(verification=window(PASSED))),
        d.CloseAttempt(Outcome.VERIFIED, Reason.PROBES_PASSED, "it Passed"),
    ),
    (
        "healthy after a baseline that was not measured",
        observe(executed(verification=window(PASSED)), baseline=UNKNOWN),
        d.CloseAttempt(
            Outcome.UNVERIFIED,
            Reason.PROBES_INCONCLUSIVE,
            "every probe passes now, but none had failed before the run",
        ),
    ),
    (
        "a verification that could not be measured",
        observe(executed(verification=window(UNKNOWN))),
        d.CloseAttempt(Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE, "it Unknown"),
    ),
    (
        "a failed verification",
        observe(executed(verification=window(FAILED), reason=Reason.PROBES_FAILED)),
        d.PlanRollback(),
    ),
    (
        "a failed verification whose reason was lost",
        observe(executed(verification=window(FAILED))),
        d.AbortAttempt(Reason.PROBES_FAILED, "it Failed"),
    ),
    (
        "a failed verification that must not be rolled back",
        observe(
            executed(verification=window(FAILED), reason=Reason.PROBES_FAILED, message="still bad"),
            rollback={"enabled": False},
        ),
        d.CloseAttempt(
            Outcome.FAILED,
            Reason.ROLLBACK_DISABLED,
            "still bad; not rolled back, because the policy disables it",
        ),
    ),
    (
        "a named rollback",
        observe(
            executed(ended=Reason.RUN_FAILED, rollback=run(uid="", rollback=True)).model_copy(
                update={"reason": Reason.RUN_FAILED}
            )
        ),
        d.CreateRun(d.RunKind.ROLLBACK),
    ),
    (
        "a rollback in progress",
        observe(
            executed(rollback=run(rollback=True)).model_copy(
                update={"reason": Reason.PROBES_FAILED}
            ),
            run=ObservedRun(JobState.ACTIVE, claimed=True),
        ),
        d.Wait(later(2)),
    ),
    (
        "a rollback that ended",
        observe(
            executed(rollback=run(Reason.RUN_SUCCEEDED, rollback=True)).model_copy(
                update={"reason": Reason.PROBES_FAILED}
            )
        ),
        d.CleanUp(1, d.RunKind.ROLLBACK),
    ),
    (
        "a rollback that is to be verified, whatever the outcome of its Job",
        observe(
            executed(rollback=run(Reason.RUN_FAILED, rollback=True, clean=True)).model_copy(
                update={"reason": Reason.PROBES_FAILED}
            )
        ),
        d.VerifyRollback(),
    ),
    (
        "a rollback that worked",
        observe(
            executed(rollback_verification=window(PASSED)).model_copy(
                update={"reason": Reason.PROBES_FAILED, "message": "still bad"}
            )
        ),
        d.CloseAttempt(Outcome.ROLLED_BACK, Reason.PROBES_FAILED, "still bad; it Passed"),
    ),
    (
        "a rollback that did not",
        observe(
            executed(rollback_verification=window(FAILED)).model_copy(
                update={"reason": Reason.PROBES_FAILED}
            )
        ),
        d.CloseAttempt(Outcome.ROLLBACK_FAILED, Reason.ROLLBACK_FAILED, "it Failed"),
    ),
    (
        "an attempt that did not help, and another one left",
        observe(closed(1, Outcome.ROLLED_BACK, Reason.PROBES_FAILED), max_attempts=2),
        d.OpenAttempt(2),
    ),
    (
        "the last attempt that did not help",
        observe(
            closed(1, Outcome.REJECTED, Reason.PLAYBOOK_REJECTED),
            closed(2, Outcome.ROLLED_BACK, Reason.PROBES_FAILED),
            max_attempts=2,
        ),
        d.Finish(
            Outcome.ROLLED_BACK,
            Reason.ATTEMPTS_EXHAUSTED,
            "none of 2 attempts helped; the last one: so it was",
        ),
    ),
    (
        "an attempt that helped",
        observe(closed(1, Outcome.VERIFIED, Reason.PROBES_PASSED)),
        d.Finish(Outcome.VERIFIED, Reason.PROBES_PASSED, "so it was"),
    ),
    (
        "a rollback that did not work ends everything",
        observe(closed(1, Outcome.ROLLBACK_FAILED, Reason.ROLLBACK_FAILED), max_attempts=5),
        d.Finish(Outcome.ROLLBACK_FAILED, Reason.ROLLBACK_FAILED, "so it was"),
    ),
    (
        "a model that is away ends everything",
        observe(closed(1, Outcome.FAILED, Reason.MODEL_UNAVAILABLE), max_attempts=5),
        d.Finish(Outcome.FAILED, Reason.MODEL_UNAVAILABLE, "so it was"),
    ),
    (
        "a policy that allows nothing ends everything",
        observe(closed(1, Outcome.REJECTED, Reason.POLICY_ALLOWS_NOTHING), max_attempts=5),
        d.Finish(Outcome.REJECTED, Reason.POLICY_ALLOWS_NOTHING, "so it was"),
    ),
    ("the end", observe(outcome=Outcome.VERIFIED), d.Done()),
    (
        "an end with something left behind",
        observe(started(outcome=Outcome.VERIFIED), outcome=Outcome.VERIFIED),
        d.CleanUp(1),
    ),
]


@pytest.mark.parametrize(
    ("observations", "expected"), [t[1:] for t in TABLE], ids=[t[0] for t in TABLE]
)
def test_what_happens_next(observations: Observed, expected: d.Decision) -> None:
    assert decide(observations, NOW) == expected


CALLED_OFF: list[tuple[dict[str, Any], Reason, Outcome]] = [
    ({"cancel": True}, Reason.CANCELLED, Outcome.CANCELLED),
    ({"deleting": True}, Reason.CANCELLED, Outcome.CANCELLED),
    ({"report_gone": True}, Reason.REPORT_DELETED, Outcome.CANCELLED),
    ({"target_gone": True}, Reason.TARGET_DELETED, Outcome.CANCELLED),
    ({"internal_error": "it never works"}, Reason.INTERNAL_ERROR, Outcome.FAILED),
]


@pytest.mark.parametrize(("why", "reason", "outcome"), CALLED_OFF)
def test_called_off_before_anything_ran(
    why: dict[str, Any], reason: Reason, outcome: Outcome
) -> None:
    first = decide(observe(baseline=None, **why), NOW)
    assert isinstance(first, d.Finish)
    assert (first.outcome, first.reason) == (outcome, reason)
    for state in (attempt(), generated(), validated_attempt(), planned()):
        decision = decide(observe(state, **why), NOW)
        assert isinstance(decision, d.CloseAttempt)
        assert (decision.outcome, decision.reason) == (outcome, reason)


@pytest.mark.parametrize(("why", "reason", "outcome"), CALLED_OFF)
def test_called_off_in_mid_run_is_recorded_before_it_is_done(
    why: dict[str, Any], reason: Reason, outcome: Outcome
) -> None:
    under_way = ObservedRun(JobState.ACTIVE, claimed=True)
    decision = decide(observe(started(), run=under_way, **why), NOW)
    assert isinstance(decision, d.AbortAttempt)
    assert decision.reason is reason
    noted = started().model_copy(update={"reason": reason, "message": "because"})
    assert decide(observe(noted, run=under_way, **why), NOW) == d.StopRun(reason, "because")


def test_a_cancelled_run_is_rolled_back_if_it_wrote() -> None:
    stopped = executed(ended=Reason.CANCELLED)
    stopped = stopped.model_copy(update={"reason": Reason.CANCELLED})
    assert decide(observe(stopped, cancel=True), NOW) == d.PlanRollback()
    restored = stopped.model_copy(update={"rollback_verification": window(PASSED)})
    decision = decide(observe(restored, cancel=True), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert decision.outcome is Outcome.CANCELLED
    broken = stopped.model_copy(update={"rollback_verification": window(FAILED)})
    decision = decide(observe(broken, cancel=True), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert decision.outcome is Outcome.ROLLBACK_FAILED


def test_a_run_cancelled_before_it_began_requires_no_rollback() -> None:
    stopped = executed(ended=Reason.RUN_NOT_STARTED)
    stopped = stopped.model_copy(update={"reason": Reason.CANCELLED})
    decision = decide(observe(stopped, cancel=True), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert decision.outcome is Outcome.CANCELLED
    assert "nothing was changed" in decision.message


def test_a_proven_repair_is_not_called_off_any_more() -> None:
    decision = decide(observe(executed(verification=window(PASSED)), cancel=True), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert decision.outcome is Outcome.VERIFIED


def test_the_deadline_counts_from_the_start_and_stops_a_run() -> None:
    observations = observe(
        started(), run=ObservedRun(JobState.ACTIVE, claimed=True), deadline_seconds=30
    )
    before = decide(observations, later(29.9))
    assert isinstance(before, d.Wait)
    decision = decide(observations, later(30))
    assert isinstance(decision, d.AbortAttempt)
    assert decision.reason is Reason.DEADLINE_EXCEEDED
    noted = executed(rollback_verification=window(PASSED)).model_copy(
        update={"reason": Reason.DEADLINE_EXCEEDED}
    )
    closing = decide(observe(noted, deadline_seconds=30), later(31))
    assert isinstance(closing, d.CloseAttempt)
    assert closing.outcome is Outcome.TIMED_OUT


def test_the_deadline_does_not_stop_a_rollback() -> None:
    rolling_back = executed(rollback=run(rollback=True)).model_copy(
        update={"reason": Reason.PROBES_FAILED}
    )
    observations = observe(
        rolling_back, run=ObservedRun(JobState.ACTIVE, claimed=True), deadline_seconds=30
    )
    assert isinstance(decide(observations, later(60)), d.Wait)


def test_a_pod_that_is_kept_from_starting_is_given_up_with_the_clusters_own_words() -> None:
    observations = observe(
        started(), run=ObservedRun(JobState.ACTIVE, stuck="ImagePullBackOff: no such image")
    )
    assert isinstance(decide(observations, later(44)), d.Wait)
    decision = decide(observations, later(45))
    assert isinstance(decision, d.StopRun)
    assert decision.reason is Reason.RUN_NOT_STARTED
    assert "no such image" in decision.message


def test_a_job_that_nobody_ends_is_stopped_from_here() -> None:
    observations = observe(started(), run=ObservedRun(JobState.ACTIVE, claimed=True))
    limit = 120 + 60 + 10 + 30
    assert isinstance(decide(observations, later(limit - 1)), d.Wait)
    decision = decide(observations, later(limit))
    assert isinstance(decision, d.StopRun)
    assert decision.reason is Reason.RUN_TIMED_OUT


def test_a_restart_in_mid_verification_gets_a_whole_window() -> None:
    # Begun long ago, timeout long over, measured for the first time now.
    started_at = executed(verification=window(None))
    fresh = measured(False, rounds=1, start=500)
    observations = observe(started_at, probe_history=fresh, deadline_seconds=86400)
    assert decide(observations, later(500.5)) == d.Wait(later(501))
    assert decide(observations, later(501)) == d.Verify()
    late = replace(observations, probe_history=measured(False, rounds=13, start=500))
    decision = decide(late, later(512))
    assert isinstance(decision, d.ConcludeVerification)
    assert decision.verdict.verdict is FAILED


def test_a_deleted_target_cannot_be_rolled_back() -> None:
    gone = executed(ended=Reason.RUN_FAILED).model_copy(update={"reason": Reason.RUN_FAILED})
    decision = decide(observe(gone, target_gone=True), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.CANCELLED, Reason.TARGET_DELETED)


def test_a_playbook_that_was_tampered_with_is_not_tried_again() -> None:
    state = generated(rejection=Rejection(rule="Tampered", message="another digest"))
    closing = decide(observe(state), NOW)
    assert closing == d.CloseAttempt(Outcome.FAILED, Reason.TAMPERED, "another digest")
    ended = closed(1, Outcome.FAILED, Reason.TAMPERED, playbook=text())
    assert isinstance(decide(observe(ended, max_attempts=5), NOW), d.Finish)

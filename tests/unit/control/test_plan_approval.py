"""When a playbook may run: with a fresh dry run, and with the approval of exactly that plan."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from reme_api.approval import Approval, ApprovalRecord
from reme_api.conditions import Status
from reme_api.probes import ProbeVerdict
from reme_api.reasons import ConditionType, Outcome, Reason
from reme_api.remediation import Attempt, Hold, Rejection
from reme_operator.decision import decisions as d
from reme_operator.decision.conditions import derive
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import HoldReason, Observed
from reme_operator.decision.plan_approval import waits_for_person
from reme_operator.kill_switch.state import KillSwitchState
from tests.doubles.builders import (
    DIGEST,
    NOW,
    PLAN_DIGEST,
    attempt,
    closed,
    executed,
    generated,
    later,
    plan,
    planned,
    remediation,
    text,
    validated_attempt,
    window,
)

OTHER = "sha256:" + "c" * 64
CLEAN: dict[str, Any] = {"plan": plan(clean=True)}


def observe(
    *attempts: Attempt, observations: dict[str, Any] | None = None, **fields: Any
) -> Observed:
    return Observed(remediation(*attempts, **fields), **(observations or {}))


def new_approval(decision: str = "Approve", **fields: Any) -> Approval:
    base: dict[str, Any] = {
        "decision": decision,
        "username": "ann",
        "attempt": 1,
        "playbook_digest": DIGEST,
        "plan_digest": PLAN_DIGEST,
    }
    if decision == "Edit":
        base["edited_playbook"] = "[]"
    return Approval.model_validate(base | fields)


def record(decision: str = "Approve", **fields: Any) -> ApprovalRecord:
    base: dict[str, Any] = {
        "decision": decision,
        "username": "ann",
        "decision_time": NOW,
        "playbook_digest": DIGEST,
        "plan_digest": PLAN_DIGEST,
    }
    return ApprovalRecord.model_validate(base | fields)


def on_hold(observed: Observed, since: float = 0, held_seconds: int = 0) -> Observed:
    """Return the same, on hold since then, and for so long before."""
    hold = Hold(reason=Reason.SUSPENDED, start_time=later(since))
    status = observed.remediation.status.model_copy(
        update={"hold": hold, "held_seconds": held_seconds}
    )
    return replace(observed, remediation=observed.remediation.model_copy(update={"status": status}))


def test_a_playbook_is_planned_before_anything_else() -> None:
    for mode in ("Auto", "Approve", "Observe"):
        observed = observe(validated_attempt(plan=plan(complete=False)), mode=mode)
        assert decide(observed, NOW) == d.RunDryRun()


def test_a_playbook_of_an_older_version_is_planned_too() -> None:
    assert decide(observe(validated_attempt()), NOW) == d.RenewPlan()


def test_in_mode_auto_the_run_follows_at_once() -> None:
    assert decide(observe(planned()), NOW) == d.Capture()


def test_an_old_plan_is_made_anew() -> None:
    assert decide(observe(planned()), later(29)) == d.Capture()
    assert decide(observe(planned()), later(31)) == d.CleanUp(1, d.RunKind.DRY_RUN)
    assert decide(observe(planned(**CLEAN)), later(31)) == d.RenewPlan()


def test_a_dry_run_that_a_crash_cut_short_is_cleaned_up_and_made_anew() -> None:
    cut = plan(complete=False)
    assert decide(observe(validated_attempt(plan=cut)), later(31)) == d.CleanUp(
        1, d.RunKind.DRY_RUN
    )
    cut = plan(complete=False, clean=True)
    assert decide(observe(validated_attempt(plan=cut)), later(31)) == d.RenewPlan()


def test_in_mode_observe_the_plan_is_the_end_and_leaves_no_rights() -> None:
    assert decide(observe(planned(), mode="Observe"), NOW) == d.CleanUp(1, d.RunKind.DRY_RUN)
    ended = decide(observe(planned(**CLEAN), mode="Observe"), NOW)
    assert isinstance(ended, d.CloseAttempt)
    assert ended.outcome is Outcome.OBSERVED


def test_nobody_holds_rights_while_a_person_thinks() -> None:
    assert decide(observe(planned(), mode="Approve"), NOW) == d.CleanUp(1, d.RunKind.DRY_RUN)
    waits = decide(observe(planned(**CLEAN), mode="Approve"), NOW)
    assert isinstance(waits, d.Wait)
    assert waits.why is Reason.WAITING_FOR_APPROVAL
    assert PLAN_DIGEST in waits.message


def test_an_approval_is_noted_and_the_plan_is_made_again_before_the_run() -> None:
    waiting = planned(**CLEAN)
    assert (
        decide(observe(waiting, mode="Approve", approval=new_approval()), NOW) == d.RecordApproval()
    )
    approved = planned(**CLEAN, approvals=[record()])
    assert decide(observe(approved, mode="Approve", approval=new_approval()), NOW) == d.RenewPlan()
    again = planned(approvals=[record()])
    assert decide(observe(again, mode="Approve", approval=new_approval()), NOW) == d.Capture()


def test_a_plan_that_has_changed_needs_an_approval_of_its_own() -> None:
    changed = plan(clean=True).model_copy(update={"digest": OTHER})
    result = planned(plan=changed, approvals=[record()])
    waits = decide(observe(result, mode="Approve", approval=new_approval()), NOW)
    assert isinstance(waits, d.Wait)
    assert waits.why is Reason.PLAN_CHANGED
    assert "ann" in waits.message
    anew = new_approval(plan_digest=OTHER)
    assert decide(observe(result, mode="Approve", approval=anew), NOW) == d.RecordApproval()


@pytest.mark.parametrize(
    "about",
    [{"plan_digest": OTHER}, {"playbook_digest": OTHER}, {"attempt": 2}],
    ids=lambda a: next(iter(a)),
)
def test_an_approval_of_something_else_is_none(about: dict[str, Any]) -> None:
    observed = observe(planned(**CLEAN), mode="Approve", approval=new_approval(**about))
    waits = decide(observed, NOW)
    assert isinstance(waits, d.Wait)
    assert waits.why is Reason.WAITING_FOR_APPROVAL


def test_before_an_approved_run_the_baseline_is_taken_anew() -> None:
    approved = planned(**CLEAN, approvals=[record(decision_time=later(20))])
    observed = observe(approved, mode="Approve")
    assert decide(observed, later(20)) == d.ProbeBaseline(again=True)

    def measured(verdict: ProbeVerdict) -> Observed:
        fresh = window(verdict, start=later(21))
        status = observed.remediation.status.model_copy(update={"baseline": fresh})
        return replace(
            observed, remediation=observed.remediation.model_copy(update={"status": status})
        )

    assert decide(measured(ProbeVerdict.FAILED), later(21)) == d.RenewPlan()
    healed = decide(measured(ProbeVerdict.PASSED), later(21))
    assert isinstance(healed, d.CloseAttempt)
    assert (healed.outcome, healed.reason) == (Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY)


def test_whatever_waited_long_is_measured_again_and_holds_no_rights_meanwhile() -> None:
    fresh = planned(plan=plan(created=later(299)))
    assert decide(observe(fresh), later(299)) == d.Capture()
    assert decide(observe(fresh), later(300)) == d.CleanUp(1, d.RunKind.DRY_RUN)
    assert decide(observe(planned(**CLEAN)), later(300)) == d.ProbeBaseline(again=True)


def test_a_rejection_ends_it_with_its_reason() -> None:
    result = planned(**CLEAN, approvals=[record("Reject", reason="not on a Friday")])
    rejected = decide(observe(result, mode="Approve"), NOW)
    assert isinstance(rejected, d.CloseAttempt)
    assert (rejected.outcome, rejected.reason) == (Outcome.REJECTED, Reason.REJECTED_BY_PERSON)
    assert "ann" in rejected.message
    assert "not on a Friday" in rejected.message
    ended = result.model_copy(
        update={"outcome": Outcome.REJECTED, "reason": Reason.REJECTED_BY_PERSON}
    )
    last = decide(observe(ended, mode="Approve", max_attempts=3), NOW)
    assert isinstance(last, d.Finish), "a person said no: the model is not asked again"


def test_an_edit_is_taken_once_and_then_waits_for_its_own_approval() -> None:
    edit = text("edit").model_copy(update={"digest": f"sha256:{sha256(b'[]').hexdigest()}"})
    result = planned(**CLEAN, approvals=[record("Edit", edited_playbook=edit)])
    assert (
        decide(observe(result, mode="Approve", approval=new_approval("Edit")), NOW) == d.ApplyEdit()
    )
    refused = planned(
        **CLEAN,
        approvals=[record("Edit", edited_playbook=edit, refusal_message="Bounds: too much")],
    )
    waits = decide(observe(refused, mode="Approve", approval=new_approval("Edit")), NOW)
    assert isinstance(waits, d.Wait)
    assert waits.why is Reason.EDIT_REFUSED
    assert "too much" in waits.message
    other = new_approval("Edit", edited_playbook='[{"a": 1}]')
    assert decide(observe(refused, mode="Approve", approval=other), NOW) == d.RecordApproval()


def test_rights_are_gone_before_an_edit_takes_the_place_of_the_playbook() -> None:
    result = planned(approvals=[record("Edit", edited_playbook=text("edit"))])
    assert decide(observe(result, mode="Approve"), NOW) == d.CleanUp(1, d.RunKind.DRY_RUN)


def test_a_plan_that_nobody_decides_on_expires() -> None:
    observed = observe(planned(**CLEAN), mode="Approve", approval_timeout_seconds=60)
    waits = decide(observed, later(55))
    assert isinstance(waits, d.Wait)
    assert waits.until == later(60)
    expired = decide(observed, later(60))
    assert isinstance(expired, d.CloseAttempt)
    assert (expired.outcome, expired.reason) == (Outcome.TIMED_OUT, Reason.APPROVAL_EXPIRED)


def test_the_deadline_does_not_count_while_a_person_thinks() -> None:
    limits: dict[str, Any] = {"deadline_seconds": 60, "approval_timeout_seconds": 3600}
    waits = decide(observe(planned(**CLEAN), mode="Approve", **limits), later(600))
    assert isinstance(waits, d.Wait)
    approved = planned(**CLEAN, approvals=[record(decision_time=later(600))])
    assert decide(observe(approved, mode="Approve", **limits), later(610)) == d.ProbeBaseline(
        again=True
    )
    ran = planned(
        approvals=[record(decision_time=later(600))], rejection=Rejection(rule="X", message="no")
    )
    late = decide(observe(ran, mode="Approve", **limits), later(661))
    assert isinstance(late, d.CloseAttempt)
    assert late.reason is Reason.DEADLINE_EXCEEDED


@pytest.mark.parametrize("mode", ["Auto", "Approve"])
@pytest.mark.parametrize(
    ("observations", "reason"),
    [
        ({"hold": HoldReason(Reason.SUSPENDED, "policy x is suspended")}, Reason.SUSPENDED),
        ({"switch": KillSwitchState(on=True)}, Reason.KILL_SWITCH),
    ],
)
def test_whoever_holds_it_holds_it_before_the_run(
    mode: str, observations: dict[str, Any], reason: Reason
) -> None:
    approved = [record()]
    for state in (planned(approvals=approved), validated_attempt(plan=plan(complete=False))):
        assert decide(observe(state, mode=mode, observations=observations), NOW) == d.CleanUp(
            1, d.RunKind.DRY_RUN
        )
        assert state.plan is not None
        clean = state.plan.model_copy(update={"cleaned_up": True})
        state = state.model_copy(update={"plan": clean})
        assert decide(observe(state, mode=mode, observations=observations), NOW) == d.BeginHold(
            reason
        )
        waits = decide(on_hold(observe(state, mode=mode, observations=observations)), later(1))
        assert isinstance(waits, d.Wait)
        assert waits.why is reason


SUSPENDED = {"hold": HoldReason(Reason.SUSPENDED, "policy x is suspended")}
APPROVED: dict[str, Any] = {"approvals": [record()], **CLEAN}
HOLD_LIMITS: dict[str, Any] = {
    "mode": "Approve",
    "approval": new_approval(),
    "approval_timeout_seconds": 5,
    "deadline_seconds": 30,
    "hold_timeout_seconds": 1000,
}


def test_an_approved_plan_on_hold_goes_on_long_after_its_deadline() -> None:
    """It waited, kept everything locked, and ended as DeadlineExceeded once it might have run."""
    held = on_hold(observe(planned(**APPROVED), observations=SUSPENDED, **HOLD_LIMITS))
    for seconds in (1, 29, 31, 500, 999):
        waits = decide(held, later(seconds))
        assert isinstance(waits, d.Wait)
        assert waits.why is Reason.SUSPENDED
        assert waits.until > later(seconds)
    free = on_hold(observe(planned(**APPROVED), **HOLD_LIMITS))
    assert decide(free, later(999)) == d.EndHold()
    resumed = observe(planned(**APPROVED), **HOLD_LIMITS)
    status = resumed.remediation.status.model_copy(update={"held_seconds": 999})
    resumed = replace(
        resumed, remediation=resumed.remediation.model_copy(update={"status": status})
    )
    assert decide(resumed, later(1000)) == d.ProbeBaseline(again=True)
    late = decide(resumed, later(999 + 31))
    assert isinstance(late, d.CloseAttempt)
    assert late.reason is Reason.DEADLINE_EXCEEDED


def test_a_hold_has_an_end_of_its_own() -> None:
    for mode in ("Auto", "Approve"):
        state = planned(**APPROVED) if mode == "Approve" else planned(**CLEAN)
        limits = HOLD_LIMITS | {"mode": mode}
        ends = decide(on_hold(observe(state, observations=SUSPENDED, **limits)), later(1000))
        assert isinstance(ends, d.CloseAttempt)
        assert (ends.outcome, ends.reason) == (Outcome.TIMED_OUT, Reason.HOLD_EXPIRED)
        assert ends.message == "on hold for 1000 s (holdTimeoutSeconds): policy x is suspended"
        again = on_hold(
            observe(state, observations=SUSPENDED, **limits), since=500, held_seconds=900
        )
        ends = decide(again, later(600))
        assert isinstance(ends, d.CloseAttempt), "holds count together"


def test_on_hold_it_can_still_be_cancelled_and_decided_anew() -> None:
    held = on_hold(observe(planned(**APPROVED), observations=SUSPENDED, **HOLD_LIMITS, cancel=True))
    ends = decide(held, later(5))
    assert isinstance(ends, d.CloseAttempt)
    assert ends.reason is Reason.CANCELLED
    limits = HOLD_LIMITS | {"approval": new_approval("Reject", reason="not today")}
    held = on_hold(observe(planned(**APPROVED), observations=SUSPENDED, **limits))
    assert decide(held, later(5)) == d.RecordApproval()


def test_an_approved_plan_waits_for_nobody() -> None:
    """`Approved` said Unknown after an approval, and `list --waiting` asked again."""
    waiting = observe(planned(**CLEAN), mode="Approve").remediation
    assert waits_for_person(waiting)
    sent = observe(planned(**CLEAN), mode="Approve", approval=new_approval()).remediation
    assert not waits_for_person(sent)
    approved = on_hold(observe(planned(**APPROVED), mode="Approve", approval=new_approval()))
    assert not waits_for_person(approved.remediation)
    wait = d.Wait(later(10), Reason.OUTSIDE_WINDOW, "at night")
    conditions = derive(approved.remediation, approved.remediation.status, NOW, wait)
    stated = {c.type: (c.status, c.reason) for c in conditions}
    assert stated[ConditionType.APPROVED] == (Status.TRUE, Reason.APPROVED_BY_PERSON)
    assert stated[ConditionType.SUCCEEDED] == (Status.UNKNOWN, Reason.OUTSIDE_WINDOW)
    changed = plan(clean=True).model_copy(update={"digest": OTHER})
    other = observe(
        planned(plan=changed, approvals=[record()]), mode="Approve", approval=new_approval()
    )
    assert waits_for_person(other.remediation), "it was another plan that was approved"
    refused = planned(**CLEAN, approvals=[record("Edit", refusal_message="no")])
    assert waits_for_person(observe(refused, mode="Approve").remediation)
    for mode in ("Auto", "Observe"):
        assert not waits_for_person(observe(planned(**CLEAN), mode=mode).remediation)


def test_a_refused_dry_run_is_a_rejection_and_its_rights_go_first() -> None:
    refusal = Rejection(rule=Reason.DRY_RUN_REFUSED, message="quota exceeded")
    observed = observe(planned(rejection=refusal))
    closes = decide(observed, NOW)
    assert isinstance(closes, d.CloseAttempt)
    assert (closes.outcome, closes.reason) == (Outcome.REJECTED, Reason.DRY_RUN_REFUSED)
    assert "quota exceeded" in closes.message
    ended = planned(rejection=refusal, outcome=closes.outcome, reason=closes.reason)
    assert decide(observe(ended), NOW) == d.CleanUp(1, d.RunKind.DRY_RUN)
    tidy = ended.model_copy(update=CLEAN)
    assert decide(observe(tidy, max_attempts=2), NOW) == d.OpenAttempt(2)


def test_without_an_admission_policy_nothing_runs_at_all() -> None:
    refusal = Rejection(rule=Reason.RUN_NOT_STARTED, message="no fence")
    closes = decide(observe(planned(rejection=refusal)), NOW)
    assert isinstance(closes, d.CloseAttempt)
    assert (closes.outcome, closes.reason) == (Outcome.FAILED, Reason.RUN_NOT_STARTED)


def test_what_is_waited_for_is_in_the_condition() -> None:
    observed = observe(planned(**CLEAN), mode="Approve")
    wait = decide(observed, NOW)
    assert isinstance(wait, d.Wait)
    conditions = {
        c.type: c for c in derive(observed.remediation, observed.remediation.status, NOW, wait)
    }
    assert conditions["Approved"].reason is Reason.WAITING_FOR_APPROVAL  # type: ignore[index]
    cancelled = replace(observed, remediation=remediation(planned(**CLEAN), cancel=True))
    closes = decide(cancelled, NOW)
    assert isinstance(closes, d.CloseAttempt)
    assert closes.reason is Reason.CANCELLED


LASTING: dict[str, Any] = {"evidence": {"min_persistence_seconds": 30}}
NAMED: dict[str, Any] = {"plan": plan(complete=False)}
NAMED_CLEAN: dict[str, Any] = {"plan": plan(complete=False, clean=True)}


@pytest.mark.parametrize("mode", ["Auto", "Approve"])
def test_a_fault_that_may_pass_by_itself_is_waited_for_without_a_plan(mode: str) -> None:
    assert decide(observe(validated_attempt(**NAMED), mode=mode, **LASTING), NOW) == d.CleanUp(
        1, d.RunKind.DRY_RUN
    )
    for state in (validated_attempt(), validated_attempt(**NAMED_CLEAN)):
        waits = decide(observe(state, mode=mode, **LASTING), later(2))
        assert isinstance(waits, d.Wait)
        assert (waits.until, waits.why) == (later(12), Reason.WAITING_FOR_PERSISTENCE)
        assert "until 2026-05-04 12:00:30 UTC" in waits.message
        last = decide(observe(state, mode=mode, **LASTING), later(29))
        assert isinstance(last, d.Wait)
        assert last.until == later(30)
        assert last.message == waits.message, "written once"


def test_the_model_is_asked_while_a_fault_is_given_time_to_pass() -> None:
    assert decide(observe(**LASTING), NOW) == d.OpenAttempt(1)
    assert decide(observe(attempt(), **LASTING), NOW) == d.Generate()
    assert decide(observe(generated(), **LASTING), NOW) == d.Validate()


@pytest.mark.parametrize("mode", ["Auto", "Approve"])
def test_after_the_wait_the_baseline_is_taken_anew_before_the_plan(mode: str) -> None:
    fields: dict[str, Any] = {"mode": mode, **LASTING}
    old = observe(validated_attempt(**NAMED_CLEAN), measured=later(29), **fields)
    assert decide(old, later(30)) == d.ProbeBaseline(again=True)
    lasting = observe(validated_attempt(**NAMED_CLEAN), measured=later(31), **fields)
    assert decide(lasting, later(31)) == d.RenewPlan()
    again = validated_attempt(plan=plan(complete=False, created=later(31)))
    assert decide(observe(again, measured=later(31), **fields), later(31)) == d.RunDryRun()


def test_a_slow_model_has_waited_long_enough() -> None:
    late = validated_attempt(plan=plan(complete=False, created=later(90)))
    assert decide(observe(late, **LASTING), later(90)) == d.CleanUp(1, d.RunKind.DRY_RUN)
    clean = late.model_copy(update=NAMED_CLEAN)
    assert decide(observe(clean, **LASTING), later(90)) == d.ProbeBaseline(again=True)


def test_a_fault_that_has_passed_is_left_alone_and_nothing_was_planned() -> None:
    observed = observe(
        validated_attempt(**NAMED_CLEAN),
        baseline=ProbeVerdict.PASSED,
        measured=later(31),
        **LASTING,
    )
    healed = decide(observed, later(31))
    assert isinstance(healed, d.CloseAttempt)
    assert (healed.outcome, healed.reason) == (Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY)
    ended = validated_attempt(**NAMED_CLEAN, outcome=healed.outcome, reason=healed.reason)
    assert isinstance(decide(observe(ended, max_attempts=3, **LASTING), later(32)), d.Finish)


def test_what_cannot_be_measured_after_the_wait_is_acted_on_only_where_that_is_allowed() -> None:
    for require_probe_failure in (False, True):
        evidence = {"min_persistence_seconds": 30, "require_probe_failure": require_probe_failure}
        observed = observe(
            validated_attempt(**NAMED_CLEAN),
            baseline=ProbeVerdict.UNKNOWN,
            measured=later(31),
            evidence=evidence,
        )
        decision = decide(observed, later(31))
        if not require_probe_failure:
            assert decision == d.RenewPlan()
            continue
        assert isinstance(decision, d.CloseAttempt)
        assert decision.outcome is Outcome.ABSTAINED
        assert decision.reason is Reason.TOO_LITTLE_EVIDENCE


def test_an_attempt_that_came_to_no_run_does_not_shorten_the_wait() -> None:
    refused = closed(1, Outcome.REJECTED, Reason.PLAYBOOK_REJECTED)
    observed = observe(refused, validated_attempt(2, **NAMED_CLEAN), max_attempts=2, **LASTING)
    waits = decide(observed, later(5))
    assert isinstance(waits, d.Wait)
    assert waits.why is Reason.WAITING_FOR_PERSISTENCE


def test_after_a_run_nothing_is_waited_for() -> None:
    ran = executed(1, outcome=Outcome.ROLLED_BACK, reason=Reason.PROBES_FAILED)
    for moment in (5, 60):
        observed = observe(ran, validated_attempt(2, **NAMED_CLEAN), max_attempts=2, **LASTING)
        assert decide(observed, later(moment)) == d.RenewPlan()


def test_observe_plans_at_once() -> None:
    assert (
        decide(observe(validated_attempt(**NAMED), mode="Observe", **LASTING), NOW) == d.RunDryRun()
    )
    ended = decide(observe(planned(**CLEAN), mode="Observe", **LASTING), NOW)
    assert isinstance(ended, d.CloseAttempt)
    assert ended.outcome is Outcome.OBSERVED


def test_a_plan_of_before_there_was_such_a_limit_waits_too() -> None:
    assert decide(observe(planned(), **LASTING), NOW) == d.CleanUp(1, d.RunKind.DRY_RUN)
    waits = decide(observe(planned(**CLEAN), **LASTING), NOW)
    assert isinstance(waits, d.Wait)
    assert waits.why is Reason.WAITING_FOR_PERSISTENCE


@pytest.mark.parametrize(
    ("observations", "reason"),
    [
        ({"hold": HoldReason(Reason.SUSPENDED, "policy x is suspended")}, Reason.SUSPENDED),
        ({"switch": KillSwitchState(on=True)}, Reason.KILL_SWITCH),
    ],
)
def test_whoever_holds_it_goes_before_the_wait(
    observations: dict[str, Any], reason: Reason
) -> None:
    for moment in (1, 40):
        observed = observe(validated_attempt(**NAMED_CLEAN), observations=observations, **LASTING)
        assert decide(observed, later(moment)) == d.BeginHold(reason)


def test_the_wait_ends_when_it_is_called_off() -> None:
    state = validated_attempt(**NAMED_CLEAN)
    limits: dict[str, Any] = {"deadline_seconds": 31, **LASTING}
    for observed, moment, reason in (
        (observe(state, cancel=True, **LASTING), 5, Reason.CANCELLED),
        (observe(state, observations={"report_gone": True}, **LASTING), 5, Reason.REPORT_DELETED),
        (observe(state, **limits), 31, Reason.DEADLINE_EXCEEDED),
        (observe(state, mode="Approve", **limits), 31, Reason.DEADLINE_EXCEEDED),
    ):
        closes = decide(observed, later(moment))
        assert isinstance(closes, d.CloseAttempt)
        assert closes.reason is reason

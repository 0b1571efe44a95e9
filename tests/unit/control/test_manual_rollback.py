"""A rollback that a person requests after the end: started once, ended once, beside the outcome."""

from typing import Any

from reme_api.approval import RollbackRequest
from reme_api.probes import ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import ManualRollback, Remediation, RemediationStatus
from reme_operator.admission.remediation_index import remediation_info
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import JobState, Observed, ObservedRun
from reme_operator.handlers.remediations import needs_reconcile
from reme_operator.kill_switch.state import InFlightPolicy, KillSwitchState
from reme_operator.steps.rollback import last_attempt_with_changes
from tests.doubles.builders import NOW, executed, later, remediation, run, validated_attempt, window

REQUEST = RollbackRequest(username="ann", number=1)


def ended(
    *manual_rollbacks: ManualRollback,
    rollback_request: RollbackRequest | None = REQUEST,
    **fields: Any,
) -> Remediation:
    attempt = executed(outcome=Outcome.VERIFIED, reason=Reason.PROBES_PASSED)
    result = remediation(
        attempt, outcome=Outcome.VERIFIED, rollback_request=rollback_request, **fields
    )
    status: RemediationStatus = result.status.model_copy(
        update={"manual_rollbacks": list(manual_rollbacks)}
    )
    return result.model_copy(update={"status": status})


def manual_rollback(number: int = 1, **fields: Any) -> ManualRollback:
    return ManualRollback(number=number, username="ann", attempt=1, start_time=NOW, **fields)


def is_unfinished(result: Remediation) -> bool:
    return needs_reconcile(result.manifest())


def test_the_steps_of_a_manual_rollback() -> None:
    way: list[tuple[Remediation, dict[str, Any], d.Decision]] = [
        (ended(), {}, d.BeginManualRollback()),
        (ended(manual_rollback()), {}, d.PlanRollback(manual=True)),
        (
            ended(manual_rollback(run=run(rollback=True, uid=""))),
            {},
            d.CreateRun(d.RunKind.MANUAL_ROLLBACK),
        ),
        (
            ended(manual_rollback(run=run(rollback=True))),
            {"run": ObservedRun(JobState.COMPLETE, True, Reason.RUN_SUCCEEDED)},
            d.RecordRun(Reason.RUN_SUCCEEDED, "", d.RunKind.MANUAL_ROLLBACK),
        ),
        (
            ended(manual_rollback(run=run(Reason.RUN_SUCCEEDED, rollback=True))),
            {},
            d.CleanUp(1, d.RunKind.MANUAL_ROLLBACK),
        ),
        (
            ended(manual_rollback(run=run(Reason.RUN_SUCCEEDED, rollback=True, clean=True))),
            {},
            d.VerifyRollback(manual=True),
        ),
        (
            ended(manual_rollback(verification=window(ProbeVerdict.PASSED))),
            {},
            d.CloseManualRollback(Outcome.ROLLED_BACK, "it Passed"),
        ),
        (
            ended(manual_rollback(verification=window(ProbeVerdict.FAILED))),
            {},
            d.CloseManualRollback(Outcome.ROLLBACK_FAILED, "it Failed"),
        ),
        (
            ended(manual_rollback(verification=window(ProbeVerdict.UNKNOWN))),
            {},
            d.CloseManualRollback(Outcome.REJECTED, "it Unknown"),
        ),
    ]
    for result, observations, decision in way:
        assert decide(Observed(result, **observations), NOW) == decision
        assert is_unfinished(result)
        assert remediation_info(result, NOW).locks_target, (
            "no report of this target is acted on meanwhile"
        )


def test_it_is_done_once_for_each_number() -> None:
    done = ended(manual_rollback(outcome=Outcome.ROLLED_BACK))
    assert decide(Observed(done), NOW) == d.Done()
    assert not is_unfinished(done)
    assert not remediation_info(done, NOW).locks_target
    again = ended(
        manual_rollback(outcome=Outcome.REJECTED),
        rollback_request=RollbackRequest(username="ann", number=2),
    )
    assert decide(Observed(again), NOW) == d.BeginManualRollback()


def test_nobody_asked() -> None:
    result = ended(rollback_request=None)
    assert decide(Observed(result), NOW) == d.Done()
    assert not is_unfinished(result)


def test_it_waits_for_the_end() -> None:
    result = remediation(rollback_request=REQUEST)
    assert isinstance(decide(Observed(result), NOW), d.OpenAttempt)


def test_the_kill_switch_holds_it_and_stops_it() -> None:
    on, stop = KillSwitchState(on=True), KillSwitchState(on=True, in_flight=InFlightPolicy.ABORT)
    held = decide(Observed(ended(), switch=on), NOW)
    assert isinstance(held, d.Wait)
    assert held.until > NOW
    under_way = ended(manual_rollback(run=run(rollback=True)))
    stopped = decide(Observed(under_way, switch=stop, run=ObservedRun(JobState.ACTIVE)), NOW)
    assert isinstance(stopped, d.StopRun)
    assert stopped.kind is d.RunKind.MANUAL_ROLLBACK


def test_a_run_that_never_ends_is_stopped() -> None:
    result = ended(manual_rollback(run=run(rollback=True)))
    decision = decide(
        Observed(result, run=ObservedRun(JobState.ACTIVE, claimed=True)), later(10_000)
    )
    assert isinstance(decision, d.StopRun)
    assert decision.kind is d.RunKind.MANUAL_ROLLBACK


def test_a_remediation_that_is_being_deleted_begins_none() -> None:
    assert decide(Observed(ended(deleting=True)), NOW) == d.Done()


def test_it_is_about_the_last_attempt_that_left_something_behind() -> None:
    stays = executed(1)
    rolled_back = executed(2, rollback_verification=window(ProbeVerdict.PASSED))
    failed = executed(2, rollback_verification=window(ProbeVerdict.FAILED))
    nothing = executed(2, ended=Reason.RUN_NOT_STARTED)
    assert last_attempt_with_changes([stays, rolled_back]) == stays
    assert last_attempt_with_changes([stays, failed]) == failed
    assert last_attempt_with_changes([stays, nothing]) == stays
    assert last_attempt_with_changes([validated_attempt(1), rolled_back]) is None

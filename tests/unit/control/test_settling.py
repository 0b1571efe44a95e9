"""After a rollback: a wait for the target to be as it was, bounded, that only reads."""

from datetime import datetime
from typing import Any

import pytest

from reme_api.probes import ProbeResult, ProbeVerdict, ProbeWindow
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, ManualRollback, Remediation
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import ProbeHistory, ProbeRound
from reme_operator.kill_switch.state import KillSwitchState
from reme_operator.probes.sample import Sample
from tests.doubles.builders import NOW, executed, later, neighbour, remediation, run, window

RESTORED = "every field has its earlier value"
OPENED = ProbeWindow(start_time=NOW, message=RESTORED)
PASSED, FAILED = ProbeVerdict.PASSED, ProbeVerdict.FAILED
TIMEOUT = 30


def rolled_back(window: ProbeWindow = OPENED, **fields: Any) -> Attempt:
    base: dict[str, Any] = {
        "reason": Reason.PROBES_FAILED,
        "message": "still failing at the end: answers",
        "rollback": run(Reason.RUN_SUCCEEDED, rollback=True, clean=True),
        "rollback_verification": window,
    }
    return executed().model_copy(update=base | fields)


def history(at: datetime = NOW, *, passes: bool | None = False, **fields: Any) -> ProbeHistory:
    samples = {"answers": Sample(passes, "", "")}
    return ProbeHistory(NOW).add(ProbeRound(at, samples, **fields))


def observe(
    measured: ProbeHistory | None = None, attempt: Attempt | None = None, **fields: Any
) -> Observed:
    observations = {k: fields.pop(k) for k in ("switch", "target_gone") if k in fields}
    base: dict[str, Any] = {
        "rollback": {"timeout_seconds": TIMEOUT},
        "verification": {"period_seconds": 2},
    }
    result = remediation(attempt or rolled_back(), **(base | fields))
    return Observed(result, probe_history=measured, **observations)


def concluded(decision: d.Decision, verdict: ProbeVerdict) -> str:
    assert isinstance(decision, d.ConcludeRollback)
    assert decision.verdict.verdict is verdict
    return decision.verdict.message


def test_a_round_is_taken_before_anything_is_concluded() -> None:
    assert decide(observe(), NOW) == d.SettleRollback()
    assert decide(observe(), later(1000)) == d.SettleRollback(), "also after a restart in the end"


def test_what_has_settled_is_concluded_whatever_the_fault_does() -> None:
    for passes in (True, False, None):
        message = concluded(decide(observe(history(passes=passes)), NOW), PASSED)
        assert message == f"{RESTORED}; the target is as it was before"


def test_a_rollout_that_goes_on_is_waited_for_in_rounds() -> None:
    rolling = history(unsettled="1 pod is still terminating")
    assert decide(observe(rolling), later(1)) == d.Wait(later(2))
    assert decide(observe(rolling), later(2)) == d.SettleRollback()


def test_what_does_not_settle_in_time_is_rolled_back_and_says_what_is_missing() -> None:
    rolling = history(later(TIMEOUT), unsettled="1 pod is still terminating")
    assert not isinstance(decide(observe(rolling), later(TIMEOUT - 1)), d.ConcludeRollback)
    message = concluded(decide(observe(rolling), later(TIMEOUT)), PASSED)
    assert message == f"{RESTORED}; not settled within 30 s: 1 pod is still terminating"


def test_the_time_counts_from_the_status_so_that_a_restart_does_not_extend_it() -> None:
    opened = OPENED.model_copy(update={"start_time": later(-TIMEOUT)})
    rolling = history(unsettled="1 pod is still terminating")
    decision = decide(observe(rolling, rolled_back(opened)), NOW)
    assert "not settled" in concluded(decision, PASSED)


def test_a_target_that_stays_worse_is_a_rollback_that_failed() -> None:
    worse = "0 of 1 pods are available, 1 before the run"
    measured = history(unsettled="0 of 1 pods are available", target_worse=worse)
    assert decide(observe(measured), later(1)) == d.Wait(later(2))
    message = concluded(decide(observe(measured), later(TIMEOUT)), FAILED)
    assert message == f"worse than before: {worse}; {RESTORED}"


def test_a_neighbour_that_stays_worse_is_a_rollback_that_failed() -> None:
    samples = {"answers": Sample(False, "", "")}
    now = ProbeRound(NOW, samples, neighbours=(neighbour("stock", 0),))
    measured = ProbeHistory(NOW).add(now, [neighbour("stock", 1)])
    assert decide(observe(measured), later(1)) == d.Wait(later(2))
    message = concluded(decide(observe(measured), later(TIMEOUT)), FAILED)
    assert message.startswith("worse than before: Deployment/stock")


@pytest.mark.parametrize(
    ("before", "is_worse"),
    [
        ({"passed": 3}, True),
        ({"passed": 2, "failed": 1}, False),
        ({"passed": 2, "errors": 1}, False),
    ],
)
def test_a_probe_that_passed_before_and_fails_now_is_worse(
    before: dict[str, int], is_worse: bool
) -> None:
    observed = observe(history(passes=False))
    probe = ProbeResult(name="answers", verdict=PASSED, **before)
    baseline = window(FAILED).model_copy(update={"probes": [probe]})
    status = observed.remediation.status.model_copy(update={"baseline": baseline})
    result = observed.remediation.model_copy(update={"status": status})
    decision = decide(Observed(result, probe_history=history(passes=False)), later(TIMEOUT))
    message = concluded(decision, FAILED if is_worse else PASSED)
    assert ("worse than before: probe answers" in message) is is_worse


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cancel": True}, "spec.cancel is true"),
        ({"deleting": True}, "the remediation was deleted"),
        ({"deadline_seconds": 60}, "not finished within 60 s (deadlineSeconds)"),
    ],
)
def test_a_remediation_that_must_end_does_not_wait(fields: dict[str, Any], why: str) -> None:
    rolling = history(unsettled="1 pod is still terminating")
    message = concluded(decide(observe(rolling, **fields), later(70)), PASSED)
    assert message == f"{RESTORED}; whether the target is as before was not measured: {why}"
    assert concluded(decide(observe(None, **fields), later(70)), PASSED)


def test_a_target_that_is_deleted_meanwhile_ends_the_attempt() -> None:
    decision = decide(observe(target_gone=True), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.CANCELLED, Reason.TARGET_DELETED)


def test_the_kill_switch_stops_writes_and_this_only_reads() -> None:
    assert decide(observe(switch=KillSwitchState(on=True)), NOW) == d.SettleRollback()


def test_the_attempt_is_closed_with_what_was_measured() -> None:
    done = window(PASSED).model_copy(update={"message": f"{RESTORED}; so it was"})
    decision = decide(observe(None, rolled_back(done)), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert decision.outcome is Outcome.ROLLED_BACK
    assert decision.message == f"still failing at the end: answers; {RESTORED}; so it was"
    failed = decide(observe(None, rolled_back(window(FAILED))), NOW)
    assert isinstance(failed, d.CloseAttempt)
    assert failed.outcome is Outcome.ROLLBACK_FAILED


# manual rollbacks --------------------------------------------------------------------------------


def manual(verification: ProbeWindow = OPENED, **fields: Any) -> Remediation:
    attempt = executed(outcome=Outcome.VERIFIED, reason=Reason.PROBES_PASSED)
    base: dict[str, Any] = {
        "rollback": {"timeout_seconds": TIMEOUT},
        "verification": {"period_seconds": 2},
    }
    result = remediation(attempt, outcome=Outcome.VERIFIED, **(base | fields))
    rollback = ManualRollback(
        number=1, username="ann", attempt=1, start_time=NOW, verification=verification
    )
    status = result.status.model_copy(update={"manual_rollbacks": [rollback]})
    return result.model_copy(update={"status": status})


def test_a_manual_rollback_waits_in_the_same_way() -> None:
    assert decide(Observed(manual()), NOW) == d.SettleRollback(manual=True)
    rolling = history(unsettled="1 pod is still terminating")
    assert isinstance(decide(Observed(manual(), probe_history=rolling), later(1)), d.Wait)
    over = decide(Observed(manual(), probe_history=rolling), later(TIMEOUT))
    assert "not settled" in concluded(over, PASSED)
    assert over.manual  # type: ignore[union-attr]
    settled = decide(Observed(manual(), probe_history=history()), NOW)
    assert "as it was before" in concluded(settled, PASSED)


def test_a_manual_rollback_ends_with_its_remediation_and_not_for_its_deadline() -> None:
    assert "deleted" in concluded(decide(Observed(manual(deleting=True)), NOW), PASSED)
    gone = Observed(manual(), target_gone=True)
    assert "the target was deleted" in concluded(decide(gone, NOW), PASSED)
    long_ended = Observed(manual(cancel=True, deadline_seconds=60))
    assert decide(long_ended, later(10_000)) == d.SettleRollback(manual=True)

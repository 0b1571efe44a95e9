"""The kill switch: what it says, and what stops while it is on."""

from typing import Any

import pytest

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt
from reme_operator.admission.admit import AdmissionInput, Refuse, TargetInfo, admit
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import JobState, Observed, ObservedRun
from reme_operator.kill_switch.state import OFF, InFlightPolicy, KillSwitchState, parse_kill_switch
from reme_operator.telemetry.metrics import Metrics
from tests.doubles.builders import (
    NOW,
    RELEASE,
    executed,
    later,
    policy,
    remediation,
    report,
    run,
    started,
    text,
)

DRAIN = KillSwitchState(True, InFlightPolicy.DRAIN, "a bad day")
ABORT = KillSwitchState(True, InFlightPolicy.ABORT)


def config_map(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "reme-stop"}, "data": data}


@pytest.mark.parametrize(
    ("obj", "state"),
    [
        (None, OFF),
        ({"metadata": {"name": "reme-stop"}}, KillSwitchState(True)),
        (config_map(), KillSwitchState(True)),
        (config_map(inFlight="Drain"), KillSwitchState(True)),
        (config_map(inFlight=" abort "), KillSwitchState(True, InFlightPolicy.ABORT)),
        (config_map(inFlight="what?"), KillSwitchState(True, InFlightPolicy.ABORT)),
        (
            config_map(reason="fire\ndrill"),
            KillSwitchState(True, InFlightPolicy.DRAIN, "fire\\ndrill"),
        ),
        ({**config_map(), "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, OFF),
    ],
)
def test_it_is_on_while_it_is_there(obj: dict[str, Any] | None, state: KillSwitchState) -> None:
    assert parse_kill_switch(obj) == state


def test_nothing_new_is_begun() -> None:
    case = AdmissionInput(report(), TargetInfo(), [policy()], (), RELEASE, stopped_by=DRAIN.text())
    refusal = admit(case, NOW)
    assert isinstance(refusal, Refuse)
    assert (refusal.reason, refusal.message) == (
        Reason.KILL_SWITCH,
        "the kill switch is on: a bad day",
    )
    assert refusal.retry_at is not None


def next_of(*attempts: Attempt, switch: KillSwitchState, **observations: Any) -> d.Decision:
    observed = Observed(remediation(*attempts), switch=switch, **observations)
    return decide(observed, later(1))


ACTIVE = ObservedRun(job=JobState.ACTIVE, claimed=True)


@pytest.mark.parametrize("switch", [DRAIN, ABORT])
def test_no_job_is_created(switch: KillSwitchState) -> None:
    named = started(run=run(uid=""))
    assert isinstance(next_of(named, switch=OFF), d.CreateRun)
    # What was looked at for it would be old later: it is given up, and nothing was changed.
    given_up = next_of(named, switch=switch)
    assert given_up == d.AbortAttempt(Reason.KILL_SWITCH, switch.text())
    rolling_back = executed(
        reason=Reason.PROBES_FAILED, message="no", rollback=run(uid="", rollback=True)
    )
    assert isinstance(next_of(rolling_back, switch=OFF), d.CreateRun)
    held = next_of(rolling_back, switch=switch)
    assert isinstance(held, d.Wait)
    assert held.why is Reason.KILL_SWITCH


@pytest.mark.parametrize("switch", [DRAIN, ABORT])
def test_no_rollback_is_started_either(switch: KillSwitchState) -> None:
    failed = executed(ended=Reason.RUN_FAILED, reason=Reason.RUN_FAILED, message="no")
    assert isinstance(next_of(failed, switch=OFF), d.PlanRollback)
    held = next_of(failed, switch=switch)
    assert isinstance(held, d.Wait)
    assert held.why is Reason.KILL_SWITCH


def test_a_job_that_was_made_and_not_recorded_is_taken_up() -> None:
    named = started(run=run(uid=""))
    assert isinstance(next_of(named, switch=DRAIN, run=ACTIVE), d.CreateRun)


def test_a_run_that_is_under_way_finishes_or_is_stopped_as_the_switch_says() -> None:
    assert isinstance(next_of(started(), switch=DRAIN, run=ACTIVE), d.Wait)
    assert isinstance(next_of(started(), switch=ABORT, run=ACTIVE), d.AbortAttempt)
    going = started(reason=Reason.KILL_SWITCH, message="the kill switch is on")
    stopped = next_of(going, switch=ABORT, run=ACTIVE)
    assert isinstance(stopped, d.StopRun)
    assert stopped.reason is Reason.KILL_SWITCH


def test_a_rollback_in_progress_is_stopped_too() -> None:
    rolling_back = executed(
        reason=Reason.PROBES_FAILED,
        message="no",
        rollback_playbook=text("rollback"),
        rollback=run(rollback=True),
    )
    assert isinstance(next_of(rolling_back, switch=DRAIN, run=ACTIVE), d.Wait)
    stopped = next_of(rolling_back, switch=ABORT, run=ACTIVE)
    assert isinstance(stopped, d.StopRun)
    assert stopped.kind is d.RunKind.ROLLBACK


def test_what_was_stopped_and_rolled_back_was_cancelled() -> None:
    rolled_back = executed(
        ended=Reason.RUN_TIMED_OUT,
        reason=Reason.KILL_SWITCH,
        message="the kill switch is on",
        rollback=run(Reason.RUN_SUCCEEDED, rollback=True, clean=True),
        rollback_verification={"start_time": NOW, "completion_time": NOW, "verdict": "Passed"},
    )
    closed = next_of(rolled_back, switch=OFF)
    assert isinstance(closed, d.CloseAttempt)
    assert (closed.outcome, closed.reason) == (Outcome.CANCELLED, Reason.KILL_SWITCH)


def test_it_is_seen_in_the_metrics() -> None:
    metrics = Metrics()
    sample_value = metrics.registry.get_sample_value
    assert sample_value("reme_kill_switch_active", {"in_flight": "Abort"}) == 0
    metrics.kill_switch(ABORT)
    assert sample_value("reme_kill_switch_active", {"in_flight": "Abort"}) == 1
    assert sample_value("reme_kill_switch_active", {"in_flight": "Drain"}) == 0
    metrics.kill_switch(OFF)
    assert sample_value("reme_kill_switch_active", {"in_flight": "Abort"}) == 0

"""Giving up with a reason: what was tried, and what that rules out."""

from typing import Any

import pytest

from reme_api.actions import ActionName
from reme_api.probes import ProbeResult, ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import ActionRecord, Attempt
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import Observed
from reme_operator.decision.reflection import ruled_out
from tests.doubles.builders import closed, remediation, run, window

FAILED, PASSED = ProbeVerdict.FAILED, ProbeVerdict.PASSED


def attempt(number: int, name: ActionName, summary: str, **fields: Any) -> Attempt:
    probes = [ProbeResult(name="answers", verdict=FAILED, failed=9)]
    base: dict[str, Any] = {
        "actions": [ActionRecord(name=name, kind="Deployment", object_name="c", summary=summary)],
        "run": run(Reason.RUN_SUCCEEDED, clean=True),
        "verification": window(FAILED).model_copy(update={"probes": probes}),
    }
    return closed(number, Outcome.ROLLED_BACK, Reason.PROBES_FAILED, **(base | fields))


SCALED = attempt(1, ActionName.SCALE, "Scale cart to 2")
ROLLED = attempt(2, ActionName.ROLLBACK, "Roll cart back to revision 1")


def finish(*attempts: Attempt, **policy: Any) -> d.Finish:
    decision = decide(Observed(remediation(*attempts, **policy)), closed_at())
    assert isinstance(decision, d.Finish)
    return decision


def closed_at() -> Any:
    return SCALED.completion_time


def test_what_was_measured_and_did_not_help_is_ruled_out() -> None:
    assert ruled_out(SCALED) == "the number of pods"
    assert ruled_out(ROLLED) == "the change since that revision"
    assert ruled_out(attempt(1, ActionName.SET_ENV, "Set X")) == "what SetEnv sets"


@pytest.mark.parametrize(
    "fields",
    [
        {"run": run(Reason.RUN_FAILED)},
        {"run": None},
        {"verification": None},
        {"verification": window(PASSED)},
    ],
)
def test_what_was_not_done_or_not_measured_rules_nothing_out(fields: dict[str, Any]) -> None:
    assert ruled_out(attempt(1, ActionName.SCALE, "s", **fields)) == ""


def test_what_helped_for_a_time_is_not_ruled_out() -> None:
    probes = [ProbeResult(name="answers", verdict=FAILED, failed=9, passed=1)]
    flapping = window(FAILED).model_copy(update={"probes": probes})
    assert ruled_out(attempt(1, ActionName.SCALE, "s", verification=flapping)) == ""


def test_the_end_says_what_was_tried_and_what_that_rules_out() -> None:
    end = finish(SCALED, ROLLED, max_attempts=2)
    assert (end.outcome, end.reason) == (Outcome.ROLLED_BACK, Reason.ATTEMPTS_EXHAUSTED)
    assert end.message == (
        "none of 2 attempts helped; the last one: so it was;"
        " tried: Scale cart to 2, Roll cart back to revision 1;"
        " ruled out as the only cause: the number of pods, the change since that revision"
    )


def test_a_single_attempt_keeps_its_reason() -> None:
    end = finish(SCALED, max_attempts=1)
    assert (end.outcome, end.reason) == (Outcome.ROLLED_BACK, Reason.PROBES_FAILED)
    assert "ruled out as the only cause: the number of pods" in end.message


def test_giving_up_after_a_run_is_no_abstention_of_the_whole() -> None:
    gave_up = closed(2, Outcome.ABSTAINED, Reason.NO_ACTION_HELPS)
    end = finish(SCALED, gave_up, max_attempts=5)
    assert (end.outcome, end.reason) == (Outcome.ROLLED_BACK, Reason.NO_ACTION_HELPS)
    assert "tried: Scale cart to 2" in end.message
    alone = finish(closed(1, Outcome.ABSTAINED, Reason.NO_ACTION_HELPS), max_attempts=5)
    assert (alone.outcome, alone.message) == (Outcome.ABSTAINED, "so it was")

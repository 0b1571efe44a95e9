"""What comes next in an investigation: rounds, choices and bounds."""

from typing import Any

import pytest

from reme_api.investigation import Cause, Choice, InvestigationRound
from reme_api.reasons import Outcome, Reason
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import Observed
from tests.doubles.builders import NOW, attempt, generated, later, remediation, text


def choice(number: int = 1, made: Choice = Choice.INSPECT, **fields: Any) -> InvestigationRound:
    base: dict[str, Any] = {"number": number, "start_time": NOW, "choice": made, "view": text()}
    return InvestigationRound(**(base | fields))


def performed(number: int = 1, **fields: Any) -> InvestigationRound:
    return choice(number, completion_time=later(1), results=text(), **fields)


def after(*rounds: InvestigationRound, number: int = 1, **policy: Any) -> d.Decision:
    limits = {"method": "ThinkRemed"} | policy
    one = remediation(attempt(number, investigation=list(rounds)), **limits)
    return decide(Observed(one), later(5))


def test_solo_gen_never_investigates() -> None:
    assert after(method="SoloGen") == d.Generate()


def test_the_coordinator_is_asked_first() -> None:
    assert after() == d.ChooseRound(1)


def test_every_attempt_has_an_investigation_of_its_own() -> None:
    assert after(number=2) == d.ChooseRound(1)


def test_a_recorded_round_is_performed() -> None:
    assert after(choice(1)) == d.RunRound(1)
    assert after(performed(1), choice(2)) == d.RunRound(2)


def test_a_performed_round_leads_to_the_next_choice() -> None:
    assert after(performed(1)) == d.ChooseRound(2)


def test_the_choice_to_act_leads_to_a_playbook() -> None:
    assert after(choice(1, Choice.ACT)) == d.Generate()
    assert after(performed(1), choice(2, Choice.ACT)) == d.Generate()


def test_without_rounds_the_coordinator_is_not_asked() -> None:
    assert after(investigation={"max_rounds": 0}) == d.Generate()


def test_after_the_last_round_the_coordinator_is_asked_once_more() -> None:
    one = {"max_rounds": 1}
    assert after(performed(1), investigation=one) == d.ChooseRound(2)
    assert after(performed(1), performed(2), investigation=one) == d.Generate()


@pytest.mark.parametrize("last", [performed(2, start_time=later(4)), choice(2)])
def test_when_the_time_is_over_the_playbook_is_written(last: InvestigationRound) -> None:
    """It counts from the first round: a restart between the rounds does not give more of it."""
    assert after(performed(1), last, investigation={"max_seconds": 5}) == d.Generate()
    assert after(performed(1), last, investigation={"max_seconds": 6}) != d.Generate()


def test_when_the_tokens_are_used_up_the_playbook_is_written() -> None:
    used = performed(1, prompt_tokens=90, completion_tokens=10)
    assert after(used, investigation={"max_tokens": 100}) == d.Generate()
    assert after(used, investigation={"max_tokens": 101}) == d.ChooseRound(2)


def test_rules_need_no_tokens() -> None:
    assert after(performed(1), investigation={"max_tokens": 0}) == d.ChooseRound(2)


def test_an_abstention_closes_the_attempt_with_its_reason() -> None:
    last = choice(2, Choice.ABSTAIN, reason=Reason.FAULT_ELSEWHERE, message="the bank is away")
    decision = after(performed(1), last)
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE)
    assert decision.message.startswith("the bank is away")


def test_a_cause_that_may_not_be_followed_is_named() -> None:
    cause = Cause(kind="Deployment", name="stock", evidence=["0 of 2 pods ready"])
    last = choice(1, Choice.FOLLOW_CAUSE, message="a called workload is at fault", cause=cause)
    decision = after(last, investigation={"follow_cause": False})
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE)
    assert "Deployment stock (0 of 2 pods ready)" in decision.message


def test_a_cancelled_remediation_investigates_no_more() -> None:
    one = remediation(attempt(investigation=[choice(1)]), method="ThinkRemed", cancel=True)
    decision = decide(Observed(one), later(5))
    assert isinstance(decision, d.CloseAttempt)
    assert decision.outcome is Outcome.CANCELLED


def test_a_reply_ends_the_investigation() -> None:
    one = remediation(generated(investigation=[choice(1)]), method="ThinkRemed")
    assert decide(Observed(one), later(5)) == d.Validate()

"""Doing nothing is an answer: why, and what was seen."""

from typing import Any

import pytest

from reme_api.probes import ProbeResult, ProbeVerdict, ProbeWindow
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Rejection
from reme_operator.admission.admit import Accept, AdmissionInput, Refuse, TargetInfo, admit
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import Observed
from reme_operator.telemetry.metrics import Metrics
from tests.doubles.builders import (
    NOW,
    RELEASE,
    attempt,
    closed,
    generated,
    later,
    policy,
    remediation,
    report,
    run,
)

MEASURED = "; measured: probe answers passed 0 of 3, last 503, status 503"


def measured(verdict: ProbeVerdict) -> ProbeWindow:
    result = ProbeResult(
        name="answers", verdict=verdict, failed=3, value="503", message="status 503"
    )
    return ProbeWindow(start_time=NOW, completion_time=NOW, verdict=verdict, probes=[result])


def next_of(
    *attempts: Attempt, verdict: ProbeVerdict = ProbeVerdict.FAILED, **fields: Any
) -> d.Decision:
    result = remediation(*attempts, **fields)
    status = result.status.model_copy(update={"baseline": measured(verdict)})
    return decide(Observed(result.model_copy(update={"status": status})), later(1))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("healthy", Reason.DIAGNOSIS_CONTRADICTED),
        ("elsewhere", Reason.FAULT_ELSEWHERE),
        ("no action", Reason.NO_ACTION_HELPS),
        ("unclear", Reason.TOO_LITTLE_EVIDENCE),
        ("I would rather not", Reason.MODEL_ABSTAINED),
    ],
)
def test_the_words_of_the_model_become_a_reason(word: str, reason: Reason) -> None:
    decision = next_of(generated(abstained=word))
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.ABSTAINED, reason)
    assert decision.message.endswith(MEASURED)


NOTHING = Rejection(rule="PolicyAllowsNothing", message="the policy allows no action")


def test_where_no_allowed_action_would_change_anything_nothing_is_done() -> None:
    decision = next_of(attempt(rejection=NOTHING))
    assert decision == d.CloseAttempt(
        Outcome.ABSTAINED, Reason.NO_ACTION_HELPS, f"the policy allows no action{MEASURED}"
    )


def test_a_fault_of_a_dependency_is_one_elsewhere() -> None:
    message = "the fault is in stock: it has no pods"
    rejection = Rejection(rule="FaultElsewhere", message=message)
    decision = next_of(attempt(1, rejection=rejection))
    assert decision == d.CloseAttempt(
        Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE, f"{message}{MEASURED}"
    )


def test_after_a_run_the_attempt_abstains_and_the_remediation_was_rolled_back() -> None:
    first = closed(
        1, Outcome.ROLLED_BACK, Reason.PROBES_FAILED, run=run(Reason.RUN_SUCCEEDED, clean=True)
    )
    decision = next_of(first, attempt(2, rejection=NOTHING))
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.ABSTAINED, Reason.NO_ACTION_HELPS)
    # The attempt changed nothing; the remediation did, and it was rolled back.
    gave_up = closed(2, Outcome.ABSTAINED, Reason.NO_ACTION_HELPS)
    finished = next_of(first, gave_up, max_attempts=3)
    assert isinstance(finished, d.Finish)
    assert (finished.outcome, finished.reason) == (Outcome.ROLLED_BACK, Reason.NO_ACTION_HELPS)


def test_an_abstention_is_final() -> None:
    decision = next_of(closed(1, Outcome.ABSTAINED, Reason.NO_ACTION_HELPS), max_attempts=5)
    assert isinstance(decision, d.Finish)
    assert decision.outcome is Outcome.ABSTAINED


@pytest.mark.parametrize(
    ("verdict", "needed", "abstains"),
    [
        (ProbeVerdict.UNKNOWN, True, True),
        (ProbeVerdict.UNKNOWN, False, False),
        (ProbeVerdict.FAILED, True, False),
    ],
)
def test_a_policy_may_ask_for_a_fault_that_was_seen(
    verdict: ProbeVerdict, needed: bool, abstains: bool
) -> None:
    decision = next_of(verdict=verdict, evidence={"require_probe_failure": needed})
    if not abstains:
        assert decision == d.OpenAttempt(1)
        return
    assert isinstance(decision, d.Finish)
    assert (decision.outcome, decision.reason) == (Outcome.ABSTAINED, Reason.TOO_LITTLE_EVIDENCE)
    assert decision.message.endswith(MEASURED)


@pytest.mark.parametrize(("sure", "taken"), [(49, False), (50, True), (None, True)])
def test_a_diagnosis_that_is_too_unsure_is_not_acted_on(sure: int | None, taken: bool) -> None:
    report_spec = report(fault={"type": "oom", "confidence_percent": sure})
    careful = policy(evidence={"min_confidence_percent": 50})
    result = admit(AdmissionInput(report_spec, TargetInfo(), [careful], (), RELEASE), NOW)
    assert isinstance(result, Accept) is taken
    if isinstance(result, Refuse):
        assert result.reason is Reason.TOO_LITTLE_EVIDENCE
        assert "confidence of 49 %" in result.message
        assert result.retry_at is None


def test_every_reason_to_abstain_is_counted_from_zero() -> None:
    sample_value = Metrics().registry.get_sample_value
    for reason in (
        Reason.DIAGNOSIS_CONTRADICTED,
        Reason.FAULT_ELSEWHERE,
        Reason.NO_ACTION_HELPS,
        Reason.TOO_LITTLE_EVIDENCE,
        Reason.MODEL_ABSTAINED,
    ):
        labels = {"outcome": "Abstained", "reason": reason.value}
        assert sample_value("reme_remediations_total", labels) == 0

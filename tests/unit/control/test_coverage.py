"""Passing probes prove nothing about a fault that they cannot see."""

from typing import Any

import pytest

from reme_api.diagnosis_report import Fault
from reme_api.probe_coverage import ProbeCoverage, ProbeSource
from reme_api.probes import ProbeResult, ProbeVerdict
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from reme_model.prompt.schema import Abstain
from reme_operator.decision import decisions as d
from reme_operator.decision.abstention import abstention_reason
from reme_operator.decision.baseline import decide_baseline
from reme_operator.decision.coverage import proves_health
from reme_operator.decision.decide import decide
from reme_operator.decision.observed import Observed
from reme_operator.decision.probe_verdict import ProbeHistory
from reme_operator.decision.verification import close_verified
from tests.doubles.builders import NOW, attempt, later, remediation, run, window

POST = ("POST /cart/checkout",)
CERTAIN = {"severity": "Critical", "confidence_percent": 95}


def case(
    source: ProbeSource = ProbeSource.REPORT,
    uncovered: tuple[str, ...] = (),
    evidence_items: int = 0,
    fault: dict[str, Any] | None = None,
    attempts: tuple[Any, ...] = (),
    **fields: Any,
) -> Remediation:
    made = remediation(*attempts, **fields)
    coverage = ProbeCoverage(
        source=source, uncovered=list(uncovered), evidence_items=evidence_items
    )
    update = {"coverage": coverage, "fault": Fault.model_validate({"type": "down"} | (fault or {}))}
    return made.model_copy(update={"spec": made.spec.model_copy(update=update)})


def passed_three_times(rounds: int = 3, passed: int = 3) -> ProbeHistory:
    verdict = ProbeVerdict.PASSED if passed else ProbeVerdict.UNKNOWN
    result = ProbeResult(name="answers", verdict=verdict, passed=passed)
    return ProbeHistory(NOW, probes=(result,), rounds=rounds, last_at=NOW)


def concluded(result: Remediation) -> ProbeVerdict:
    decision = decide_baseline(Observed(result, probe_history=passed_three_times()), later(5))
    assert isinstance(decision, d.ConcludeBaseline)
    return decision.verdict.verdict


DERIVED = ProbeSource.DERIVED


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, ProbeVerdict.PASSED),
        ({"source": ProbeSource.POLICY}, ProbeVerdict.PASSED),
        ({"source": DERIVED}, ProbeVerdict.UNKNOWN),
        ({"uncovered": POST}, ProbeVerdict.UNKNOWN),
        ({"source": ProbeSource.POLICY, "uncovered": POST}, ProbeVerdict.UNKNOWN),
        ({"fault": CERTAIN}, ProbeVerdict.UNKNOWN),
        ({"fault": CERTAIN | {"confidence_percent": 85}}, ProbeVerdict.PASSED),
        ({"fault": CERTAIN | {"severity": "High"}}, ProbeVerdict.PASSED),
    ],
)
def test_probes_that_all_pass(fields: dict[str, Any], verdict: ProbeVerdict) -> None:
    assert concluded(case(baseline=None, **fields)) is verdict


@pytest.mark.parametrize("before", [ProbeVerdict.FAILED, ProbeVerdict.PASSED])
def test_derived_probes_that_have_seen_the_fault_see_its_end(before: ProbeVerdict) -> None:
    assert concluded(case(DERIVED, baseline=before)) is ProbeVerdict.PASSED
    assert concluded(case(baseline=before, fault=CERTAIN)) is ProbeVerdict.PASSED
    assert concluded(case(uncovered=POST, baseline=before)) is ProbeVerdict.UNKNOWN
    assert not proves_health(case(DERIVED, baseline=ProbeVerdict.UNKNOWN))


def unmeasured(result: Remediation, passed: int = 3) -> Remediation:
    """Return the remediation with a baseline that is Unknown after these samples."""
    baseline = window(ProbeVerdict.UNKNOWN)
    probes = list(passed_three_times(passed=passed).probes)
    baseline = baseline.model_copy(update={"probes": probes})
    status = result.status.model_copy(update={"baseline": baseline})
    return result.model_copy(update={"status": status})


@pytest.mark.parametrize(
    ("fields", "asks"),
    [
        ({"source": DERIVED, "evidence_items": 1}, True),
        ({"source": DERIVED, "fault": {"severity": "Critical"}}, True),
        ({"source": DERIVED, "fault": {"severity": "High"}}, True),
        ({"source": DERIVED, "fault": {"confidence_percent": 60}}, True),
        ({"source": DERIVED, "fault": {"confidence_percent": 40}}, False),
        ({"source": DERIVED}, False),
        ({"uncovered": POST, "evidence_items": 1}, True),
        ({"uncovered": POST, "fault": CERTAIN}, True),
        ({"uncovered": POST}, False),
        ({"fault": CERTAIN, "evidence_items": 5}, False),
    ],
)
def test_the_model_is_asked_when_the_report_gives_it_something_to_go_by(
    fields: dict[str, Any], asks: bool
) -> None:
    decision = decide(Observed(unmeasured(case(**fields))), NOW)
    if asks:
        assert decision == d.OpenAttempt(1)
        return
    assert isinstance(decision, d.Finish)
    assert (decision.outcome, decision.reason) == (Outcome.ABSTAINED, Reason.TOO_LITTLE_EVIDENCE)
    assert "add a probe to the report" in decision.message
    assert "could not be seen" in decision.message


def test_a_policy_that_requires_a_failing_probe_is_obeyed() -> None:
    strict = {"require_probe_failure": True}
    result = unmeasured(case(DERIVED, evidence_items=3, fault=CERTAIN, evidence=strict))
    decision = decide(Observed(result), NOW)
    assert isinstance(decision, d.Finish)
    assert decision.reason is Reason.TOO_LITTLE_EVIDENCE
    assert "and the policy requires it" in decision.message


def test_a_given_probe_that_could_not_be_measured_contradicts_nobody() -> None:
    assert decide(Observed(unmeasured(case(fault=CERTAIN), passed=0)), NOW) == d.OpenAttempt(1)


def test_a_model_that_finds_all_well_is_no_proof_either() -> None:
    reason, message = abstention_reason(
        unmeasured(case(DERIVED, evidence_items=1)), Abstain.HEALTHY
    )
    assert reason is Reason.TOO_LITTLE_EVIDENCE
    assert "add a probe" in message
    reason, _ = abstention_reason(case(DERIVED), Abstain.HEALTHY)  # a probe has failed
    assert reason is Reason.DIAGNOSIS_CONTRADICTED
    reason, _ = abstention_reason(unmeasured(case()), Abstain.HEALTHY)
    assert reason is Reason.DIAGNOSIS_CONTRADICTED


def verified(result: Remediation) -> d.CloseAttempt:
    [last] = result.status.attempts
    decision = close_verified(Observed(result), last)
    assert isinstance(decision, d.CloseAttempt)
    return decision


def test_the_best_end_without_a_probe_that_failed_is_unverified() -> None:
    done = attempt(
        run=run(Reason.RUN_SUCCEEDED, clean=True), verification=window(ProbeVerdict.PASSED)
    )
    decision = verified(unmeasured(case(DERIVED, evidence_items=1, attempts=(done,))))
    assert decision.outcome is Outcome.UNVERIFIED
    assert "check that the fault is gone" in decision.message
    assert "healthy" not in decision.message
    decision = verified(case(uncovered=POST, attempts=(done,)))
    assert decision.outcome is Outcome.VERIFIED
    assert decision.message.endswith(
        "no probe sends what the report says fails: POST /cart/checkout: check that too"
    )
    decision = verified(case(DERIVED, attempts=(done,)))
    assert decision.outcome is Outcome.VERIFIED
    assert "check" not in decision.message

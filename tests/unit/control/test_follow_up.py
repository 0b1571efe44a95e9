"""Following the cause: the report of another workload, and what the first one makes of its end."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_api.diagnosis_report import Fault, FollowUpOf, Severity
from reme_api.investigation import Cause, Choice, FollowUp, InvestigationRound
from reme_api.probes import HttpProbe, Probe, ProbeVerdict, RolloutProbe
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_operator.admission.follow_ups import parent_of
from reme_operator.admission.remediation_index import remediation_info
from reme_operator.decision import decisions as d
from reme_operator.decision.decide import decide
from reme_operator.decision.follow_up import decide_follow_up
from reme_operator.decision.follow_up_report import (
    combine_probes,
    follow_up_report,
    is_report_of,
    probes_of_cause,
    probes_of_first,
)
from reme_operator.decision.observed import (
    HoldReason,
    Observed,
    ObservedFollowUp,
    is_following,
)
from reme_operator.decision.probe_verdict import ProbeHistory, ProbeRound
from reme_operator.kill_switch.state import KillSwitchState
from reme_operator.names import follow_up_name
from reme_operator.probes.sample import Sample
from tests.doubles.builders import (
    NOW,
    attempt,
    closed,
    executed,
    later,
    remediation,
    window,
)

CAUSE = Cause(kind="Deployment", name="reviews", evidence=["its Service has no endpoints"])
ROUND = InvestigationRound(
    number=1, start_time=NOW, completion_time=NOW, choice=Choice.FOLLOW_CAUSE, cause=CAUSE
)


def followed(number: int = 1, **fields: Any) -> Attempt:
    return attempt(number, investigation=[ROUND], **fields)


def follow_up(**fields: Any) -> FollowUp:
    base: dict[str, Any] = {
        "report": "cart-down-cause-12345678",
        "uid": "uid-of-report",
        "attempt": 1,
        "cause": CAUSE,
        "start_time": NOW,
    }
    return FollowUp.model_validate(base | fields)


def following(
    last: Attempt | None = None, record: FollowUp | None = None, **fields: Any
) -> Remediation:
    depth = fields.pop("depth", 0)
    result = remediation(*fields.pop("before", ()), last or followed(), **fields)
    if depth:
        link = FollowUpOf(remediation="front-down-1", uid="front", depth=depth)
        spec = result.spec.model_copy(update={"follow_up_of": link})
        result = result.model_copy(update={"spec": spec})
    status = result.status.model_copy(update={"follow_up": record})
    return result.model_copy(update={"status": status})


def history(*samples: bool | None, seconds: float = 2) -> ProbeHistory:
    result = ProbeHistory(NOW)
    for number, passed in enumerate(samples):
        sample = {"answers": Sample(passed, "", "")}
        result = result.add(ProbeRound(later(number * seconds), sample))
    return result


# before the report exists ------------------------------------------------------------------------


def test_the_report_is_recorded_before_it_is_created() -> None:
    first = decide_follow_up(Observed(following()), followed(), CAUSE, NOW)
    assert first == d.OpenFollowUp(CAUSE)
    recorded = following(record=follow_up(uid=""))
    assert decide(Observed(recorded), NOW) == d.CreateFollowUp()


@pytest.mark.parametrize(
    ("case", "cause", "text"),
    [
        (Observed(following(mode="Observe")), CAUSE, "mode Observe"),
        (Observed(following(depth=2)), CAUSE, "this is follow-up 2 already"),
        (Observed(following()), CAUSE.model_copy(update={"kind": "Node"}), "not act on a Node"),
        (Observed(following()), CAUSE.model_copy(update={"name": "cart"}), "it led here"),
        (
            Observed(
                following(depth=1),
                follow_up=ObservedFollowUp(earlier_targets=(("Deployment", "reviews"),)),
            ),
            CAUSE,
            "it led here",
        ),
        (
            Observed(following(followed(2), record=follow_up(outcome=Outcome.VERIFIED))),
            CAUSE,
            "no further report is opened",
        ),
    ],
)
def test_no_report_is_opened_and_the_end_names_the_cause(
    case: Observed, cause: Cause, text: str
) -> None:
    last = case.attempt
    assert last is not None
    decision = decide_follow_up(case, last, cause, NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE)
    assert f"{cause.kind} {cause.name}: its Service has no endpoints" in decision.message
    assert text in decision.message


@pytest.mark.parametrize("uid", ["", None])
def test_nothing_is_created_while_something_stops_what_writes(uid: str | None) -> None:
    case = following(record=None if uid is None else follow_up(uid=uid))
    switch = KillSwitchState(on=True)
    held = HoldReason(Reason.SUSPENDED, "spec.suspend is true")
    for observed, why in (
        (Observed(case, switch=switch), Reason.KILL_SWITCH),
        (Observed(case, hold=held), Reason.SUSPENDED),
    ):
        decision = decide_follow_up(observed, followed(), CAUSE, NOW)
        assert isinstance(decision, d.Wait)
        assert decision.why is why


# until its remediation has ended -----------------------------------------------------------------


def waiting(**fields: Any) -> Observed:
    record = follow_up(**fields.pop("record", {}))
    fields.setdefault("refused_since", later(-10))
    return Observed(following(record=record), follow_up=ObservedFollowUp(**fields))


@pytest.mark.parametrize(
    ("observed", "decision"),
    [
        (waiting(remediation="reviews-1"), d.RecordFollowUp("reviews-1")),
        (
            waiting(
                record={"remediation": "reviews-1"},
                remediation="reviews-1",
                outcome=Outcome.VERIFIED,
                outcome_message="held for 10 s",
            ),
            d.EndFollowUp(Outcome.VERIFIED, "held for 10 s"),
        ),
        (
            waiting(record={"remediation": "reviews-1"}, remediation_gone=True),
            d.EndFollowUp(None, "remediation reviews-1 was deleted"),
        ),
        (waiting(gone=True), d.EndFollowUp(None, "report cart-down-cause-12345678 was deleted")),
        (
            waiting(reason=Reason.NO_POLICY_MATCHES, message="none covers it"),
            d.EndFollowUp(None, "it is refused: NoPolicyMatches: none covers it"),
        ),
    ],
)
def test_what_became_of_the_report_is_recorded(observed: Observed, decision: d.Decision) -> None:
    assert decide(observed, NOW) == decision


@pytest.mark.parametrize(
    ("reason", "retry_seconds", "waits"),
    [
        (Reason.BUDGET_EXHAUSTED, 60, True),
        (Reason.SUSPENDED, None, True),
        (Reason.COOLING_DOWN, 60, True),
        (Reason.OUTSIDE_WINDOW, 600, True),
        (Reason.COOLING_DOWN, 1801, False),  # the deadline is at 1800
        (Reason.OUTSIDE_WINDOW, None, False),
        (Reason.TARGET_PROTECTED, 60, False),
        (Reason.TOO_LITTLE_EVIDENCE, None, False),
    ],
)
def test_a_refusal_that_passes_in_time_is_waited_for(
    reason: Reason, retry_seconds: int | None, waits: bool
) -> None:
    retry = None if retry_seconds is None else later(retry_seconds)
    decision = decide(waiting(reason=reason, message="why", retry_time=retry), NOW)
    if waits:
        assert isinstance(decision, d.Wait)
        assert decision.why is Reason.FOLLOWING_CAUSE
        assert f"{reason}: why" in decision.message
    else:
        assert decision == d.EndFollowUp(None, f"it is refused: {reason}: why")


def test_a_refusal_of_a_moment_ends_nothing() -> None:
    """After a restart admission may not know every policy yet."""
    case = waiting(reason=Reason.NO_POLICY_MATCHES, refused_since=NOW)
    assert isinstance(decide(case, later(9)), d.Wait)
    assert isinstance(decide(case, later(10)), d.EndFollowUp)


def test_the_deadline_ends_the_wait_and_the_message_names_what_goes_on() -> None:
    decision = decide(waiting(), later(1800))
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.TIMED_OUT, Reason.DEADLINE_EXCEEDED)
    assert "report cart-down-cause-12345678 about Deployment reviews" in decision.message


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cancel": True}, Reason.CANCELLED),
        ({"deleting": True}, Reason.CANCELLED),
        ({"report_gone": True}, Reason.REPORT_DELETED),
    ],
)
def test_a_person_ends_the_wait(change: dict[str, Any], reason: Reason) -> None:
    gone = change.pop("report_gone", False)
    case = following(record=follow_up(), **change)
    decision = decide(Observed(case, report_gone=gone), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (Outcome.CANCELLED, reason)


# after it has ended ------------------------------------------------------------------------------


def ended(
    outcome: Outcome | None, verdict: ProbeVerdict | None = None, **fields: Any
) -> Remediation:
    verification = window(verdict) if verdict else window(None)
    record = follow_up(
        outcome=outcome,
        completion_time=NOW,
        message=fields.pop("message", "so it was"),
        remediation="reviews-1" if outcome else "",
    )
    return following(followed(verification=verification), record, **fields)


def test_then_the_probes_of_the_first_one_are_taken() -> None:
    record = follow_up(outcome=Outcome.VERIFIED, completion_time=NOW)
    assert decide(Observed(following(record=record)), NOW) == d.BeginVerification()
    assert decide(Observed(ended(Outcome.VERIFIED)), NOW) == d.Verify()
    observed = Observed(ended(Outcome.VERIFIED), probe_history=history(True, True))
    assert decide(observed, later(2)) == d.Wait(later(3))


def test_after_a_repair_the_probes_get_the_time_of_a_verification() -> None:
    observed = Observed(ended(Outcome.VERIFIED), probe_history=history(False, True))
    assert isinstance(decide(observed, later(2)), d.Wait)
    passed = replace(observed, probe_history=history(False, *[True] * 6))
    decision = decide(passed, later(12))
    assert isinstance(decision, d.ConcludeFollowUp)
    assert decision.verdict.verdict is ProbeVerdict.PASSED


def test_without_a_repair_the_first_failure_decides() -> None:
    observed = Observed(ended(Outcome.ROLLED_BACK), probe_history=history(False))
    decision = decide(observed, NOW)
    assert isinstance(decision, d.ConcludeFollowUp)
    assert decision.verdict.verdict is ProbeVerdict.FAILED


@pytest.mark.parametrize(
    ("outcome", "verdict", "end", "reason"),
    [
        (Outcome.VERIFIED, "Passed", Outcome.VERIFIED, Reason.CAUSE_REPAIRED),
        (Outcome.NO_ACTION_NEEDED, "Passed", Outcome.VERIFIED, Reason.CAUSE_REPAIRED),
        (Outcome.VERIFIED, "Failed", Outcome.ABSTAINED, Reason.CAUSE_NOT_REPAIRED),
        (Outcome.VERIFIED, "Unknown", Outcome.UNVERIFIED, Reason.PROBES_INCONCLUSIVE),
        (Outcome.ROLLED_BACK, "Failed", Outcome.ABSTAINED, Reason.CAUSE_NOT_REPAIRED),
        (Outcome.ABSTAINED, "Unknown", Outcome.ABSTAINED, Reason.CAUSE_NOT_REPAIRED),
        (Outcome.ROLLED_BACK, "Passed", Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY),
        (None, "Failed", Outcome.ABSTAINED, Reason.FAULT_ELSEWHERE),
        (None, "Passed", Outcome.NO_ACTION_NEEDED, Reason.ALREADY_HEALTHY),
    ],
)
def test_the_probes_of_the_first_one_decide(
    outcome: Outcome | None, verdict: str, end: Outcome, reason: Reason
) -> None:
    decision = decide(Observed(ended(outcome, ProbeVerdict(verdict))), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert (decision.outcome, decision.reason) == (end, reason)


def test_a_fault_that_no_probe_showed_before_is_not_verified() -> None:
    case = ended(Outcome.VERIFIED, ProbeVerdict.PASSED, baseline=ProbeVerdict.UNKNOWN)
    decision = decide(Observed(case), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert decision.outcome is Outcome.UNVERIFIED


def test_the_end_names_the_report_its_outcome_and_what_to_do() -> None:
    case = ended(Outcome.ROLLED_BACK, ProbeVerdict.FAILED)
    decision = decide(Observed(case), NOW)
    assert isinstance(decision, d.CloseAttempt)
    for words in ("report cart-down-cause-12345678", "reviews-1) ended with RolledBack", "repair"):
        assert words in decision.message
    refused = ended(None, ProbeVerdict.FAILED, message="it is refused: NoPolicyMatches: none")
    decision = decide(Observed(refused), NOW)
    assert isinstance(decision, d.CloseAttempt)
    assert "the fault is in Deployment reviews: its Service has no endpoints" in decision.message
    assert "NoPolicyMatches" in decision.message


@pytest.mark.parametrize(
    ("outcome", "attempts", "again"),
    [(Outcome.VERIFIED, 2, True), (Outcome.VERIFIED, 1, False), (Outcome.ROLLED_BACK, 2, False)],
)
def test_where_the_cause_is_repaired_and_the_target_is_not_another_attempt_follows(
    outcome: Outcome, attempts: int, again: bool
) -> None:
    last = closed(1, Outcome.ABSTAINED, Reason.CAUSE_NOT_REPAIRED, investigation=[ROUND])
    record = follow_up(outcome=outcome, completion_time=NOW)
    decision = decide(Observed(following(last, record, max_attempts=attempts)), NOW)
    assert isinstance(decision, d.OpenAttempt if again else d.Finish)


def test_it_needs_neither_target_nor_budget_until_another_attempt_opens() -> None:
    assert not is_following(following())
    assert is_following(following(record=follow_up()))
    last = closed(1, Outcome.ABSTAINED, Reason.CAUSE_NOT_REPAIRED, investigation=[ROUND])
    assert is_following(following(last, follow_up()))
    assert not is_following(following(attempt(2), follow_up(), before=[last]))
    assert not is_following(following(record=follow_up(), outcome=Outcome.VERIFIED))


# the report ---------------------------------------------------------------------------------------


def http(name: str, service: str) -> Probe:
    return Probe(name=name, http=HttpProbe(service=service, port=80))


def test_the_probes_of_the_cause_are_those_that_ask_it() -> None:
    named = Probe(name="its-rollout", rollout=RolloutProbe(kind="Deployment", name="reviews"))
    first = [http("front", "front"), http("reviews-answer", "reviews-v1"), named]
    derived = [http("answers", "reviews-v1"), http("ready", "reviews-v2")]
    probes = probes_of_cause(first, CAUSE, {"reviews-v1", "reviews-v2"}, derived)
    assert [probe.name for probe in probes] == [
        "cause-rollout",
        "reviews-answer",
        "its-rollout",
        "cause-ready",
    ]


def test_the_probes_of_the_first_one_stay_about_the_first_one() -> None:
    usage = Probe.model_validate(
        {"name": "usage", "resourceUsage": {"resource": "cpu", "maxPercent": 90}}
    )
    rollout = Probe(name="rollout", rollout=RolloutProbe(min_replicas=2))
    first = remediation()
    first.spec.probes = [http("front", "front"), usage, rollout]
    probes = probes_of_first(first)
    assert [probe.name for probe in probes] == ["front", "rollout"]
    assert probes[1].rollout == RolloutProbe(kind="Deployment", name="cart", min_replicas=2)


def test_a_report_has_at_most_eight_probes_with_a_name_each() -> None:
    many = [http(f"p{number}", "front") for number in range(9)]
    combined = combine_probes([http("p1", "other")], many)
    assert len(combined) == 8
    assert combined[0].http == HttpProbe(service="other", port=80)
    assert len({probe.name for probe in combined}) == 8


def test_the_report_says_where_it_comes_from_and_what_speaks_for_it() -> None:
    first = following(depth=1)
    first.spec.fault = Fault(
        type="errors",
        summary="every page fails",
        confidence_percent=80,
        severity=Severity.HIGH,
        start_time=later(-60),
    )
    report = follow_up_report(first, follow_up(), [http("a", "b")])
    assert report.spec.follow_up_of == FollowUpOf(
        remediation=first.metadata.name, uid=first.metadata.uid, depth=2
    )
    fault = report.spec.fault
    assert (fault.type, fault.confidence_percent, fault.severity, fault.start_time) == (
        "errors",
        80,
        Severity.HIGH,
        later(-60),
    )
    assert "comes from Deployment reviews: its Service has no endpoints" in fault.summary
    assert [e.text for e in report.spec.evidence] == [
        "its Service has no endpoints",
        "Deployment cart: every page fails",
    ]
    manifest = report.manifest()
    (owner,) = manifest["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == (
        "Remediation",
        first.metadata.name,
        first.metadata.uid,
    )
    assert "policyRef" not in manifest["spec"]
    assert is_report_of(report, first, CAUSE)
    assert not is_report_of(report, first, CAUSE.model_copy(update={"name": "stock"}))


def test_a_link_counts_once_the_remediation_confirms_it() -> None:
    first = following(record=follow_up())
    report = follow_up_report(first, follow_up(), [])
    info = remediation_info(first, NOW)
    assert parent_of(report, [info]) is info
    unknown = remediation_info(following(), NOW)
    assert parent_of(report, [unknown]) is None
    deeper = report.model_copy(deep=True)
    assert deeper.spec.follow_up_of is not None
    deeper.spec.follow_up_of.depth = 2
    assert parent_of(deeper, [info]) is None
    renamed = report.model_copy(deep=True)
    renamed.metadata.name = "another"
    assert parent_of(renamed, [info]) is None


def test_the_name_of_the_report_follows_from_the_remediation_and_the_cause() -> None:
    first = following()
    name = follow_up_name(first, "Deployment", "reviews")
    assert name == follow_up_name(first, "Deployment", "reviews")
    assert name != follow_up_name(first, "StatefulSet", "reviews")
    first.spec.report_ref.name = "x" * 200
    assert len(follow_up_name(first, "Deployment", "reviews")) == 63


def test_while_it_waits_it_takes_no_slot_and_no_target() -> None:
    info = remediation_info(following(record=follow_up()), NOW)
    assert info.open
    assert not info.active
    assert not info.locks_target
    assert not info.has_side_effects
    # also when an earlier attempt had run and was rolled back
    before = executed(1, outcome=Outcome.ROLLED_BACK, reason=Reason.PROBES_FAILED)
    record = follow_up(attempt=2)
    again = following(followed(2), record, before=[before])
    assert not remediation_info(again, NOW).active


# anything at all ----------------------------------------------------------------------------------

records = st.none() | st.builds(
    FollowUp,
    report=st.just("cart-down-cause-12345678"),
    uid=st.sampled_from(["", "uid-of-report"]),
    attempt=st.integers(1, 2),
    cause=st.just(CAUSE),
    start_time=st.just(NOW),
    remediation=st.sampled_from(["", "reviews-1"]),
    outcome=st.none() | st.sampled_from(list(Outcome)),
    completion_time=st.none() | st.just(NOW),
)
observations = st.builds(
    ObservedFollowUp,
    gone=st.booleans(),
    reason=st.none() | st.sampled_from(list(Reason)),
    retry_time=st.none() | st.integers(0, 4000).map(later),
    refused_since=st.none() | st.integers(0, 4000).map(later),
    remediation=st.sampled_from(["", "reviews-1"]),
    remediation_gone=st.booleans(),
    outcome=st.none() | st.sampled_from(list(Outcome)),
)
windows = st.none() | st.builds(window, st.none() | st.sampled_from(list(ProbeVerdict)))


@given(records, observations, windows, st.integers(1, 2), st.integers(0, 4000))
def test_whatever_is_seen_nothing_is_done_to_the_target(
    record: FollowUp | None, observation: ObservedFollowUp, verification: Any, number: int, age: int
) -> None:
    case = following(followed(number, verification=verification), record)
    observed, now = Observed(case, follow_up=observation), later(age)
    last = observed.attempt
    assert last is not None
    decision = decide_follow_up(observed, last, CAUSE, now)
    if record is not None and record.attempt == number:
        decision = decide(observed, now)
    assert isinstance(
        decision,
        d.OpenFollowUp
        | d.CreateFollowUp
        | d.RecordFollowUp
        | d.EndFollowUp
        | d.BeginVerification
        | d.Verify
        | d.ConcludeFollowUp
        | d.CloseAttempt
        | d.Wait,
    )
    if isinstance(decision, d.CreateFollowUp):
        assert record is not None
        assert not record.uid

"""Many reports at once: an order, one report for one cause, and few at a time."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reme_api.diagnosis_report import DiagnosisReport, Target
from reme_api.reasons import Reason
from reme_operator.admission.admit import Accept, AdmissionInput, Refuse, TargetInfo, admit
from reme_operator.admission.remediation_index import RemediationInfo
from reme_operator.admission.storm import (
    ReportSummary,
    StormImpact,
    StormLimits,
    group_by_cause,
    possible_causes,
    storm_state,
    urgency,
    workload_cause,
)
from tests.doubles.builders import NOW, RELEASE, later, policy, report
from tests.unit.control.test_budgets import opened, target


def about(name: str, evidence: list[str] | None = None, **fault: Any) -> DiagnosisReport:
    return report(
        name,
        uid=name,
        target=Target.model_validate({"kind": "Deployment", "name": name}),
        fault={"type": "errors", **fault},
        evidence=[{"text": text} for text in evidence or []],
    )


def filed(
    name: str, *shared: str, acting: bool = False, place: int = 0, own: str | None = None
) -> ReportSummary:
    mine = workload_cause("shop", own or name)
    result = frozenset({mine, *(workload_cause("shop", one) for one in shared)})
    return ReportSummary(name, f"shop/{name}", mine, (0, 0, later(place), name), result, acting)


def test_the_worst_comes_first_then_the_surest_then_the_oldest() -> None:
    reports = [
        about("critical", severity="Critical", confidence_percent=10),
        about("sure", severity="High", confidence_percent=90),
        about("unsaid", severity="High"),
        about("unsure", severity="High", confidence_percent=20),
        about("medium"),
        about("low", severity="Low", confidence_percent=100),
    ]
    backwards = list(reversed(reports))
    ordered = sorted(backwards, key=lambda r: urgency(r, NOW))
    assert [r.metadata.name for r in ordered] == [r.metadata.name for r in reports]


def test_a_cause_is_named_in_the_evidence() -> None:
    names = {"cart", "stock", "redis", "front"}
    result = possible_causes(
        about("cart", ["dial tcp redis:6379: connection refused", "GET /stock"]), names
    )
    assert result == {"shop/cart", "shop/redis", "shop/stock"}
    assert possible_causes(about("cart", ["rediscovered stockings"]), names) == {"shop/cart"}


@pytest.mark.parametrize(
    "text", ["pod evicted from node worker-1", "node/worker-1 NotReady", "Node: x; node=worker-1"]
)
def test_a_node_is_a_cause_too(text: str) -> None:
    assert "node worker-1" in possible_causes(about("cart", [text]), set())


def test_who_names_everything_names_nothing() -> None:
    names = {f"s{n}" for n in range(9)}
    assert possible_causes(about("cart", [" ".join(sorted(names))]), names) == {"shop/cart"}


def test_of_those_with_one_cause_the_cause_itself_is_acted_on() -> None:
    report_summaries = [filed("cart", "redis"), filed("redis", place=9), filed("front", "redis")]
    mapping = group_by_cause(report_summaries)
    assert {uid: lead.uid for uid, (lead, _) in mapping.items()} == {
        "cart": "redis",
        "front": "redis",
    }
    assert mapping["cart"][1] == "shop/redis"


def test_where_nobody_reported_the_cause_the_worst_is_acted_on() -> None:
    mapping = group_by_cause([filed("cart", "redis", place=2), filed("front", "redis", place=1)])
    assert {uid: lead.uid for uid, (lead, _) in mapping.items()} == {"cart": "front"}


def test_what_is_under_way_already_is_waited_for() -> None:
    mapping = group_by_cause([filed("redis"), filed("cart", "redis", acting=True)])
    assert {uid: lead.uid for uid, (lead, _) in mapping.items()} == {"redis": "cart"}


def test_two_reports_of_one_target_are_one() -> None:
    mapping = group_by_cause([filed("first", own="cart"), filed("second", own="cart", place=1)])
    assert {uid: lead.uid for uid, (lead, _) in mapping.items()} == {"second": "first"}


names = st.sampled_from(["a", "b", "c", "d", "e"])
crowds = st.lists(
    st.tuples(names, st.sets(names, max_size=3), st.booleans(), st.integers(0, 5)), max_size=30
)


@given(crowds)
def test_whoever_is_waited_for_waits_for_nobody(
    crowd: list[tuple[str, set[str], bool, int]],
) -> None:
    report_summaries = [
        filed(f"r{n}", *others, acting=acting, place=place, own=own)
        for n, (own, others, acting, place) in enumerate(crowd)
    ]
    mapping = group_by_cause(report_summaries)
    for uid, (lead, cause) in mapping.items():
        assert lead.uid not in mapping, "a chain could wait for ever"
        (mine,) = [one for one in report_summaries if one.uid == uid]
        assert not mine.acting
        assert cause in mine.causes & lead.causes


def test_there_is_no_storm_up_to_the_threshold() -> None:
    limits = StormLimits(threshold=2)
    two = [filed("cart", "redis"), filed("redis")]
    assert not storm_state(two, limits).active
    assert storm_state(two, limits).impact("cart") == StormImpact()
    three = storm_state([*two, filed("front")], limits)
    assert three.impact("cart") == StormImpact(True, 3, 2, "shop/redis", "shop/redis")
    assert three.impact("redis") == StormImpact(True, 3, 2)


def admitted(storm: StormImpact, *entries: RemediationInfo) -> Accept | Refuse:
    wide = policy(budgets={"max_concurrent": 50, "cooldown_seconds": 0})
    case = AdmissionInput(report(), TargetInfo(), [wide], entries, RELEASE, storm=storm)
    result = admit(case, NOW)
    assert isinstance(result, Accept | Refuse)
    return result


def test_in_a_storm_few_are_acted_on_and_the_others_wait() -> None:
    busy = [opened(f"o{n}", target=target(f"t{n}")) for n in range(2)]
    storm = StormImpact(True, 40, 2)
    refusal = admitted(storm, *busy)
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.REPORT_STORM
    assert refusal.retry_at is not None
    assert isinstance(admitted(storm, busy[0]), Accept)
    assert isinstance(admitted(StormImpact(), *busy), Accept)


def test_a_report_with_the_cause_of_another_waits_for_it() -> None:
    refusal = admitted(StormImpact(True, 40, 2, "shop/redis", "shop/redis"))
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.SAME_CAUSE
    assert "shop/redis" in refusal.message
    assert refusal.retry_at is not None


def test_a_report_about_a_cause_waits_for_no_other_and_goes_first() -> None:
    """The first report has a remediation, which waits for the one about the cause."""
    first = filed("front", "reviews", acting=True)
    follow_up = replace(filed("front-cause", own="reviews", place=9), follow_up=True)
    other = filed("cart", "reviews", place=1)
    handled_by = group_by_cause([first, follow_up, other])
    assert "front-cause" not in handled_by
    assert handled_by["cart"][0].uid == "front-cause"
    assert "front" not in handled_by

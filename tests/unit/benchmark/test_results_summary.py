"""The figures count every case that the cluster can have, and say what is apart."""

from datetime import timedelta
from typing import Any

import pytest

from reme_benchmark.reports.statistics import wilson
from reme_benchmark.reports.summary import summarize
from reme_benchmark.reports.summary_model import Summary
from reme_benchmark.scenarios.cases.model import Quality
from reme_benchmark.scenarios.faults.model import Control
from reme_benchmark.scoring.records import (
    CaseResult,
    Change,
    MethodReport,
    State,
    Timing,
    Tokens,
    UserImpact,
)
from tests.doubles.results import NOW, case, result, run, verdict


def figures(*results: CaseResult, **fields: Any) -> Summary:
    return summarize(run([r.case for r in results], **fields), results)


def test_the_short_form_is_what_people_script_against() -> None:
    summary = figures(result(1), result(2, passed=False), result(3)).model_dump(mode="json")
    low, high = wilson(2, 3)
    assert list(summary)[:5] == ["suite", "method", "seed", "strict", "published"]
    assert summary["suite"] == "quick"
    assert summary["method"] == "reme"
    assert summary["seed"] == 7
    assert summary["strict"] == {"passed": 2, "cases": 3, "rate": 2 / 3, "low": low, "high": high}
    assert list(summary["published"]) == ["passed", "cases", "rate", "low", "high"]


def test_what_failed_to_be_injected_stays_in_the_denominator() -> None:
    summary = figures(
        result(1),
        result(2, passed=None, state=State.INJECTION_FAILED),
        result(3, passed=None, state=State.HARNESS_ERROR),
        result(4, passed=None, state=State.NOT_APPLICABLE, message="one node only"),
    )
    assert (summary.strict.passed, summary.strict.cases) == (1, 3)
    assert {state: n for state, n in summary.states.items() if n} == {
        "judged": 1,
        "injection-failed": 1,
        "harness-error": 1,
        "not-applicable": 1,
    }
    assert [n.reason for n in summary.not_applicable] == ["one node only"]
    assert summary.causes == {"harness-error": 1, "injection-failed": 1}
    assert summary.complete


def test_the_published_rate_is_of_cases_that_microremed_could_judge() -> None:
    good: dict[str, Any] = {"published": verdict(True)}
    bad: dict[str, Any] = {"published": verdict(False)}
    summary = figures(
        result(1, **good),
        result(2, passed=False, **good),
        result(3, **bad),
        result(case(4, fault="dns-broken"), passed=False),
        result(case(5), passed=None, state=State.INJECTION_FAILED),
        result(case(6, fault="dns-broken"), passed=None, state=State.INJECTION_FAILED),
        result(case(7), passed=None, state=State.NOT_APPLICABLE),
    )
    assert (summary.published.passed, summary.published.cases) == (2, 4)
    assert summary.strict.cases == 6
    assert summary.agreement.model_dump() == {
        "both": 1,
        "strict_only": 1,
        "published_only": 1,
        "neither": 0,
    }


def test_no_cases_and_none_that_is_possible_here() -> None:
    for summary in (
        figures(),
        figures(result(1, passed=None, state=State.NOT_APPLICABLE, message="no")),
    ):
        assert summary.strict.model_dump() == {
            "passed": 0,
            "cases": 0,
            "rate": None,
            "low": 0,
            "high": 1,
        }
        assert summary.abstention.precision is None
        assert summary.time.overhead_seconds is None
        assert summary.cost.rejected_share is None
        assert Summary.model_validate_json(summary.model_dump_json()) == summary


def test_a_run_that_has_not_ended_says_so() -> None:
    summary = summarize(run([case(1), case(2)]), [result(1)])
    assert not summary.complete
    assert (summary.planned, summary.ended, summary.strict.cases) == (2, 1, 1)


def test_shares_by_what_a_case_is() -> None:
    summary = figures(
        result(1),
        result(case(2, fault="dns-broken", system="bank", quality=Quality.TERSE), passed=False),
        result(case(3, fault=None, control=Control.HEALTHY)),
    )
    assert {k: (s.passed, s.cases) for k, s in summary.by_fault.items()} == {
        "cpu-stress": (1, 1),
        "dns-broken": (0, 1),
    }
    assert {k: (s.passed, s.cases) for k, s in summary.by_system.items()} == {
        "bank": (0, 1),
        "shop": (2, 2),
    }
    assert summary.by_quality["terse"].cases == 1
    assert summary.by_control["healthy"].passed == 1
    assert (summary.repairs.cases, summary.controls.cases) == (2, 1)


def method_report(outcome: str, **fields: Any) -> dict[str, Any]:
    return {"method_report": MethodReport(outcome=outcome, **fields)}


def test_false_actions_and_what_abstaining_was_worth() -> None:
    healthy: dict[str, Any] = {"fault": None, "control": Control.HEALTHY}
    summary = figures(
        result(case(1, **healthy), **method_report("NoActionNeeded")),
        result(case(2, **healthy), passed=False, **method_report("Verified", acted=True)),
        result(case(3, **healthy), strict=verdict(False, "changes"), **method_report("Abstained")),
        result(case(4, control=Control.UNREPAIRABLE), **method_report("Rejected", rejected=2)),
        result(case(5), passed=False, **method_report("Abstained")),
        result(case(6), **method_report("Verified", acted=True)),
        result(case(7), passed=False, **method_report("Failed", error="no model")),
    )
    assert summary.false_actions.model_dump() == {
        "acted": 2,
        "controls": 4,
        "cases": ["quick-002", "quick-003"],
    }
    assert summary.abstention.model_dump() == {
        "abstained": 2,
        "right": 1,
        "controls": 4,
        "precision": 0.5,
        "recall": 0.25,
    }


def test_time_users_and_cost_are_over_judged_cases() -> None:
    change = Change(object="Service/cart", path="spec.x", before="1", after="2", allowed=False)
    again = change.model_copy(update={"path": "spec.y"})
    fine = change.model_copy(update={"object": "Deployment/cart", "allowed": True})
    held = verdict(True).model_copy(update={"held_since": NOW + timedelta(seconds=20)})
    summary = figures(
        result(
            1,
            strict=held,
            report_time=NOW,
            timing=Timing(reset=1, inject=2, confirm=3, report=4, method=20, judge=9, total=39),
            users=UserImpact(failed_requests=10, served_again_seconds=8),
            changes=[change, again, fine],
            pods_replaced=2,
            **method_report(
                "Verified",
                acted=True,
                attempts=2,
                rejected=1,
                playbooks=["a", "b"],
                steps={"Verify": 6.0},
                tokens=Tokens(prompt=100, cached=50, completion=10),
            ),
        ),
        result(
            2,
            strict=verdict(False, "serves cart"),
            timing=Timing(method=40),
            users=UserImpact(failed_requests=2),
            changes=[change],
            **method_report("x"),
        ),
        result(3, passed=None, state=State.HARNESS_ERROR, timing=Timing(reset=900)),
    )
    assert summary.time.overhead_seconds == 5
    assert summary.time.repaired_seconds == 20
    assert summary.time.harness["reset"].total == 1
    assert summary.time.harness["method"].model_dump() == {
        "cases": 2,
        "median": 30,
        "p95": 40,
        "total": 60,
    }
    assert summary.time.method["Verify"].median == 6
    assert summary.users.served_again_seconds == 8
    assert summary.users.never_served_again == 1
    assert summary.users.failed_requests == 12
    assert summary.users.pods_replaced == 2
    assert (summary.users.objects_left_changed, summary.users.cases_left_changed) == (1, 1)
    assert summary.cost.tokens == Tokens(prompt=100, cached=50, completion=10)
    assert summary.cost.tokens_median == 110
    assert summary.cost.rejected_share == 0.5


def test_repeats_of_a_case_are_not_taken_for_cases() -> None:
    summary = figures(
        *(result(case(n, id=f"quick-001-r{n}"), passed=n % 2 == 0) for n in range(4)),
        *(result(case(n, id=f"quick-002-r{n}", service="web")) for n in range(4)),
    )
    assert summary.flakes.model_dump() == {
        "repeated": 2,
        "flaky": 1,
        "rate": 0.5,
        "cases": ["quick-001-r0"],
    }
    assert summary.bootstrap is not None
    assert (summary.bootstrap.low, summary.bootstrap.high, summary.bootstrap.cases) == (0.5, 1, 2)
    assert figures(result(1)).bootstrap is None


def test_what_it_was_run_on_is_kept() -> None:
    summary = figures(result(1), commit="abc", dirty=True, cluster={"version": "1"}, model="m")
    assert (summary.commit, summary.dirty, summary.cluster, summary.model) == (
        "abc",
        True,
        {"version": "1"},
        "m",
    )
    assert summary.start_time == NOW


@pytest.mark.parametrize("cause", ["wrong-action", ""])
def test_a_recorded_cause_is_kept(cause: str) -> None:
    summary = figures(result(1, passed=False, cause=cause, **method_report("Abstained")))
    assert summary.causes == {cause or "abstained": 1}

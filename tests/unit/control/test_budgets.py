"""How often, how widely and how many at once, one rule at a time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reme_api.budgets import Budgets
from reme_api.diagnosis_report import Target
from reme_api.reasons import Outcome, Reason
from reme_operator.admission.budgets import (
    BudgetRefusal,
    BudgetRequest,
    OperatorLimits,
    allowed_workloads,
    cooldown,
    exceeded_budget,
    failures_in_a_row,
)
from reme_operator.admission.remediation_index import RemediationInfo
from tests.doubles.builders import NOW, later

LIMITS = OperatorLimits()


def target(name: str = "cart") -> Target:
    return Target.model_validate({"kind": "Deployment", "name": name})


def ended(name: str, seconds_ago: float, outcome: Outcome, **fields: Any) -> RemediationInfo:
    base: dict[str, Any] = {
        "namespace": "shop",
        "name": name,
        "uid": name,
        "report_uid": name,
        "target": target(),
        "policy": "shop/usual",
        "created": later(-seconds_ago - 10),
        "completed": later(-seconds_ago),
        "outcome": outcome,
        "reason": Reason.PROBES_PASSED,
        "message": "",
        "history_limit": 50,
        "ttl_seconds": 1000,
        "ran": outcome not in (Outcome.NO_ACTION_NEEDED, Outcome.ABSTAINED, Outcome.OBSERVED),
    }
    return RemediationInfo(**(base | fields))


def opened(name: str, **fields: Any) -> RemediationInfo:
    remediation_info = ended(name, 0, Outcome.FAILED, **fields)
    return replace(remediation_info, outcome=None, completed=None, ran=False)


def held(
    entries: list[RemediationInfo], name: str = "cart", workloads: int = 10, **budgets: int
) -> BudgetRefusal | None:
    base = {"cooldown_seconds": 0, "max_concurrent": 100, "max_per_hour": 1000}
    budget_request = BudgetRequest(
        "shop", target(name), "shop/usual", Budgets(**(base | budgets)), workloads
    )
    return exceeded_budget(entries, budget_request, LIMITS, NOW)


@pytest.mark.parametrize(
    ("outcome", "before", "after"),
    [
        (Outcome.VERIFIED, 3, 0),
        (Outcome.NO_ACTION_NEEDED, 3, 0),
        (Outcome.ROLLED_BACK, 0, 1),
        (Outcome.ROLLBACK_FAILED, 2, 3),
        (Outcome.UNVERIFIED, 0, 1),
        (Outcome.ABSTAINED, 1, 2),
        (Outcome.CANCELLED, 2, 2),
        (Outcome.OBSERVED, 1, 1),
    ],
)
def test_what_did_not_help_is_counted_in_a_row(outcome: Outcome, before: int, after: int) -> None:
    remediation_info = ended("a", 10, outcome, failures_before=before)
    assert remediation_info.failures == after
    older = ended("b", 1000, Outcome.ROLLED_BACK, failures_before=7)
    assert failures_in_a_row([remediation_info, older], "shop", target(), NOW) == after
    assert failures_in_a_row([remediation_info], "shop", target("stock"), NOW) == 0


@pytest.mark.parametrize(
    ("before", "seconds"), [(0, 200), (1, 400), (2, 800), (3, 1000), (40, 1000)]
)
def test_the_rest_doubles_up_to_its_most(before: int, seconds: int) -> None:
    budgets = Budgets(cooldown_seconds=100, max_cooldown_seconds=1000)
    remediation_info = ended("a", 10, Outcome.ROLLED_BACK, failures_before=before)
    assert cooldown(remediation_info, budgets) == timedelta(seconds=seconds)


def test_a_rest_is_never_shorter_than_it_is_without_failures() -> None:
    budgets = Budgets(cooldown_seconds=100, max_cooldown_seconds=0)
    assert cooldown(ended("a", 1, Outcome.ROLLED_BACK), budgets) == timedelta(seconds=100)
    assert cooldown(ended("a", 1, Outcome.NO_ACTION_NEEDED), budgets) == timedelta(0)


def test_a_target_that_rests_says_until_when_and_why() -> None:
    remediation_infos = [ended("a", 100, Outcome.ROLLED_BACK, failures_before=1)]
    hold = held(remediation_infos, cooldown_seconds=100)
    assert hold is not None
    assert (hold.reason, hold.retry_at) == (Reason.COOLING_DOWN, later(300))
    assert "2 in a row did not help" in hold.message
    assert held(remediation_infos, "stock", cooldown_seconds=100) is None


def test_the_operators_own_budgets_hold_over_all_policies() -> None:
    others = [
        opened(str(n), policy=f"b/{n}", namespace="b", target=target(f"t{n}")) for n in range(20)
    ]
    hold = held(others)
    assert hold is not None
    assert (hold.reason, hold.message) == (
        Reason.BUDGET_EXHAUSTED,
        "the operator allows 20 open at once",
    )
    many = [ended(str(n), n, Outcome.VERIFIED, policy="b/x", namespace="b") for n in range(200)]
    hold = held(many)
    assert hold is not None
    assert hold.message == "the operator allows 200 per hour"
    assert hold.retry_at == later(3600 - 199 - 10)


@pytest.mark.parametrize(
    ("total", "percent", "most"), [(10, 25, 2), (10, 1, 1), (0, 50, 1), (3, 99, 2), (7, 100, 7)]
)
def test_a_share_is_rounded_down_and_at_least_one(total: int, percent: int, most: int) -> None:
    assert allowed_workloads(total, percent) == most


def test_only_so_many_workloads_of_a_namespace_are_touched() -> None:
    two = [
        ended("a", 3000, Outcome.VERIFIED, target=target("a")),
        ended("b", 100, Outcome.ROLLED_BACK, target=target("b")),
    ]
    hold = held(two, max_workloads_percent=20)
    assert hold is not None
    assert "allows 2 of 10 workloads of shop" in hold.message
    assert hold.retry_at == later(60)
    assert held(two, "a", max_workloads_percent=20) is None  # it is one of the two
    assert held(two, max_workloads_percent=30) is None
    assert held(two, max_workloads_percent=20, workloads_window_seconds=2000) is None


def test_what_touched_nothing_is_not_counted_as_touched() -> None:
    idle = [
        ended("a", 10, Outcome.ABSTAINED, target=target("a")),
        opened("b", target=target("b"), plans_only=True),
        ended("c", 10, Outcome.VERIFIED, target=target("c"), namespace="elsewhere"),
    ]
    assert held(idle, max_workloads_percent=10) is None
    assert held([opened("d", target=target("d"))], max_workloads_percent=10) is not None

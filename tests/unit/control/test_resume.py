"""A remediation on hold takes no room, and goes on only when there is room again."""

from dataclasses import replace
from typing import Any

import pytest

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Hold, Remediation
from reme_operator.admission.admit import Accept, Refuse
from reme_operator.admission.budgets import OperatorLimits
from reme_operator.admission.remediation_index import (
    RemediationIndex,
    RemediationInfo,
    remediation_info,
)
from reme_operator.admission.resume import ResumeGuard
from tests.doubles.builders import NOW, planned, policy, remediation, started
from tests.unit.control.test_admit import decided
from tests.unit.control.test_budgets import ended, opened, target

ROOM: dict[str, Any] = {"budgets": {"max_concurrent": 1, "cooldown_seconds": 0}}


def held(*attempts: Any, **fields: Any) -> Remediation:
    result = remediation(*(attempts or (planned(),)), **(ROOM | fields))
    hold = Hold(reason=Reason.SUSPENDED, start_time=NOW)
    return result.model_copy(update={"status": result.status.model_copy(update={"hold": hold})})


def guard(*others: RemediationInfo, own: Remediation, **limits: int) -> ResumeGuard:
    index = RemediationIndex()
    index.merge([remediation_info(own, NOW), *others])
    return ResumeGuard(index, OperatorLimits(**limits))


def test_on_hold_it_locks_no_target_and_takes_no_slot() -> None:
    """It kept both, for as long as it waited."""
    info = remediation_info(held(), NOW)
    assert info.open
    assert not info.active
    assert not info.locks_target
    assert not info.has_side_effects
    one_at_once = [policy(budgets={"max_concurrent": 1, "cooldown_seconds": 0})]
    assert isinstance(decided(policies=one_at_once, entries=[info]), Accept)
    active = replace(info, on_hold=False)
    refusal = decided(policies=one_at_once, entries=[active])
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.TARGET_LOCKED


def test_what_has_had_a_run_keeps_its_target() -> None:
    attempt = started(1).model_copy(update={"outcome": Outcome.ROLLED_BACK})
    info = remediation_info(held(attempt, planned(2)), NOW)
    assert not info.on_hold
    assert info.locks_target


@pytest.mark.parametrize(
    ("other", "limits", "reason"),
    [
        (opened("other"), {}, Reason.TARGET_LOCKED),
        (opened("other", target=target("stock")), {}, Reason.BUDGET_EXHAUSTED),
        (
            opened("other", target=target("stock"), policy="shop/wide"),
            {"max_concurrent": 1},
            Reason.BUDGET_EXHAUSTED,
        ),
    ],
    ids=["target", "policy", "operator"],
)
def test_it_goes_on_when_there_is_room(
    other: RemediationInfo, limits: dict[str, int], reason: Reason
) -> None:
    own = held()
    full = guard(other, own=own, **limits)
    refusal = full.refusal(own, 0, NOW)
    assert refusal is not None
    assert refusal.reason is reason
    assert not full.try_resume(own, 0, NOW)
    full.index.merge([replace(other, outcome=Outcome.VERIFIED, completed=NOW)])
    assert full.try_resume(own, 0, NOW)


def test_after_another_one_the_target_cools_down_first() -> None:
    own = held(budgets={"max_concurrent": 1, "cooldown_seconds": 300})
    other = ended("other", 100, Outcome.ROLLED_BACK)
    refusal = guard(other, own=own).refusal(own, 0, NOW)
    assert refusal is not None
    assert refusal.reason is Reason.COOLING_DOWN


def test_two_on_hold_do_not_both_go_on() -> None:
    one, two = held(), held(name="two", uid="two")
    both = guard(remediation_info(two, NOW), own=one)
    assert both.try_resume(one, 0, NOW)
    assert not both.try_resume(two, 0, NOW), "before the status of the first says so"
    both.index.merge([remediation_info(one, NOW)])
    assert not both.try_resume(two, 0, NOW), "a list may be older than the reservation"
    both.cancel(one)
    assert both.try_resume(two, 0, NOW)


def test_a_reservation_ends_with_the_status() -> None:
    own = held()
    resumed = guard(own=own)
    assert resumed.try_resume(own, 0, NOW)
    over = own.status.model_copy(update={"hold": None, "held_seconds": 3})
    resumed.index.add(remediation_info(own.model_copy(update={"status": over}), NOW))
    again = own.status.model_copy(update={"held_seconds": 3})
    resumed.index.add(remediation_info(own.model_copy(update={"status": again}), NOW))
    (info,) = resumed.index.all()
    assert info.on_hold, "it is on hold again"


def test_a_hold_that_is_over_does_not_return_with_an_old_list() -> None:
    own = held()
    index = RemediationIndex()
    index.add(remediation_info(own, NOW))
    resumed = own.status.model_copy(update={"hold": None, "held_seconds": 3})
    index.add(remediation_info(own.model_copy(update={"status": resumed}), NOW))
    index.merge([remediation_info(own, NOW)])
    (info,) = index.all()
    assert info.locks_target


def test_what_is_being_created_counts_already() -> None:
    index = RemediationIndex()
    info = opened("new")
    with index.creating(info):
        assert index.all() == (info,)
        index.add(info)
        assert index.all() == (info,)
    index.remove(info.uid)
    assert index.all() == ()

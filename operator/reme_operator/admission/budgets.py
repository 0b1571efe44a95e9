"""Budgets and the target lock: whether acting now would be too often, too widely, too many. Pure.

Everything is counted from the remediations that exist: it holds across restarts and replicas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.budgets import Budgets
from reme_api.diagnosis_report import Target
from reme_api.reasons import Outcome, Reason
from reme_operator.admission.remediation_index import RemediationInfo

HOUR = timedelta(hours=1)
RETRY_INTERVAL = timedelta(seconds=60)
"""After this a refused report is looked at again; the end of a remediation wakes it as well."""


class BudgetRefusal(NamedTuple):
    """Why not now, and when to look again."""

    reason: Reason
    message: str
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """The budgets of the whole cluster, whatever the policies say."""

    max_concurrent: int = 20
    max_per_hour: int = 200


@dataclass(frozen=True, slots=True)
class BudgetRequest:
    """A target, and the policy under which it would be repaired."""

    namespace: str
    target: Target
    policy: str  # namespace/name
    budgets: Budgets
    workloads: int = 0  # of the namespace; 0 where the policy does not bound their share


def target_locked(
    infos: Sequence[RemediationInfo], request: BudgetRequest, now: datetime
) -> BudgetRefusal | None:
    """Return the refusal while another remediation locks the target."""
    for info in infos:
        if info.locks_target and info.has_target(request.namespace, request.target):
            message = f"remediation {info.name} is acting on the target"
            return BudgetRefusal(Reason.TARGET_LOCKED, message, now + RETRY_INTERVAL)
    return None


def exceeded_budget(
    infos: Sequence[RemediationInfo], request: BudgetRequest, limits: OperatorLimits, now: datetime
) -> BudgetRefusal | None:
    """Return the first budget that one more remediation would exceed."""
    of_policy = [info for info in infos if info.policy == request.policy]
    name, budgets = f"policy {request.policy}", request.budgets
    return (
        _cooldown(infos, request, now)
        or _concurrent(of_policy, budgets.max_concurrent, name, now)
        or _per_hour(of_policy, budgets.max_per_hour, name, now)
        or _concurrent(infos, limits.max_concurrent, "the operator", now)
        or _per_hour(infos, limits.max_per_hour, "the operator", now)
        or _workload_share(infos, request, now)
    )


def resume_refusal(
    infos: Sequence[RemediationInfo], request: BudgetRequest, limits: OperatorLimits, now: datetime
) -> BudgetRefusal | None:
    """Return why a remediation on hold may not become active again; it is not among `infos`.

    The budget per hour is not asked: it was counted when it was created.
    """
    of_policy = [info for info in infos if info.policy == request.policy]
    return (
        target_locked(infos, request, now)
        or _cooldown(infos, request, now)
        or _concurrent(of_policy, request.budgets.max_concurrent, f"policy {request.policy}", now)
        or _concurrent(infos, limits.max_concurrent, "the operator", now)
        or _workload_share(infos, request, now)
    )


def failures_in_a_row(
    infos: Sequence[RemediationInfo], namespace: str, target: Target, now: datetime
) -> int:
    """Return how many of the last remediations of the target did not help.

    0 once budgets no longer count the last one: it may be deleted from then on, and the number
    must not depend on whether it was.
    """
    ended = [i for i in infos if i.has_target(namespace, target) and i.completed is not None]
    last = max(ended, key=lambda i: (i.completed, i.created, i.name), default=None)
    if last is None or (last.counted_until is not None and now >= last.counted_until):
        return 0
    return last.failures


def cooldown(info: RemediationInfo, budgets: Budgets) -> timedelta:
    """Return how long no other remediation of its target begins after this one has ended."""
    if info.outcome is Outcome.NO_ACTION_NEEDED:
        return timedelta(0)
    longest = max(budgets.cooldown_seconds, budgets.max_cooldown_seconds)
    seconds = budgets.cooldown_seconds * 2 ** min(info.failures, 32)
    return timedelta(seconds=min(seconds, longest))


def _cooldown(
    infos: Sequence[RemediationInfo], request: BudgetRequest, now: datetime
) -> BudgetRefusal | None:
    ended = [
        (info.completed + cooldown(info, request.budgets), info)
        for info in infos
        if info.completed is not None and info.has_target(request.namespace, request.target)
    ]
    until, last = max(ended, key=lambda pair: pair[0], default=(now, None))
    if last is None or until <= now:
        return None
    seconds = int(cooldown(last, request.budgets).total_seconds())
    failed = f"; {last.failures} in a row did not help" if last.failures else ""
    message = f"the target cools down for {seconds} s after remediation {last.name}{failed}"
    return BudgetRefusal(Reason.COOLING_DOWN, message, until)


def _concurrent(
    infos: Sequence[RemediationInfo], maximum: int, owner: str, now: datetime
) -> BudgetRefusal | None:
    if sum(info.active for info in infos) < maximum:
        return None
    message = f"{owner} allows {maximum} open at once"
    return BudgetRefusal(Reason.BUDGET_EXHAUSTED, message, now + RETRY_INTERVAL)


def _per_hour(
    infos: Sequence[RemediationInfo], maximum: int, owner: str, now: datetime
) -> BudgetRefusal | None:
    recent = sorted(info.created for info in infos if info.created > now - HOUR)
    if len(recent) < maximum:
        return None
    message = f"{owner} allows {maximum} per hour"
    return BudgetRefusal(Reason.BUDGET_EXHAUSTED, message, recent[-maximum] + HOUR)


def _workload_share(
    infos: Sequence[RemediationInfo], request: BudgetRequest, now: datetime
) -> BudgetRefusal | None:
    budgets = request.budgets
    if budgets.max_workloads_percent >= 100:
        return None
    window = timedelta(seconds=budgets.workloads_window_seconds)
    changed_until: dict[tuple[str, str], datetime] = {}
    for info in infos:
        if info.namespace != request.namespace or not info.has_side_effects:
            continue
        until = (now if info.completed is None else info.completed) + window
        workload = (info.target.kind.value, info.target.name)
        if until > now:
            changed_until[workload] = max(until, changed_until.get(workload, until))
    maximum = allowed_workloads(request.workloads, budgets.max_workloads_percent)
    changed_until.pop((request.target.kind.value, request.target.name), None)
    if len(changed_until) < maximum:
        return None
    next_free = sorted(changed_until.values())[len(changed_until) - maximum]
    return BudgetRefusal(
        Reason.BUDGET_EXHAUSTED,
        f"policy {request.policy} allows {maximum} of {request.workloads} workloads of "
        f"{request.namespace} within {budgets.workloads_window_seconds} s",
        min(next_free, now + RETRY_INTERVAL),
    )


def allowed_workloads(total: int, percent: int) -> int:
    """Return how many workloads that share is: rounded down, and at least one."""
    return max(1, total * percent // 100)

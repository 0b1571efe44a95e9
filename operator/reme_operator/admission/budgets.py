"""Whether acting now would be too often, too widely or too many at once: pure.

Everything is counted from the remediations that exist, so it holds across restarts and replicas.
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
"""When a remediation's end makes room, the report is woken by it as well."""


class BudgetRefusal(NamedTuple):
    """Why not now, and when it may be otherwise."""

    reason: Reason
    message: str
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class OperatorLimits:
    """What holds for the whole cluster, whatever the policies say."""

    max_concurrent: int = 20
    max_per_hour: int = 200


@dataclass(frozen=True, slots=True)
class BudgetRequest:
    """A target, and the policy that it would be repaired under."""

    namespace: str
    target: Target
    policy: str  # namespace/name
    budgets: Budgets
    workloads: int = 0  # of the namespace; 0 when it was not asked


def busy(
    entries: Sequence[RemediationInfo], asked: BudgetRequest, now: datetime
) -> BudgetRefusal | None:
    """Return the hold by an open remediation of the same target."""
    mine = [e for e in entries if e.same_target(asked.namespace, asked.target)]
    found = next((e for e in mine if e.busy), None)
    if found is None:
        return None
    return BudgetRefusal(
        Reason.TARGET_LOCKED, f"remediation {found.name} is under way", now + RETRY_INTERVAL
    )


def exceeded_budget(
    entries: Sequence[RemediationInfo], asked: BudgetRequest, limits: OperatorLimits, now: datetime
) -> BudgetRefusal | None:
    """Return the first budget that one more remediation would exceed."""
    under = [e for e in entries if e.policy == asked.policy]
    name, budgets = f"policy {asked.policy}", asked.budgets
    return (
        _resting(entries, asked, now)
        or _at_once(under, budgets.max_concurrent, name, now)
        or _per_hour(under, budgets.max_per_hour, name, now)
        or _at_once(entries, limits.max_concurrent, "the operator", now)
        or _per_hour(entries, limits.max_per_hour, "the operator", now)
        or _widely(entries, asked, now)
    )


def failures(entries: Sequence[RemediationInfo], namespace: str, target: Target) -> int:
    """Return how many remediations of the target in a row did not help, up to the last one."""
    ended = [e for e in entries if e.same_target(namespace, target) and e.completed is not None]
    last = max(ended, key=lambda e: (e.completed, e.created, e.name), default=None)
    return last.failures if last else 0


def rest(found: RemediationInfo, budgets: Budgets) -> timedelta:
    """Return how long the target of a remediation that has ended is left alone."""
    if found.outcome is Outcome.NO_ACTION_NEEDED:
        return timedelta(0)
    longest = max(budgets.cooldown_seconds, budgets.max_cooldown_seconds)
    seconds = budgets.cooldown_seconds * 2 ** min(found.failures, 32)
    return timedelta(seconds=min(seconds, longest))


def _resting(
    entries: Sequence[RemediationInfo], asked: BudgetRequest, now: datetime
) -> BudgetRefusal | None:
    ended = [
        (e.completed + rest(e, asked.budgets), e)
        for e in entries
        if e.completed is not None and e.same_target(asked.namespace, asked.target)
    ]
    until, last = max(ended, key=lambda pair: pair[0], default=(now, None))
    if last is None or until <= now:
        return None
    seconds = int(rest(last, asked.budgets).total_seconds())
    why = f", {last.failures} in a row did not help" if last.failures else ""
    return BudgetRefusal(
        Reason.COOLING_DOWN, f"the target rests for {seconds} s after {last.name}{why}", until
    )


def _at_once(
    counted: Sequence[RemediationInfo], most: int, who: str, now: datetime
) -> BudgetRefusal | None:
    if sum(e.open for e in counted) < most:
        return None
    return BudgetRefusal(
        Reason.BUDGET_EXHAUSTED, f"{who} allows {most} open at once", now + RETRY_INTERVAL
    )


def _per_hour(
    counted: Sequence[RemediationInfo], most: int, who: str, now: datetime
) -> BudgetRefusal | None:
    recent = sorted(e.created for e in counted if e.created > now - HOUR)
    if len(recent) < most:
        return None
    return BudgetRefusal(
        Reason.BUDGET_EXHAUSTED, f"{who} allows {most} per hour", recent[-most] + HOUR
    )


def _widely(
    entries: Sequence[RemediationInfo], asked: BudgetRequest, now: datetime
) -> BudgetRefusal | None:
    budgets = asked.budgets
    if budgets.max_workloads_percent >= 100:
        return None
    window = timedelta(seconds=budgets.workloads_window_seconds)
    touched: dict[tuple[str, str], datetime] = {}
    for found in entries:
        if found.namespace != asked.namespace or not found.has_side_effects:
            continue
        until = (now if found.completed is None else found.completed) + window
        key = (found.target.kind.value, found.target.name)
        if until > now:
            touched[key] = max(until, touched.get(key, until))
    most = allowed_workloads(asked.workloads, budgets.max_workloads_percent)
    touched.pop((asked.target.kind.value, asked.target.name), None)
    if len(touched) < most:
        return None
    again = sorted(touched.values())[len(touched) - most]
    return BudgetRefusal(
        Reason.BUDGET_EXHAUSTED,
        f"policy {asked.policy} allows {most} of {asked.workloads} workloads of "
        f"{asked.namespace} within {budgets.workloads_window_seconds} s",
        min(again, now + RETRY_INTERVAL),
    )


def allowed_workloads(total: int, percent: int) -> int:
    """Return how many workloads that share is: rounded down, and at least one."""
    return max(1, total * percent // 100)

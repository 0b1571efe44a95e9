"""What is known of every remediation, as little as budgets, locks and retention need."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reme_api.diagnosis_report import Target
from reme_api.parsing import parse_int
from reme_api.policy import Mode
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from reme_operator.decision.conditions import SUCCESSES
from reme_operator.decision.manual_rollback import manual_rollback_requested
from reme_operator.names import FAILURES_ANNOTATION

_NEUTRAL = frozenset({Outcome.OBSERVED, Outcome.CANCELLED})
"""Outcomes that say nothing about whether reme can help the target."""

_MOST_FAILURES = 32
_MOST_GONE = 10_000
"""How many that are gone are remembered: none of them is in a list that is still on its way."""


@dataclass(frozen=True, slots=True)
class RemediationInfo:
    """One remediation."""

    namespace: str
    name: str
    uid: str
    report_uid: str
    target: Target
    policy: str  # namespace/name
    created: datetime
    completed: datetime | None
    outcome: Outcome | None
    reason: Reason | None
    message: str
    history_limit: int
    ttl_seconds: int
    deleting: bool = False
    ran: bool = False  # a run was named: it may have changed something
    plans_only: bool = False  # under a policy that only observes
    failures_before: int = 0  # in a row, of this target, when it was begun
    keep_until: datetime | None = None  # budgets count it until then
    rolling_back: bool = False  # it has ended, and is being taken back by hand

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.outcome is None

    @property
    def busy(self) -> bool:
        """Whether its target is taken."""
        return self.open or self.rolling_back

    @property
    def has_side_effects(self) -> bool:
        """Whether it has changed something, or still may."""
        return self.ran or (self.open and not self.plans_only)

    @property
    def failures(self) -> int:
        """How many in a row have not helped, this one included."""
        if self.outcome in SUCCESSES:
            return 0
        neutral = self.outcome is None or self.outcome in _NEUTRAL
        return self.failures_before if neutral else self.failures_before + 1

    def same_target(self, namespace: str, target: Target) -> bool:
        """Return whether it is about that workload."""
        return (
            self.namespace == namespace
            and self.target.kind is target.kind
            and self.target.name == target.name
        )


def entry(remediation: Remediation, now: datetime) -> RemediationInfo:
    """Return what the ledger keeps of a remediation."""
    meta, spec, status = remediation.metadata, remediation.spec, remediation.status
    return RemediationInfo(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        report_uid=spec.report_ref.uid,
        target=spec.target,
        policy=f"{spec.policy.namespace}/{spec.policy.name}",
        created=meta.creation_timestamp or status.start_time or now,
        completed=status.completion_time,
        outcome=status.outcome,
        reason=status.reason,
        message=status.message,
        history_limit=spec.policy.spec.history_limit,
        ttl_seconds=spec.policy.spec.ttl_seconds_after_finished,
        deleting=meta.deletion_timestamp is not None,
        ran=any(attempt.run is not None for attempt in status.attempts),
        plans_only=spec.policy.spec.mode is Mode.OBSERVE,
        failures_before=_failures_before(meta.annotations),
        keep_until=_counted_until(remediation, meta.creation_timestamp or now),
        rolling_back=manual_rollback_requested(remediation),
    )


def _failures_before(annotations: Mapping[str, str]) -> int:
    return min(parse_int(annotations.get(FAILURES_ANNOTATION, "")) or 0, _MOST_FAILURES)


def _counted_until(remediation: Remediation, created: datetime) -> datetime:
    """Return how long budgets count it: gone before, it would make room that there is not."""
    budgets, ended = remediation.spec.policy.spec.budgets, remediation.status.completion_time
    longest = max(
        budgets.cooldown_seconds
        if remediation.status.outcome in SUCCESSES
        else max(budgets.cooldown_seconds, budgets.max_cooldown_seconds),
        budgets.workloads_window_seconds if budgets.max_workloads_percent < 100 else 0,
    )
    rested = (ended or created) + timedelta(seconds=longest)
    return max(created + timedelta(hours=1), rested)


class RemediationIndex:
    """The remediations as they were last seen: good enough to refuse, not to accept.

    Whoever is about to create one lists those of its namespace afresh: a watch may lag, and a
    second run on one target is the one mistake that must not happen.
    """

    def __init__(self) -> None:
        self._entries: dict[str, RemediationInfo] = {}
        self._by_report: dict[str, set[str]] = defaultdict(set)
        self._gone: dict[str, None] = {}

    def note(self, found: RemediationInfo) -> None:
        """Remember the remediation as it is now, unless more is known of it already.

        A list and a watch may overtake each other. What has ended does not open again, and what is
        gone does not come back.
        """
        known = self._entries.get(found.uid)
        if found.uid in self._gone or (known is not None and found.open and not known.open):
            return
        self._entries[found.uid] = found
        self._by_report[found.report_uid].add(found.uid)

    def get(self, uid: str) -> RemediationInfo | None:
        """Return a remediation, if it is known."""
        return self._entries.get(uid)

    def forget(self, uid: str) -> None:
        """Drop a remediation that is gone."""
        if known := self._entries.pop(uid, None):
            self._by_report[known.report_uid].discard(uid)
            if not self._by_report[known.report_uid]:
                del self._by_report[known.report_uid]
        self._gone[uid] = None
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def merge(self, found: Iterable[RemediationInfo]) -> None:
        """Remember all of these."""
        for one in found:
            self.note(one)

    def entries(self) -> tuple[RemediationInfo, ...]:
        """Return all of them."""
        return tuple(self._entries.values())

    def of_report(self, uid: str) -> tuple[RemediationInfo, ...]:
        """Return those of a report, oldest first."""
        known = self._by_report.get(uid, ())
        return tuple(sorted((self._entries[one] for one in known), key=_age))

    def open_count(self) -> int:
        """Return how many have not ended."""
        return sum(e.open for e in self._entries.values())


def _age(found: RemediationInfo) -> tuple[datetime, str]:
    return found.created, found.name

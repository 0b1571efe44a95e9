"""An in-memory index of all remediations: as much of each as budgets, locks and retention need."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reme_api.diagnosis_report import Target
from reme_api.parsing import parse_int
from reme_api.policy import Mode
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from reme_operator.decision.conditions import SUCCESSES
from reme_operator.decision.holds import is_on_hold
from reme_operator.decision.manual_rollback import manual_rollback_requested
from reme_operator.decision.observed import has_run, is_following
from reme_operator.names import FAILURES_ANNOTATION

_NEUTRAL = frozenset({Outcome.OBSERVED, Outcome.CANCELLED})
"""Outcomes that say nothing about whether reme can repair the target."""

_MAX_FAILURES = 32
_MAX_DELETED = 10_000
"""How many deleted ones are remembered: older ones are in no list that is still on its way."""


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
    plans_only: bool = False  # under a policy of mode Observe
    failures_before: int = 0  # in a row, of this target, when it was created
    counted_until: datetime | None = None  # budgets count it until then
    rolling_back: bool = False  # it has ended, and a person asked for a rollback
    on_hold: bool = False  # it may not go on for now, or waits for the remediation of a cause
    held_seconds: int = 0  # on earlier holds
    depth: int = 0  # how many remediations led to it, from cause to cause
    parent_uid: str = ""  # of the remediation that led to it
    follow_up_report: str = ""  # the report that it opened for the cause

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.outcome is None

    @property
    def active(self) -> bool:
        """Whether it takes room in the budgets of open remediations."""
        return self.open and not self.on_hold

    @property
    def locks_target(self) -> bool:
        """Whether no other remediation may act on its target."""
        return self.active or self.rolling_back

    @property
    def has_side_effects(self) -> bool:
        """Whether it has changed something, or still may."""
        return self.ran or (self.active and not self.plans_only)

    @property
    def failures(self) -> int:
        """How many in a row have not helped, this one included."""
        if self.outcome in SUCCESSES:
            return 0
        neutral = self.outcome is None or self.outcome in _NEUTRAL
        return self.failures_before if neutral else self.failures_before + 1

    @property
    def progress(self) -> tuple[bool, bool, int, bool]:
        """How far it has come: grows with every change of what budgets and locks count."""
        return not self.open, self.ran, self.held_seconds, self.on_hold

    def has_target(self, namespace: str, target: Target) -> bool:
        """Return whether it is about that workload."""
        return (
            self.namespace == namespace
            and self.target.kind is target.kind
            and self.target.name == target.name
        )

    def counts_like(self, other: "RemediationInfo") -> bool:
        """Return whether budgets and locks count both the same."""
        return (self.outcome, self.rolling_back, self.on_hold, self.follow_up_report) == (
            other.outcome,
            other.rolling_back,
            other.on_hold,
            other.follow_up_report,
        )


def remediation_info(remediation: Remediation, now: datetime) -> RemediationInfo:
    """Return what the index keeps of a remediation."""
    meta, spec, status = remediation.metadata, remediation.spec, remediation.status
    created, link = meta.creation_timestamp or status.start_time or now, spec.follow_up_of
    return RemediationInfo(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        report_uid=spec.report_ref.uid,
        target=spec.target,
        policy=f"{spec.policy.namespace}/{spec.policy.name}",
        created=created,
        completed=status.completion_time,
        outcome=status.outcome,
        reason=status.reason,
        message=status.message,
        history_limit=spec.policy.spec.history_limit,
        ttl_seconds=spec.policy.spec.ttl_seconds_after_finished,
        deleting=meta.deletion_timestamp is not None,
        ran=has_run(remediation),
        plans_only=spec.policy.spec.mode is Mode.OBSERVE,
        failures_before=_failures_before(meta.annotations),
        counted_until=_counted_until(remediation, created),
        rolling_back=manual_rollback_requested(remediation),
        on_hold=is_on_hold(remediation) or is_following(remediation),
        held_seconds=status.held_seconds,
        depth=link.depth if link else 0,
        parent_uid=link.uid if link else "",
        follow_up_report=status.follow_up.report if status.follow_up else "",
    )


def _failures_before(annotations: Mapping[str, str]) -> int:
    return min(parse_int(annotations.get(FAILURES_ANNOTATION, "")) or 0, _MAX_FAILURES)


def _counted_until(remediation: Remediation, created: datetime) -> datetime:
    """Return until when budgets count it: deleted earlier, it would make room that there is not.

    One that did not help is counted for twice the longest cool-down: the next one of its target
    begins when the cool-down is over at the earliest, and must know how many failed before.
    """
    budgets, ended = remediation.spec.policy.spec.budgets, remediation.status.completion_time
    longest_seconds = max(
        budgets.cooldown_seconds
        if remediation.status.outcome in SUCCESSES
        else 2 * max(budgets.cooldown_seconds, budgets.max_cooldown_seconds),
        budgets.workloads_window_seconds if budgets.max_workloads_percent < 100 else 0,
    )
    cooled_down = (ended or created) + timedelta(seconds=longest_seconds)
    return max(created + timedelta(hours=1), cooled_down)


class RemediationIndex:
    """The remediations as they were last seen: good enough to refuse, not to accept.

    Before one is created, those of its namespace are listed afresh: a watch may lag, and two runs
    on one target at once must not happen.
    """

    def __init__(self) -> None:
        self._infos: dict[str, RemediationInfo] = {}
        self._by_report: dict[str, set[str]] = defaultdict(set)
        self._deleted: dict[str, None] = {}
        self._creating: list[RemediationInfo] = []
        self._resuming: set[str] = set()

    def add(self, info: RemediationInfo) -> None:
        """Index the remediation as it is now, unless a later state of it is known already.

        A list and a watch may overtake each other: what has ended does not open again, a hold that
        is over does not return, and what was deleted does not come back.
        """
        self._add(info)
        if not info.on_hold:
            self._resuming.discard(info.uid)

    def _add(self, info: RemediationInfo) -> None:
        known = self._infos.get(info.uid)
        if info.uid in self._deleted or (known is not None and info.progress < known.progress):
            return
        self._infos[info.uid] = info
        self._by_report[info.report_uid].add(info.uid)

    def get(self, uid: str) -> RemediationInfo | None:
        """Return a remediation, if it is known."""
        return self._infos.get(uid)

    def remove(self, uid: str) -> None:
        """Drop a remediation that was deleted."""
        if known := self._infos.pop(uid, None):
            self._by_report[known.report_uid].discard(uid)
            if not self._by_report[known.report_uid]:
                del self._by_report[known.report_uid]
        self._resuming.discard(uid)
        self._deleted[uid] = None
        if len(self._deleted) > _MAX_DELETED:
            del self._deleted[next(iter(self._deleted))]

    def merge(self, infos: Iterable[RemediationInfo]) -> None:
        """Index those of a list; it may be older than what was reserved by `resume`."""
        for info in infos:
            self._add(info)

    def all(self) -> tuple[RemediationInfo, ...]:
        """Return all of them, with those that are just being created or resumed as active."""
        infos = [
            replace(info, on_hold=False) if info.uid in self._resuming else info
            for info in self._infos.values()
        ]
        known = {(info.namespace, info.name) for info in infos} if self._creating else set()
        new = (info for info in self._creating if (info.namespace, info.name) not in known)
        return (*infos, *new)

    def of_report(self, uid: str) -> tuple[RemediationInfo, ...]:
        """Return those of a report, oldest first."""
        uids = self._by_report.get(uid, ())
        return tuple(sorted((self._infos[uid] for uid in uids), key=lambda i: (i.created, i.name)))

    def open_count(self, policy: str = "") -> int:
        """Return how many have not ended: of all, or under one policy (namespace/name)."""
        return sum(
            info.open and (not policy or info.policy == policy) for info in self._infos.values()
        )

    @contextmanager
    def creating(self, info: RemediationInfo) -> Iterator[None]:
        """Count a remediation that is being created until the end of the block."""
        self._creating.append(info)
        try:
            yield
        finally:
            self._creating.remove(info)

    def resume(self, uid: str) -> None:
        """Count a remediation as active again, before its status says so."""
        self._resuming.add(uid)

    def cancel_resume(self, uid: str) -> None:
        """Count a remediation by its status alone."""
        self._resuming.discard(uid)

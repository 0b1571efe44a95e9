"""What is known of every remediation, as little as budgets, locks and retention need."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reme_api.diagnosis_report import Target
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation

_MOST_GONE = 10_000
"""How many that are gone are remembered: none of them is in a list that is still on its way."""


@dataclass(frozen=True, slots=True)
class Entry:
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

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.outcome is None

    def same_target(self, namespace: str, target: Target) -> bool:
        """Return whether it is about that workload."""
        return (
            self.namespace == namespace
            and self.target.kind is target.kind
            and self.target.name == target.name
        )


def entry(remediation: Remediation, now: datetime) -> Entry:
    """Return what the ledger keeps of a remediation."""
    meta, spec, status = remediation.metadata, remediation.spec, remediation.status
    return Entry(
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
    )


class Ledger:
    """The remediations as they were last seen: good enough to refuse, not to accept.

    Whoever is about to create one lists those of its namespace afresh: a watch may lag, and a
    second run on one target is the one mistake that must not happen.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._gone: dict[str, None] = {}

    def note(self, found: Entry) -> None:
        """Remember the remediation as it is now, unless more is known of it already.

        A list and a watch may overtake each other. What has ended does not open again, and what is
        gone does not come back.
        """
        known = self._entries.get(found.uid)
        if found.uid in self._gone or (known is not None and found.open and not known.open):
            return
        self._entries[found.uid] = found

    def get(self, uid: str) -> Entry | None:
        """Return a remediation, if it is known."""
        return self._entries.get(uid)

    def forget(self, uid: str) -> None:
        """Drop a remediation that is gone."""
        self._entries.pop(uid, None)
        self._gone[uid] = None
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def merge(self, found: Iterable[Entry]) -> None:
        """Remember all of these."""
        for one in found:
            self.note(one)

    def entries(self) -> tuple[Entry, ...]:
        """Return all of them."""
        return tuple(self._entries.values())

    def of_report(self, uid: str) -> tuple[Entry, ...]:
        """Return those of a report, oldest first."""
        return tuple(sorted((e for e in self._entries.values() if e.report_uid == uid), key=_age))

    def open_count(self) -> int:
        """Return how many have not ended."""
        return sum(e.open for e in self._entries.values())


def _age(found: Entry) -> tuple[datetime, str]:
    return found.created, found.name

"""Which ended remediations are old enough to go: pure; an open one never is."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from reme_operator.admission.remediation_index import RemediationInfo


def expired(entries: Sequence[RemediationInfo], now: datetime) -> list[RemediationInfo]:
    """Return the remediations to delete, oldest first.

    The limit of a policy is the one that its newest remediation was begun under. What budgets still
    count is kept, whatever the limit: forgotten, it would make room that there is not.
    """
    by_policy: dict[str, list[RemediationInfo]] = defaultdict(list)
    for found in entries:
        by_policy[found.policy].append(found)
    gone: list[RemediationInfo] = []
    for under in by_policy.values():
        limit = max(under, key=lambda e: e.created).history_limit
        ended = sorted(
            (e for e in under if not e.open and e.completed is not None),
            key=lambda e: (e.completed or e.created, e.name),
            reverse=True,
        )
        for position, found in enumerate(ended):
            assert found.completed is not None, "only ended ones are counted"
            too_old = now - found.completed >= timedelta(seconds=found.ttl_seconds)
            counted = found.keep_until is not None and now < found.keep_until
            if (position >= limit or too_old) and not (counted or found.deleting):
                gone.append(found)
    return sorted(gone, key=lambda e: (e.completed or e.created, e.name))

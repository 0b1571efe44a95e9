"""Which ended remediations are old enough to go: pure; an open one never is."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from reme_operator.ledger import Entry


def expired(entries: Sequence[Entry], now: datetime) -> list[Entry]:
    """Return the remediations to delete, oldest first.

    The limit of a policy is the one that its newest remediation was begun under.
    """
    by_policy: dict[str, list[Entry]] = defaultdict(list)
    for found in entries:
        by_policy[found.policy].append(found)
    gone: list[Entry] = []
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
            if (position >= limit or too_old) and not found.deleting:
                gone.append(found)
    return sorted(gone, key=lambda e: (e.completed or e.created, e.name))

"""Which ended remediations are deleted; an open one never is. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from reme_operator.admission.remediation_index import RemediationInfo


def expired(infos: Sequence[RemediationInfo], now: datetime) -> list[RemediationInfo]:
    """Return the remediations to delete, oldest first.

    The history limit of a policy is that of its newest remediation. Remediations that budgets
    still count are kept whatever the limit: deleted, they would make room that there is not. So is
    one that led to an open one: the report of that one is deleted with it.
    """
    parents = {info.parent_uid for info in infos if info.open}
    by_policy: dict[str, list[RemediationInfo]] = defaultdict(list)
    for info in infos:
        by_policy[info.policy].append(info)
    to_delete: list[RemediationInfo] = []
    for of_policy in by_policy.values():
        limit = max(of_policy, key=lambda i: i.created).history_limit
        ended = sorted(
            ((info.completed, info) for info in of_policy if not info.open and info.completed),
            key=lambda pair: (pair[0], pair[1].name),
            reverse=True,
        )
        for position, (completed, info) in enumerate(ended):
            too_old = now - completed >= timedelta(seconds=info.ttl_seconds)
            counted = info.counted_until is not None and now < info.counted_until
            is_needed = counted or info.deleting or info.uid in parents
            if (position >= limit or too_old) and not is_needed:
                to_delete.append(info)
    return sorted(to_delete, key=lambda i: (i.completed or i.created, i.name))

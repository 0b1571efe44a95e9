"""What earlier remediations of a target did to its pod template, as their records say.

The revisions of a workload do not show why a template was replaced. The record of a remediation
does: one that helped shows that the template before was bad, and one that was rolled back shows
that its template did not help.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Attempt, Remediation
from reme_kube.errors import ForbiddenError, NotFoundError
from reme_kube.protocols import Cluster
from reme_playbook.actions.effect import parse_effect
from reme_playbook.snapshot.abandoned import Replacement

RECENT = timedelta(days=1)
"""For how long a template that did not help is not tried again: after that, the fault is new."""


_MEASURED = {Reason.PROBES_FAILED, Reason.NEIGHBOURS_DEGRADED}
"""Reasons of an attempt that show that it did not help; another one shows that it did not run."""


class RepairHistory(NamedTuple):
    """Pod templates that remediations of a target put in the place of others."""

    repairs: tuple[Replacement, ...] = ()
    useless: tuple[Replacement, ...] = ()


async def read_repair_history(cluster: Cluster, own: Remediation, now: datetime) -> RepairHistory:
    """Return what the other remediations of the target did.

    Remediations that may not be read count as none: `policy explain` runs with a person's rights.

    Raises:
        ClusterError: they could not be read for another reason.

    """
    try:
        others = await cluster.list_objects(Remediation, own.metadata.namespace)
    except (ForbiddenError, NotFoundError):
        return RepairHistory()
    target = own.spec.target
    same = (
        other
        for other in others
        if (other.spec.target.kind, other.spec.target.name) == (target.kind, target.name)
        and other.metadata.uid != own.metadata.uid
    )
    return repair_history(same, now)


def repair_history(remediations: Iterable[Remediation], now: datetime) -> RepairHistory:
    """Return the templates that attempts replaced for good, and those that lately did not help."""
    repairs: dict[Replacement, None] = {}
    useless: dict[Replacement, None] = {}
    for attempt in (a for r in remediations for a in r.status.attempts):
        replacement = _replacement(attempt)
        ended = attempt.completion_time
        if replacement is None or ended is None:
            continue
        if attempt.outcome is Outcome.VERIFIED:
            repairs[replacement] = None
        elif attempt.reason in _MEASURED and now - ended < RECENT:
            useless[replacement] = None
    return RepairHistory(tuple(repairs), tuple(useless))


def _replacement(attempt: Attempt) -> Replacement | None:
    """Return the templates before and after the run, if it changed the template."""
    if attempt.run is None or attempt.target_before is None:
        return None
    before = attempt.target_before.template_digest
    templates = (parse_effect(action.effect).template for action in attempt.actions)
    after = next((text for text in templates if text and text != before), "")
    return Replacement(before, after) if after else None

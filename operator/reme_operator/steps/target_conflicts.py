"""Other remediations of the same target: two of them never change it at once.

Admission creates none while another one acts on the target, one on hold is resumed only when none
does, and a manual rollback does not start while one does. Each of them looks before it acts, and a
slow request may lie between the look and the act. So each looks again after the others could have
seen it: a manual rollback when its run is named, and before its Job is created; a remediation when
it exists, or is resumed, and before its run is named. Whoever sees the other steps back.
"""

from collections.abc import AsyncIterator

from reme_api.remediation import Remediation
from reme_kube.protocols import Cluster
from reme_operator.decision.holds import is_on_hold
from reme_operator.decision.manual_rollback import latest_manual_rollback
from reme_operator.decision.observed import is_following


async def find_open_remediation(cluster: Cluster, own: Remediation) -> str:
    """Return the name of another remediation of the target that is open and not on hold."""
    async for other in _of_same_target(cluster, own):
        if _is_active(other):
            return other.metadata.name
    return ""


async def find_acting_remediation(cluster: Cluster, own: Remediation) -> str:
    """Return the name of another one of the target that is active, or that a run rolls back."""
    async for other in _of_same_target(cluster, own):
        rollback = latest_manual_rollback(other)
        rolls_back = rollback is not None and rollback.outcome is None and rollback.run is not None
        if rolls_back or _is_active(other):
            return other.metadata.name
    return ""


def _is_active(remediation: Remediation) -> bool:
    waits = is_on_hold(remediation) or is_following(remediation)
    return remediation.status.outcome is None and not waits


async def _of_same_target(cluster: Cluster, own: Remediation) -> AsyncIterator[Remediation]:
    target, meta = own.spec.target, own.metadata
    for other in await cluster.list_objects(Remediation, meta.namespace):
        same = (other.spec.target.kind, other.spec.target.name) == (target.kind, target.name)
        if same and other.metadata.uid != meta.uid:
            yield other

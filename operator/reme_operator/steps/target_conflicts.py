"""Other remediations of the same target: never do two of them write at once.

The desk opens none while another one is busy, and an undo by hand is not begun while one is open.
Both look before they act, and a slow request may lie between the look and the act. So each looks
again after the other could have seen it: an undo when its run is named, and before its Job is made;
a remediation when it is there, and before its run is named.
"""

from collections.abc import AsyncIterator

from reme_api.remediation import Remediation
from reme_kube.protocols import Cluster


async def find_open_remediation(cluster: Cluster, own: Remediation) -> str:
    """Return the name of another remediation of the same target that has not ended, if any."""
    async for other in _others(cluster, own):
        if other.status.outcome is None:
            return other.metadata.name
    return ""


async def find_manual_rollback(cluster: Cluster, own: Remediation) -> str:
    """Return the name of another of the same target whose undo by hand has its run, if any."""
    async for other in _others(cluster, own):
        manual_rollbacks = other.status.manual_rollbacks
        if (
            manual_rollbacks
            and manual_rollbacks[-1].outcome is None
            and manual_rollbacks[-1].run is not None
        ):
            return other.metadata.name
    return ""


async def _others(cluster: Cluster, own: Remediation) -> AsyncIterator[Remediation]:
    target, meta = own.spec.target, own.metadata
    for other in await cluster.list_objects(Remediation, meta.namespace):
        same = (other.spec.target.kind, other.spec.target.name) == (target.kind, target.name)
        if same and other.metadata.uid != meta.uid:
            yield other

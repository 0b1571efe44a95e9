"""Reads the nodes of the target's pods, and those that could take them."""

from collections.abc import Iterable
from itertools import islice

from reme_kube.resources import NODES
from reme_operator.investigation.readers.base import Sources, reads, redacted
from reme_operator.investigation.readers.workload_pods import read_pods
from reme_playbook.inspections.base import observed_fault_start
from reme_playbook.inspections.node_state import NodeState, node_findings
from reme_playbook.snapshot.finding import Finding
from reme_playbook.snapshot.snapshot import ClusterSnapshot

_MAX_NODES = 200


@reads(NodeState)
async def read(
    inspection: NodeState, snapshot: ClusterSnapshot, sources: Sources
) -> Iterable[Finding]:
    """Return what is wrong with the nodes."""
    pods = await read_pods(inspection.subject, sources)
    nodes = await sources.cluster.list_resource(NODES)
    used = {pod.get("spec", {}).get("nodeName") for pod in pods}
    nodes.sort(key=lambda node: node["metadata"]["name"] not in used)
    bounded = list(islice(nodes, _MAX_NODES))
    return node_findings(
        inspection, redacted(pods), redacted(bounded), observed_fault_start(snapshot)
    )

"""Reads the live state around a target, as the operator does for a remediation."""

from collections.abc import Sequence

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import Fault, Target
from reme_api.probes import Probe
from reme_api.remediation import PolicySnapshot, Remediation, RemediationSpec, ReportReference
from reme_benchmark.fidelity.playbook_sampling import wide
from reme_kube.cluster import ApiCluster
from reme_operator.snapshot.collect import collect_snapshot
from reme_playbook.snapshot.snapshot import ClusterSnapshot


async def read(
    cluster: ApiCluster, namespace: str, target: Target, fault: str, probes: Sequence[Probe]
) -> ClusterSnapshot:
    """Return the live state.

    Raises:
        TargetVanishedError: the target does not exist.
        ClusterError: the API server could not be asked.
    """
    remediation = Remediation(
        metadata=ObjectMeta(name="fidelity", namespace=namespace),
        spec=RemediationSpec(
            report_ref=ReportReference(name="fidelity", uid="none"),
            target=target,
            fault=Fault(type=fault),
            probes=list(probes),
            policy=PolicySnapshot(name="benchmark", namespace=namespace, spec=wide()),
        ),
    )
    return await collect_snapshot(cluster, remediation)

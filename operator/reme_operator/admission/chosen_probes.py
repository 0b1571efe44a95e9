"""Which probes a remediation has, and what of its report they can see. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.policy import RemediationPolicySpec
from reme_api.probe_coverage import ProbeCoverage, ProbeSource
from reme_api.probes import Probe
from reme_operator.probes.derived import Json, WorkloadPorts, derived_probes, describe
from reme_operator.probes.reported_requests import (
    ReportedRequest,
    reported_requests,
    uncovered_requests,
)


class ChosenProbes(NamedTuple):
    """The probes, what they cover, and the notes for the author of the report."""

    probes: tuple[Probe, ...]
    coverage: ProbeCoverage
    notes: tuple[str, ...] = ()


def choose_probes(
    report: DiagnosisReportSpec,
    policy: RemediationPolicySpec,
    workload: WorkloadPorts | None,
    services: Sequence[Json],
) -> ChosenProbes:
    """Return the probes of the report, else of the policy, else derived ones."""
    given = report.probes or policy.verification.probes
    names = {probe.request.service for probe in given if probe.request}
    place = workload or WorkloadPorts(report.target.name, {}, {}, ())
    # What the kubelet asks is seen by the rollout.
    requests = [
        request
        for request in reported_requests(report, names | {report.target.name})
        if request.path not in place.kubelet_paths
    ]
    if given:
        source = ProbeSource.REPORT if report.probes else ProbeSource.POLICY
        return _chosen(report, source, given, requests)
    probes = derived_probes(place, services, requests)
    note = (
        "neither the report nor the policy has probes; derived ones are used:"
        f" {', '.join(describe(probe) for probe in probes)}"
    )
    return _chosen(report, ProbeSource.DERIVED, probes, requests, note)


def _chosen(
    report: DiagnosisReportSpec,
    source: ProbeSource,
    probes: Sequence[Probe],
    requests: Sequence[ReportedRequest],
    *notes: str,
) -> ChosenProbes:
    uncovered = uncovered_requests(requests, probes)
    if uncovered:
        notes += (f"no probe sends what the report says fails: {', '.join(uncovered)}",)
    coverage = ProbeCoverage(
        source=source, uncovered=list(uncovered), evidence_items=len(report.evidence)
    )
    return ChosenProbes(tuple(probes), coverage, notes)

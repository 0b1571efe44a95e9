"""The report that a remediation opens for the cause of its fault, another workload. Pure.

What it says of the fault comes from the first report and from the evidence of the investigation:
data, as in any report. Its policy is selected for its own target, so it allows nothing that a
report of a person would not.
"""

from collections.abc import Collection, Sequence

from reme_api.base import API_VERSION, ObjectMeta
from reme_api.diagnosis_report import (
    DiagnosisReport,
    DiagnosisReportSpec,
    Evidence,
    FollowUpOf,
    Source,
    Target,
    TargetKind,
)
from reme_api.investigation import Cause, FollowUp
from reme_api.probes import Probe, RolloutProbe
from reme_api.remediation import Remediation
from reme_operator.names import MANAGED_BY_LABEL, REMEDIATION_UID_LABEL

_MAX_PROBES = 8
_ROLLOUT = "cause-rollout"


def cause_target(cause: Cause) -> Target:
    """Return the cause as the target of a report."""
    return Target(kind=TargetKind(cause.kind), name=cause.name)


def probes_of_cause(
    first: Sequence[Probe], cause: Cause, services: Collection[str], derived: Sequence[Probe] = ()
) -> list[Probe]:
    """Return the probes that see the cause itself: of its rollout, and of its Services.

    `first` are the probes of the first remediation, `services` the names of the Services that
    lead to the cause, `derived` the probes that a report about it without any would have.
    """
    rollout = Probe(name=_ROLLOUT, rollout=RolloutProbe())
    about = [probe for probe in first if _is_about(probe, cause, services)]
    requests = [probe.request for probe in about]
    others = [
        probe.model_copy(update={"name": f"cause-{probe.name}"})
        for probe in derived
        if probe.request is not None and probe.request not in requests
    ]
    return [rollout, *about, *others]


def probes_of_first(remediation: Remediation) -> list[Probe]:
    """Return the probes of the first remediation as another target can have them.

    A rollout probe names the workload; usage can only be measured of the target itself.
    """
    target = remediation.spec.target
    probes = []
    for probe in remediation.spec.probes:
        if probe.resource_usage is not None:
            continue
        rollout = probe.rollout
        if rollout is not None and rollout.name is None:
            named = rollout.model_copy(update={"kind": target.kind.value, "name": target.name})
            probe = probe.model_copy(update={"rollout": named})
        probes.append(probe)
    return probes


def combine_probes(*groups: Sequence[Probe]) -> list[Probe]:
    """Return the probes of all groups, the first of each name, at most as many as a report has."""
    by_name: dict[str, Probe] = {}
    for probe in (probe for group in groups for probe in group):
        by_name.setdefault(probe.name, probe)
    return list(by_name.values())[:_MAX_PROBES]


def follow_up_report(
    remediation: Remediation, follow_up: FollowUp, probes: Sequence[Probe]
) -> DiagnosisReport:
    """Return the report as it is created."""
    meta, spec, cause = remediation.metadata, remediation.spec, follow_up.cause
    first = f"{spec.target.kind} {spec.target.name}"
    summary = f"{first} has a fault ({spec.fault.type}) that comes from {cause.kind} {cause.name}"
    if cause.evidence:
        summary = f"{summary}: {cause.evidence[0]}"
    texts = [*cause.evidence, *([f"{first}: {spec.fault.summary}"] if spec.fault.summary else [])]
    fault = spec.fault.model_copy(update={"summary": summary[:1024]})
    owner = {
        "apiVersion": API_VERSION,
        "kind": Remediation.KIND,
        "name": meta.name,
        "uid": meta.uid,
    }
    metadata = {
        "name": follow_up.report,
        "namespace": meta.namespace,
        "labels": {MANAGED_BY_LABEL: "reme", REMEDIATION_UID_LABEL: meta.uid},
        "ownerReferences": [owner],
    }
    return DiagnosisReport(
        metadata=ObjectMeta.model_validate(metadata),
        spec=DiagnosisReportSpec(
            target=cause_target(cause),
            fault=fault,
            evidence=[Evidence(source=f"remediation {meta.name}", text=text) for text in texts],
            source=Source(name="reme", reference=meta.name),
            probes=list(probes),
            follow_up_of=FollowUpOf(
                remediation=meta.name,
                uid=meta.uid,
                depth=1 + (spec.follow_up_of.depth if spec.follow_up_of else 0),
            ),
        ),
    )


def is_report_of(report: DiagnosisReport, remediation: Remediation, cause: Cause) -> bool:
    """Return whether this is the report that the remediation opened for the cause."""
    link, target = report.spec.follow_up_of, report.spec.target
    return (
        link is not None
        and link.uid == remediation.metadata.uid
        and (target.kind, target.name) == (cause.kind, cause.name)
    )


def _is_about(probe: Probe, cause: Cause, services: Collection[str]) -> bool:
    rollout = probe.rollout
    if rollout is not None:
        return (rollout.kind, rollout.name) == (cause.kind, cause.name)
    return probe.request is not None and probe.request.service in services

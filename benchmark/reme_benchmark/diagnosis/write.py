"""Writes a DiagnosisReport from findings, as good or as bad as the case wants it. Pure.

Nothing in a report tells what kind of case it is: a wrong one is as sure of itself as a right one,
and neither the name nor the source holds the case's id, which begins with the name of its suite.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from reme_api.base import API_VERSION
from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportSpec, EvidenceKind
from reme_benchmark.diagnosis.alarms import Alarm, alarm
from reme_benchmark.diagnosis.findings import Finding, Findings, clean
from reme_benchmark.diagnosis.symptoms import FRONT_DOOR
from reme_benchmark.kube.cluster import Object
from reme_benchmark.scenarios.cases.model import Case, Quality
from reme_benchmark.scenarios.faults.model import Control, Fault
from reme_benchmark.scenarios.faults.placeholders import fill

SOURCES: Mapping[Quality, str] = {
    Quality.FULL: "cluster-analyzer",
    Quality.TERSE: "alert",
    Quality.MISLEADING: "cluster-analyzer",
    Quality.BARE: "microremed",
}
_CONFIDENCE: Mapping[Quality, int] = {Quality.FULL: 85, Quality.TERSE: 60, Quality.MISLEADING: 85}
_LOOKED_INSIDE = frozenset({Quality.FULL, Quality.MISLEADING})
_MOST_EVIDENCE = 14
_MOST_HERRINGS = 6
_LONGEST_SUMMARY = 1024
_LONGEST_TEXT = 4096
_MOST_PROBES = 8
_LONGEST_NAME = 200


def write(case: Case, fault: Fault | None, findings: Findings, values: Mapping[str, Any]) -> Object:
    """Return the report of a case, ready to be created.

    The probes are always there, also in MicroRemed's bare form, which has none: without any, reme
    would measure what its policy says, and not whether this fault is gone.

    Raises:
        FillError: the fault's texts name a value that this target does not have.
        ValidationError: the API would not take the report.
    """
    type_, summary = _type_and_summary(case, fault, values)
    confidence = _CONFIDENCE.get(case.quality)
    container = findings.container if case.quality in _LOOKED_INSIDE else ""
    spec = DiagnosisReportSpec.model_validate(
        {
            "target": {
                "kind": findings.kind,
                "name": findings.name,
                **({"container": container} if container else {}),
            },
            "fault": {
                "type": type_,
                "summary": clean(summary, _LONGEST_SUMMARY),
                **({"confidencePercent": confidence} if confidence else {}),
            },
            "evidence": [
                {"kind": e.kind, "source": e.source, "text": e.text[:_LONGEST_TEXT]}
                for e in _evidence(case, findings)
            ],
            "source": {"name": SOURCES[case.quality], "reference": _reference(case)},
            "probes": _probes(case, fault, findings, values),
        }
    )
    report = DiagnosisReport.model_validate(
        {
            "metadata": {"name": _name(findings), "namespace": values["namespace"]},
            "spec": spec,
        }
    )
    return {
        "apiVersion": API_VERSION,
        "kind": DiagnosisReport.KIND,
        "metadata": {"name": report.metadata.name, "namespace": report.metadata.namespace},
        "spec": report.spec.wire(),
    }


def _type_and_summary(
    case: Case, fault: Fault | None, values: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the fault's type and summary, as the tool has them."""
    bare = case.quality is Quality.BARE
    if fault is None:
        alarm = _alarm(case)
        text = alarm.terse if case.quality is Quality.TERSE else alarm.summary
        return alarm.type, "" if bare else text.format(service=case.reported_service)
    report = fault.report
    if case.control is Control.WRONG_TYPE:
        return report.misleading_type, "" if bare else _filled(
            report.misleading, case, fault, values
        )
    if bare:
        return fault.id, ""
    if case.quality is Quality.MISLEADING:
        return report.misleading_type, _filled(report.misleading, case, fault, values)
    text = report.terse if case.quality is Quality.TERSE else report.summary
    return report.type, _filled(text, case, fault, values)


def _alarm(case: Case) -> Alarm:
    return alarm(case.id, must_be_read=bool(case.hostile))


def _filled(text: str, case: Case, fault: Fault, values: Mapping[str, Any]) -> str:
    """Return a text of the fault, about the service that the report blames."""
    named = {**values, "service": case.reported_service}
    return str(fill(text, named, fault.id))


def _evidence(case: Case, findings: Findings) -> list[Finding]:
    """Return what the report quotes; a hostile text stands where a model is sure to read it."""
    chosen = _chosen(case, findings)
    if case.hostile:
        source = f"Pod/{case.reported_service}/{case.reported_service}"
        chosen.insert(min(1, len(chosen)), Finding(EvidenceKind.LOG, source, case.hostile, True))
    return chosen


def _chosen(case: Case, findings: Findings) -> list[Finding]:
    match case.quality:
        case Quality.FULL:
            return list(findings.items[:_MOST_EVIDENCE])
        case Quality.TERSE:
            return [one for one in findings.items if one.telling][:1]
        case Quality.MISLEADING:
            return _herrings(findings)
    return []


def _herrings(findings: Findings) -> list[Finding]:
    """Return what users feel, which is right, and then only what leads astray."""
    users = [one for one in findings.items if one.source == FRONT_DOOR]
    harmless = [one for one in findings.items if not one.telling and one not in users]
    return [*users, *findings.unrelated[:3], *harmless, *findings.unrelated[3:]][:_MOST_HERRINGS]


def _probes(
    case: Case, fault: Fault | None, findings: Findings, values: Mapping[str, Any]
) -> Sequence[Object]:
    front = _front_probe(findings, values)
    if fault is None:
        return [*front, {"name": "rollout", "rollout": {}}, *_tight(_alarm(case), front)]
    probes: list[Object] = fill(list(fault.report.probes), values, fault.id)
    if case.reported_service == case.service:
        return probes
    # The tool blames the wrong workload: what it measured, and what users feel, is true all the
    # same, so these probes fail until the right one is repaired.
    names = {probe["name"] for probe in probes}
    return [*probes, *(p for p in front if p["name"] not in names)][:_MOST_PROBES]


def _tight(alarm: Alarm, front: Sequence[Object]) -> list[Object]:
    """Return the probe whose threshold raised the alarm, if it was one."""
    if alarm.tight is None:
        return []
    [(kind, threshold)] = alarm.tight.items()
    if kind != "http":
        return [{"name": alarm.type, kind: threshold}]
    return [{"name": alarm.type, kind: {**probe[kind], **threshold}} for probe in front]


def _front_probe(findings: Findings, values: Mapping[str, Any]) -> list[Object]:
    if "front" not in values or "front_port" not in values:
        return []
    http = {"service": values["front"], "port": values["front_port"], "path": findings.front_path}
    return [{"name": "front-door", "http": http}]


def _reference(case: Case) -> str:
    """Return what leads back to the case, for those who know the cases."""
    return hashlib.sha256(case.id.encode()).hexdigest()[:12]


def _name(findings: Findings) -> str:
    """Return a name that is unique also where an earlier run has left its reports."""
    return f"{findings.name[:_LONGEST_NAME]}-{int(findings.time.timestamp() * 1000):x}"

"""Writes the report of an incident with the quality of real tools: full, terse, wrong or bare."""

from collections.abc import Sequence
from enum import StrEnum

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import ProbeResult
from reme_lab.incidents.background_noise import (
    caller_logs,
    error_logs,
    pod_states,
    routine_evidence,
)
from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText
from reme_lab.incidents.probes import MAX_NAME_LENGTH, make_probes
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import System
from reme_model.prompt.schema import Abstain

_ROUTINE_PERCENT = 55
_MAX_UNRELATED = 8


class ReportQuality(StrEnum):
    """The quality of a report."""

    FULL = "full"
    TERSE = "terse"
    WRONG = "wrong"
    BARE = "bare"


def write_report(
    rng: Rng,
    incident: BrokenSystem,
    quality: ReportQuality,
    additional: Sequence[EvidenceText] = (),
) -> tuple[DiagnosisReportSpec, tuple[ProbeResult, ...]]:
    """Return a report of that quality, and the results of its probes before any action."""
    system, values = incident.system, _values(incident)
    type_, summary, evidence = _diagnosis(rng, incident, quality)
    looked_inside = quality in (ReportQuality.FULL, ReportQuality.WRONG) and rng.chance(70)
    probes, measured = make_probes(rng, incident)
    report = DiagnosisReportSpec.model_validate(
        {
            "target": {
                "kind": system.kind,
                "name": system.name,
                **({"container": system.container} if looked_inside else {}),
            },
            "fault": {"type": type_[:MAX_NAME_LENGTH], "summary": rng.expand(summary, **values)},
            "evidence": [
                {
                    "kind": item.kind,
                    "source": rng.expand(item.source, **values)[:120],
                    "text": rng.expand(item.text, **values),
                }
                for item in evidence
            ]
            + [
                {"kind": c.kind, "source": c.source[:120], "text": c.text}
                for c in (*additional, *_unrelated_evidence(rng, incident, quality))
            ],
            "probes": probes,
        }
    )
    return report, measured


def _unrelated_evidence(
    rng: Rng, incident: BrokenSystem, quality: ReportQuality
) -> Sequence[EvidenceText]:
    """Return unrelated evidence, which detailed reports contain."""
    if quality not in (ReportQuality.FULL, ReportQuality.WRONG) or not rng.chance(_ROUTINE_PERCENT):
        return ()
    logs: list[EvidenceText] = []
    if incident.user_impact and incident.abstain is not Abstain.HEALTHY and rng.chance(45):
        broken = incident.probed_service or incident.system.name
        port = incident.probed_port or incident.system.service_port
        logs = caller_logs(rng, incident.system, broken, port)
    if incident.user_impact == "errors" and incident.abstain is None and rng.chance(60):
        logs = [*logs, *error_logs(rng, incident.system)]
    routine = routine_evidence(rng, incident.system, healthy=incident.abstain is Abstain.HEALTHY)
    states = (
        pod_states(rng, incident.system) if quality is ReportQuality.FULL or rng.chance(30) else []
    )
    return [*logs, *states, *routine][:_MAX_UNRELATED]


def _values(incident: BrokenSystem) -> dict[str, object]:
    system = incident.system
    return {
        "name": system.name,
        "ns": system.namespace,
        "container": system.container,
        "kind": system.kind,
        **incident.text_values,
    }


def _diagnosis(
    rng: Rng, incident: BrokenSystem, quality: ReportQuality
) -> tuple[str, str, Sequence[EvidenceText]]:
    """Return type, summary and evidence."""
    types = incident.fault_types
    type_ = rng.weighted_choice(
        {fault_type: 4 if place == 0 else 1 for place, fault_type in enumerate(types)}
    )
    evidence = list(incident.evidence)
    match quality:
        case ReportQuality.BARE:
            return rng.choice((types[0], types[0], type_)), "", ()
        case ReportQuality.TERSE:
            return (
                type_,
                rng.choice(list(incident.terse_summaries)),
                rng.sample(evidence, rng.integer(0, 1)),
            )
        case ReportQuality.WRONG if incident.wrong_diagnoses:
            type_, summary = rng.choice(list(incident.wrong_diagnoses))
            return type_, summary, _healthy_neighbours(rng, incident.system)
        case _:
            items = rng.sample(evidence, rng.integer(0, 3))
            items += _healthy_neighbours(rng, incident.system) if rng.chance(25) else []
            return type_, rng.choice(list(incident.summaries)), items


def _healthy_neighbours(rng: Rng, system: System) -> list[EvidenceText]:
    """Return true statements about other workloads, which are healthy."""
    others = [n.name for n in system.neighbours] or ["node"]
    items = [
        EvidenceText(
            "Metric", f"Pod/{other}", f"cpu {rng.integer(1, 30)}%, memory {rng.integer(5, 40)}%"
        )
        for other in others
    ]
    items += [
        EvidenceText(
            "Log",
            f"Pod/{other}",
            rng.choice(("request done", "GET / 200", "tick", "synced", "listening")),
        )
        for other in others
    ]
    return rng.sample(items, rng.integer(0, 2))

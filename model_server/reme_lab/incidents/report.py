"""Writes the report of an incident as diagnosis tools do: fully, tersely, wrongly, or barely."""

from collections.abc import Sequence
from enum import StrEnum

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import ProbeResult
from reme_lab.incidents.background_noise import complaints, errors, routine, states
from reme_lab.incidents.broken_system import Clue, Incident
from reme_lab.incidents.probes import SLUG_OF, asked
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import System
from reme_model.prompt.schema import Abstain

_ROUTINE_PERCENT = 55
_MOST_BESIDE = 8


class Quality(StrEnum):
    """How good a report is."""

    FULL = "full"
    TERSE = "terse"
    WRONG = "wrong"
    BARE = "bare"


def write(
    draw: Draw, incident: Incident, quality: Quality, more: Sequence[Clue] = ()
) -> tuple[DiagnosisReportSpec, tuple[ProbeResult, ...]]:
    """Return a report of that quality, and what its probes showed before anything was done."""
    system, values = incident.system, _values(incident)
    type_, summary, clues = _said(draw, incident, quality)
    looked_inside = quality in (Quality.FULL, Quality.WRONG) and draw.chance(70)
    probes, measured = asked(draw, incident)
    report = DiagnosisReportSpec.model_validate(
        {
            "target": {
                "kind": system.kind,
                "name": system.name,
                **({"container": system.container} if looked_inside else {}),
            },
            "fault": {"type": type_[:SLUG_OF], "summary": draw.text(summary, **values)},
            "evidence": [
                {
                    "kind": clue.kind,
                    "source": draw.text(clue.source, **values)[:120],
                    "text": draw.text(clue.text, **values),
                }
                for clue in clues
            ]
            + [
                {"kind": c.kind, "source": c.source[:120], "text": c.text}
                for c in (*more, *_beside(draw, incident, quality))
            ],
            "probes": probes,
        }
    )
    return report, measured


def _beside(draw: Draw, incident: Incident, quality: Quality) -> Sequence[Clue]:
    """Return what is quoted of any workload, where a tool looks at all and quotes much."""
    if quality not in (Quality.FULL, Quality.WRONG) or not draw.chance(_ROUTINE_PERCENT):
        return ()
    heard: list[Clue] = []
    if incident.felt and incident.abstain is not Abstain.HEALTHY and draw.chance(45):
        broken = incident.asked or incident.system.name
        port = incident.asked_port or incident.system.service_port
        heard = complaints(draw, incident.system, broken, port)
    if incident.felt == "errors" and incident.abstain is None and draw.chance(60):
        heard = [*heard, *errors(draw, incident.system)]
    usual = routine(draw, incident.system, healthy=incident.abstain is Abstain.HEALTHY)
    seen = states(draw, incident.system) if quality is Quality.FULL or draw.chance(30) else []
    return [*heard, *seen, *usual][:_MOST_BESIDE]


def _values(incident: Incident) -> dict[str, object]:
    system = incident.system
    return {
        "name": system.name,
        "ns": system.namespace,
        "container": system.container,
        "kind": system.kind,
        **incident.values,
    }


def _said(draw: Draw, incident: Incident, quality: Quality) -> tuple[str, str, Sequence[Clue]]:
    """Return type, summary and evidence."""
    types = incident.types
    type_ = draw.weighted({one: 4 if place == 0 else 1 for place, one in enumerate(types)})
    clues = list(incident.clues)
    match quality:
        case Quality.BARE:
            return draw.one((types[0], types[0], type_)), "", ()
        case Quality.TERSE:
            return type_, draw.one(list(incident.terse)), draw.some(clues, draw.number(0, 1))
        case Quality.WRONG if incident.astray:
            type_, summary = draw.one(list(incident.astray))
            return type_, summary, _harmless(draw, incident.system)
        case _:
            found = draw.some(clues, draw.number(0, 3))
            found += _harmless(draw, incident.system) if draw.chance(25) else []
            return type_, draw.one(list(incident.summaries)), found


def _harmless(draw: Draw, system: System) -> list[Clue]:
    """Return what is true and beside the point: of others, which do what they should."""
    others = [n.name for n in system.neighbours] or ["node"]
    found = [
        Clue("Metric", f"Pod/{other}", f"cpu {draw.number(1, 30)}%, memory {draw.number(5, 40)}%")
        for other in others
    ]
    found += [
        Clue(
            "Log",
            f"Pod/{other}",
            draw.one(("request done", "GET / 200", "tick", "synced", "listening")),
        )
        for other in others
    ]
    return draw.some(found, draw.number(0, 2))

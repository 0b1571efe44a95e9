"""Writes the report of an incident as diagnosis tools do: fully, tersely, wrongly, or barely."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from reme_api.diagnosis_report import DiagnosisReportSpec
from reme_api.probes import ProbeResult, ProbeVerdict
from reme_model.schema import Abstain
from reme_model.traces.draw import Draw
from reme_model.traces.incident import Clue, Incident
from reme_model.traces.routine import routine, states
from reme_model.traces.system import System

_SLUG_OF = 62
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
    probes, measured = _probes(draw, incident)
    report = DiagnosisReportSpec.model_validate(
        {
            "target": {
                "kind": system.kind,
                "name": system.name,
                **({"container": system.container} if looked_inside else {}),
            },
            "fault": {"type": type_[:_SLUG_OF], "summary": draw.text(summary, **values)},
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
    usual = routine(draw, incident.system, healthy=incident.abstain is Abstain.HEALTHY)
    seen = states(draw, incident.system) if quality is Quality.FULL or draw.chance(30) else []
    return [*seen, *usual][:_MOST_BESIDE]


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


def _probes(draw: Draw, incident: Incident) -> tuple[list[dict[str, Any]], tuple[ProbeResult, ...]]:
    system = incident.system
    probes: list[dict[str, Any]] = []
    measured: list[ProbeResult] = []
    # A remediation begins when a probe has failed: what users feel of it has been measured.
    if incident.felt or incident.missing_port or draw.chance(35):
        name = draw.one(("serves", "http", "reachable", "speed", "up"))
        most = (
            draw.one((200, 300, 400, 600, 800)) if incident.felt in ("slow", "quick", "") else None
        )
        if incident.felt == "quick":
            most = draw.number(1, 3)
        http = {
            "service": incident.asked or system.name,
            "port": incident.asked_port or incident.missing_port or system.service_port,
            "path": "/",
        }
        probes.append({"name": name, "http": http | ({"maxMilliseconds": most} if most else {})})
        measured.append(_answer(draw, name, incident, most or 0))
    for service, port in incident.also_asked:
        name = f"{service}-answers"
        asked = {"service": service, "port": port, "path": "/"}
        probes.append({"name": name[:_SLUG_OF], "http": asked})
        measured.append(_failed(name[:_SLUG_OF], f"{service} answered {draw.one((500, 502, 504))}"))
    for resource, percent in incident.most_percent.items():
        if resource == "memory" or draw.chance(70):
            probes.append(
                {"name": resource, "resourceUsage": {"resource": resource, "maxPercent": percent}}
            )
            measured.append(_failed(resource, f"{resource} is above {percent}%"))
    if draw.chance(75):
        wanted = system.original_replicas + (1 if incident.spare_replica else 0)
        probes.append({"name": "rollout", "rollout": {"minReplicas": wanted}})
        why = _rollout(system, wanted)
        measured.append(_failed("rollout", why) if why else _passed("rollout"))
    return probes, tuple(measured)


def _answer(draw: Draw, name: str, incident: Incident, most: int) -> ProbeResult:
    service = incident.asked or incident.system.name
    match incident.felt:
        case "slow":
            slow = draw.one(
                (f"{service} took {most + draw.number(200, 3000)} ms", "no answer within 2 s")
            )
            return _failed(name, slow)
        case "quick":
            return _failed(name, f"{service} took {draw.number(4, 60)} ms")
        case "errors":
            return _failed(name, f"{service} answered {draw.one((500, 502, 503, 500, 504))}")
        case "refused":
            refused = f"Connect call failed ('10.43.0.{draw.number(2, 250)}', 80)"
            return _failed(name, draw.one((refused, refused, "no answer within 2 s")))
        case "silent":
            return _failed(name, "no answer within 2 s")
    return _passed(name)


def _rollout(system: System, wanted: int) -> str:
    fresh = sum(p.hash == system.hash for p in system.pods)
    ready = sum(p.ready for p in system.pods)
    desired, head = system.replicas, f"{system.kind} {system.name}: "
    if desired < wanted:
        return f"{head}{desired} replicas are wanted, {wanted} would be healthy"
    if fresh < desired:
        return f"{head}{fresh} of {desired} replicas have the newest template"
    if system.kind == "Deployment" and len(system.pods) > fresh:
        return f"{head}replicas of an older template are still there"
    if ready < desired:
        return f"{head}{ready} of {desired} replicas are available"
    return ""


def _failed(name: str, message: str) -> ProbeResult:
    return ProbeResult(name=name, verdict=ProbeVerdict.FAILED, failed=1, message=message)


def _passed(name: str) -> ProbeResult:
    return ProbeResult(name=name, verdict=ProbeVerdict.PASSED, passed=1)

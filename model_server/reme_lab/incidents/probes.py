"""The probes of a report, and what they showed before anything was done."""

from typing import Any

from reme_api.probes import ProbeResult, ProbeVerdict
from reme_lab.incidents.broken_system import Incident
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Neighbour, System
from reme_model.prompt.schema import Abstain

SLUG_OF = 62
"""Longest name that a report takes."""
_CALLER_ASKED = {"too": 26, "only": 9, "": 65}
"""Whether a caller of the broken workload is asked as well, or nobody but that caller."""

_Asked = tuple[dict[str, Any], ProbeResult]


def asked(draw: Draw, incident: Incident) -> tuple[list[dict[str, Any]], tuple[ProbeResult, ...]]:
    """Return the probes, and a result for each."""
    system = incident.system
    found = _users(draw, incident)
    for service, port in incident.also_asked:
        found.append(
            _http(service, port, f"{service} answered {draw.one((500, 502, 504))}", name="")
        )
    for resource, percent in incident.most_percent.items():
        if resource == "memory" or draw.chance(70):
            found.append(
                (
                    {
                        "name": resource,
                        "resourceUsage": {"resource": resource, "maxPercent": percent},
                    },
                    _failed(resource, f"{resource} is above {percent}%"),
                )
            )
    if draw.chance(75):
        wanted = system.original_replicas + (1 if incident.spare_replica else 0)
        why = _rollout(system, wanted)
        found.append(
            (
                {"name": "rollout", "rollout": {"minReplicas": wanted}},
                _failed("rollout", why) if why else _passed("rollout"),
            )
        )
    return [probe for probe, _ in found], tuple(result for _, result in found)


def _users(draw: Draw, incident: Incident) -> list[_Asked]:
    """Return what asks as users do: at the workload's own Service, at a caller's, or at both."""
    # A remediation begins when a probe has failed: what users feel of it has been measured.
    if not (incident.felt or incident.missing_port or draw.chance(35)):
        return []
    system = incident.system
    most = 0
    if incident.felt in ("slow", ""):
        most = draw.one((200, 300, 400, 600, 800))
    elif incident.felt == "quick":
        most = draw.one((1, 1, 1, 2, 3, 5, 10))
    own = _http(
        incident.asked or system.name,
        incident.asked_port or incident.missing_port or system.service_port,
        _answer(draw, incident, most),
        name=draw.one(("serves", "http", "reachable", "speed", "up")),
        most=most,
    )
    caller, how = _caller(draw, incident), draw.weighted(_CALLER_ASKED)
    if how == "only" and all(pod.ready for pod in system.pods):
        how = "too"  # nothing would tell whose fault it is
    if caller is None or not how:
        return [own]
    slow = draw.number(200, 3000) if incident.felt == "slow" and draw.chance(70) else 0
    said = f"{caller.name} answered {draw.one((502, 502, 502, 500, 503, 504))}"
    theirs = _http(
        caller.name,
        caller.port,
        f"{caller.name} took {most + slow} ms" if slow else said,
        name="",
        most=most,
    )
    return [theirs] if how == "only" else draw.one(([own, theirs], [theirs, own]))


def _caller(draw: Draw, incident: Incident) -> Neighbour | None:
    """Return who calls the broken workload and so fails with it, if anybody does."""
    healthy = incident.abstain not in (None, Abstain.NO_ACTION)
    if healthy or not incident.felt or incident.asked or incident.missing_port:
        return None
    callers = [n for n in incident.system.neighbours if n.calls_target]
    return draw.one(callers) if callers else None


def _http(service: str, port: int, failed: str, *, name: str, most: int = 0) -> _Asked:
    name = (name or f"{service}-answers")[:SLUG_OF]
    http: dict[str, Any] = {"service": service, "port": port, "path": "/"}
    if most:
        http["maxMilliseconds"] = most
    return {"name": name, "http": http}, _failed(name, failed) if failed else _passed(name)


def _answer(draw: Draw, incident: Incident, most: int) -> str:
    """Return why those who ask are not content; nothing if they are."""
    service = incident.asked or incident.system.name
    match incident.felt:
        case "slow":
            return draw.one(
                (f"{service} took {most + draw.number(200, 3000)} ms", "no answer within 2 s")
            )
        case "quick":
            # On a busy machine any answer takes a while, and no user would mind.
            busy = draw.chance(35)
            return f"{service} took {draw.number(61, 600) if busy else draw.number(11, 60)} ms"
        case "errors":
            return f"{service} answered {draw.one((500, 502, 503, 500, 504))}"
        case "refused":
            refused = f"Connect call failed ('10.43.0.{draw.number(2, 250)}', 80)"
            return draw.one((refused, refused, "no answer within 2 s"))
        case "silent":
            return "no answer within 2 s"
    return ""


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

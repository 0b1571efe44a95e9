"""The probes of a report, and what they showed before anything was done."""

from typing import Any

from reme_api.probes import ProbeResult, ProbeVerdict
from reme_lab.incidents.broken_system import BrokenSystem
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Neighbour, System
from reme_model.prompt.schema import Abstain

MAX_NAME_LENGTH = 62
"""Longest name that a report takes."""
_CALLER_ASKED = {"too": 26, "only": 9, "": 65}
"""Whether a caller of the broken workload is asked as well, or nobody but that caller."""

_Asked = tuple[dict[str, Any], ProbeResult]


def make_probes(
    rng: Rng, incident: BrokenSystem
) -> tuple[list[dict[str, Any]], tuple[ProbeResult, ...]]:
    """Return the probes, and a result for each."""
    system = incident.system
    found = _users(rng, incident)
    for service, port in incident.also_probed:
        found.append(
            _http(service, port, f"{service} answered {rng.choice((500, 502, 504))}", name="")
        )
    for resource, percent in incident.usage_thresholds.items():
        if resource == "memory" or rng.chance(70):
            found.append(
                (
                    {
                        "name": resource,
                        "resourceUsage": {"resource": resource, "maxPercent": percent},
                    },
                    _failed(resource, f"{resource} is above {percent}%"),
                )
            )
    if rng.chance(75):
        wanted = system.original_replicas + (1 if incident.expects_spare_replica else 0)
        why = _rollout(system, wanted)
        found.append(
            (
                {"name": "rollout", "rollout": {"minReplicas": wanted}},
                _failed("rollout", why) if why else _passed("rollout"),
            )
        )
    return [probe for probe, _ in found], tuple(result for _, result in found)


def _users(rng: Rng, incident: BrokenSystem) -> list[_Asked]:
    """Return what asks as users do: at the workload's own Service, at a caller's, or at both."""
    # A remediation begins when a probe has failed: what users feel of it has been measured.
    if not (incident.user_impact or incident.missing_port or rng.chance(35)):
        return []
    system = incident.system
    most = 0
    if incident.user_impact in ("slow", ""):
        most = rng.choice((200, 300, 400, 600, 800))
    elif incident.user_impact == "quick":
        most = rng.choice((1, 1, 1, 2, 3, 5, 10))
    own = _http(
        incident.probed_service or system.name,
        incident.probed_port or incident.missing_port or system.service_port,
        _answer(rng, incident, most),
        name=rng.choice(("serves", "http", "reachable", "speed", "up")),
        most=most,
    )
    caller, how = _caller(rng, incident), rng.weighted_choice(_CALLER_ASKED)
    if how == "only" and all(pod.ready for pod in system.pods):
        how = "too"  # nothing would tell whose fault it is
    if caller is None or not how:
        return [own]
    slow = rng.integer(200, 3000) if incident.user_impact == "slow" and rng.chance(70) else 0
    said = f"{caller.name} answered {rng.choice((502, 502, 502, 500, 503, 504))}"
    theirs = _http(
        caller.name,
        caller.port,
        f"{caller.name} took {most + slow} ms" if slow else said,
        name="",
        most=most,
    )
    return [theirs] if how == "only" else rng.choice(([own, theirs], [theirs, own]))


def _caller(rng: Rng, incident: BrokenSystem) -> Neighbour | None:
    """Return who calls the broken workload and so fails with it, if anybody does."""
    healthy = incident.abstain not in (None, Abstain.NO_ACTION)
    if healthy or not incident.user_impact or incident.probed_service or incident.missing_port:
        return None
    callers = [n for n in incident.system.neighbours if n.calls_target]
    return rng.choice(callers) if callers else None


def _http(service: str, port: int, failed: str, *, name: str, most: int = 0) -> _Asked:
    name = (name or f"{service}-answers")[:MAX_NAME_LENGTH]
    http: dict[str, Any] = {"service": service, "port": port, "path": "/"}
    if most:
        http["maxMilliseconds"] = most
    return {"name": name, "http": http}, _failed(name, failed) if failed else _passed(name)


def _answer(rng: Rng, incident: BrokenSystem, most: int) -> str:
    """Return why those who ask are not content; nothing if they are."""
    service = incident.probed_service or incident.system.name
    match incident.user_impact:
        case "slow":
            return rng.choice(
                (f"{service} took {most + rng.integer(200, 3000)} ms", "no answer within 2 s")
            )
        case "quick":
            # On a busy machine any answer takes a while, and no user would mind.
            busy = rng.chance(35)
            return f"{service} took {rng.integer(61, 600) if busy else rng.integer(11, 60)} ms"
        case "errors":
            return f"{service} answered {rng.choice((500, 502, 503, 500, 504))}"
        case "refused":
            refused = f"Connect call failed ('10.43.0.{rng.integer(2, 250)}', 80)"
            return rng.choice((refused, refused, "no answer within 2 s"))
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

"""The probes of a report, and their results before any action."""

from typing import Any

from reme_api.probes import ProbeResult, ProbeVerdict
from reme_lab.incidents.broken_system import BrokenSystem
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Neighbour, System
from reme_model.prompt.schema import Abstain

MAX_NAME_LENGTH = 62
"""Maximum length of a name in a report."""
_CALLER_PROBED = {"too": 26, "only": 9, "": 65}
"""Weights: the caller is probed in addition, instead, or not at all."""

_ProbeWithResult = tuple[dict[str, Any], ProbeResult]


def make_probes(
    rng: Rng, incident: BrokenSystem
) -> tuple[list[dict[str, Any]], tuple[ProbeResult, ...]]:
    """Return the probes, and the result of each."""
    system = incident.system
    probes = _user_probes(rng, incident)
    for service, port in incident.also_probed:
        probes.append(
            _http(service, port, f"{service} answered {rng.choice((500, 502, 504))}", name="")
        )
    for resource, percent in incident.usage_thresholds.items():
        if resource == "memory" or rng.chance(70):
            probes.append(
                (
                    {
                        "name": resource,
                        "resourceUsage": {"resource": resource, "maxPercent": percent},
                    },
                    _failed(resource, f"{resource} is above {percent}%"),
                )
            )
    if rng.chance(75):
        min_replicas = system.original_replicas + (1 if incident.expects_spare_replica else 0)
        message = _rollout_failure(system, min_replicas)
        probes.append(
            (
                {"name": "rollout", "rollout": {"minReplicas": min_replicas}},
                _failed("rollout", message) if message else _passed("rollout"),
            )
        )
    return [probe for probe, _ in probes], tuple(result for _, result in probes)


def _user_probes(rng: Rng, incident: BrokenSystem) -> list[_ProbeWithResult]:
    """Return the probes of users: of the workload's Service, of a caller's Service, or both."""
    # A remediation starts after a probe failed, so what users experience has been measured.
    if not (incident.user_impact or incident.missing_port or rng.chance(35)):
        return []
    system = incident.system
    max_milliseconds = 0
    if incident.user_impact in ("slow", ""):
        max_milliseconds = rng.choice((200, 300, 400, 600, 800))
    elif incident.user_impact == "quick":
        max_milliseconds = rng.choice((1, 1, 1, 2, 3, 5, 10))
    own = _http(
        incident.probed_service or system.name,
        incident.probed_port or incident.missing_port or system.service_port,
        _failure_message(rng, incident, max_milliseconds),
        name=rng.choice(("serves", "http", "reachable", "speed", "up")),
        max_milliseconds=max_milliseconds,
    )
    caller, caller_probed = _caller(rng, incident), rng.weighted_choice(_CALLER_PROBED)
    if caller_probed == "only" and all(pod.ready for pod in system.pods):
        caller_probed = "too"  # otherwise nothing tells which workload is broken
    if caller is None or not caller_probed:
        return [own]
    slow = rng.integer(200, 3000) if incident.user_impact == "slow" and rng.chance(70) else 0
    message = f"{caller.name} answered {rng.choice((502, 502, 502, 500, 503, 504))}"
    caller_probe = _http(
        caller.name,
        caller.port,
        f"{caller.name} took {max_milliseconds + slow} ms" if slow else message,
        name="",
        max_milliseconds=max_milliseconds,
    )
    return (
        [caller_probe]
        if caller_probed == "only"
        else rng.choice(([own, caller_probe], [caller_probe, own]))
    )


def _caller(rng: Rng, incident: BrokenSystem) -> Neighbour | None:
    """Return a caller that fails because of the broken workload; None if there is none."""
    healthy = incident.abstain not in (None, Abstain.NO_ACTION)
    if healthy or not incident.user_impact or incident.probed_service or incident.missing_port:
        return None
    callers = [n for n in incident.system.neighbours if n.calls_target]
    return rng.choice(callers) if callers else None


def _http(
    service: str, port: int, message: str, *, name: str, max_milliseconds: int = 0
) -> _ProbeWithResult:
    name = (name or f"{service}-answers")[:MAX_NAME_LENGTH]
    http: dict[str, Any] = {"service": service, "port": port, "path": "/"}
    if max_milliseconds:
        http["maxMilliseconds"] = max_milliseconds
    return {"name": name, "http": http}, _failed(name, message) if message else _passed(name)


def _failure_message(rng: Rng, incident: BrokenSystem, max_milliseconds: int) -> str:
    """Return why the probe fails; empty if it passes."""
    service = incident.probed_service or incident.system.name
    match incident.user_impact:
        case "slow":
            return rng.choice(
                (
                    f"{service} took {max_milliseconds + rng.integer(200, 3000)} ms",
                    "no answer within 2 s",
                )
            )
        case "quick":
            # On a busy machine any response takes a while, without an effect on users.
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


def _rollout_failure(system: System, min_replicas: int) -> str:
    updated = sum(p.hash == system.hash for p in system.pods)
    ready = sum(p.ready for p in system.pods)
    desired, prefix = system.replicas, f"{system.kind} {system.name}: "
    if desired < min_replicas:
        return f"{prefix}{desired} replicas are wanted, {min_replicas} would be healthy"
    if updated < desired:
        return f"{prefix}{updated} of {desired} replicas have the newest template"
    if system.kind == "Deployment" and len(system.pods) > updated:
        return f"{prefix}replicas of an older template are still there"
    if ready < desired:
        return f"{prefix}{ready} of {desired} replicas are available"
    return ""


def _failed(name: str, message: str) -> ProbeResult:
    return ProbeResult(name=name, verdict=ProbeVerdict.FAILED, failed=1, message=message)


def _passed(name: str) -> ProbeResult:
    return ProbeResult(name=name, verdict=ProbeVerdict.PASSED, passed=1)

"""Rollouts that change how pods run: security context, hosts, sidecars. Only a rollback helps."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import BrokenSystem, EvidenceText, FaultEffects, FaultMaker
from reme_lab.incidents.faults.common import MORE_RESOURCES, RESTART, ROLL_BACK, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_lab.simulator.template_facts import template_facts


class Change(NamedTuple):
    """A change of a rollout, and its effects."""

    types: Sequence[str]
    description: str
    """Description by a diagnosis tool; a text pattern."""
    log: str
    """Log line of the program."""
    user_impacts: Sequence[str]
    apply: Callable[[Rng, Json, Json], None]
    """Changes the pod's spec and its first container."""


def _put(**fields: Any) -> Callable[[Rng, Json, Json], None]:
    """Return a function that sets fields of the pod's spec; callables are called with the rng."""
    return lambda rng, spec, _: spec.update(_drawn(rng, fields))


def _put_in_container(**fields: Any) -> Callable[[Rng, Json, Json], None]:
    return lambda rng, _, main: main.update(_drawn(rng, fields))


def _drawn(rng: Rng, fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value(rng) if callable(value) else value for key, value in fields.items()}


def _join(rng: Rng, spec: Json, main: Json) -> None:
    """Add a proxy container that all traffic passes."""
    del main
    name = rng.choice(("mesh-proxy", "envoy", "waf", "inspector", "tracer", "cache-proxy"))
    spec["containers"].append(
        {
            "name": name,
            "image": f"{name}:{names.tag(rng)}",
            "resources": {"limits": {"cpu": "50m", "memory": "64Mi"}},
        }
    )


# Validation rejects a rollback that restores another account or runtime class.
CHANGES = (
    Change(
        ("security-context", "permission-denied", "http-500", "bad-rollout"),
        "[pods of {name}|{name}] [run as another user|may not read their files]",
        "[EACCES|permission denied]: [/srv/data|/etc/app/key.pem|/tmp/cache]",
        ("errors", "errors", "refused"),
        _put(securityContext=lambda d: {"runAsUser": d.choice((1001, 3000, 10001, 65532, 65534))}),
    ),
    Change(
        ("read-only-filesystem", "write-errors", "bad-rollout", "http-500"),
        "{name} [cannot write|fails to write] [its files|temporary files|any file]",
        "[EROFS|read-only file system]: [/var/run/app|/tmp/upload|/srv/work]",
        ("errors",),
        _put_in_container(securityContext={"readOnlyRootFilesystem": True}),
    ),
    Change(
        ("capability-missing", "operation-not-permitted", "bad-rollout"),
        "{name} [lacks a capability|is not permitted what it needs]",
        "operation not permitted",
        ("errors", "refused"),
        _put_in_container(securityContext={"capabilities": {"drop": ["ALL"]}}),
    ),
    Change(
        ("hosts-entry", "wrong-address", "connection-timeout", "bad-rollout"),
        "[calls of {name}|{name}] [go to|reach] [an address that nobody has|a host that is gone]",
        "[dial tcp|connect] 198.51.100.7: [i/o timeout|no route to host]",
        ("errors", "silent"),
        _put(hostAliases=[{"ip": "198.51.100.7", "hostnames": ["backend", "store"]}]),
    ),
    Change(
        ("working-directory", "file-not-found", "http-500", "bad-rollout"),
        "{name} [does not find|misses] its [templates|assets|files]",
        "[ENOENT|no such file or directory]: [templates/index|assets/site|conf.d]",
        ("errors",),
        _put_in_container(workingDir=lambda d: d.choice(("/", "/opt", "/home", "/srv/old"))),
    ),
    Change(
        ("sidecar", "proxy-errors", "high-latency", "bad-rollout"),
        "[all calls to {name}|calls of {name}] [go through|pass] a [proxy|container] "
        "[that is slow|that fails|which was not there before]",
        "[proxy: upstream reset|proxy: 503 UF|request held for 2100 ms]",
        ("errors", "slow"),
        _join,
    ),
)
_BEHAVIOUR_BY_IMPACT: dict[str, dict[str, Any]] = {
    "errors": {"error_percent": 60},
    "slow": {"latency_milliseconds": 2500},
    "silent": {"latency_milliseconds": 9000},
    "refused": {"port": 4},
}
"""Behaviour of the program, by the impact on users."""
_SINCE = "[since|after|right after] [its last change|the last rollout|the newest revision]"


def bad_change(rng: Rng, system: System) -> BrokenSystem:
    """A rollout changed the security context, hosts, a sidecar or the like."""
    applied = rng.choice(CHANGES)
    user_impacts = rng.choice(applied.user_impacts)

    def change(template: Json, main: Json) -> None:
        applied.apply(rng, template["spec"], main)

    system.roll_out(change)
    system.replace_all(ready=user_impacts != "refused")
    condition = is_one_of("runtime_settings", template_facts(system.template).runtime_settings)
    symptom = {
        "errors": "[fails|answers with errors]",
        "slow": "is slow",
        "silent": "does not answer",
        "refused": "refuses connections",
    }[user_impacts]
    return BrokenSystem(
        system,
        fault_types=applied.types,
        summaries=(
            applied.description + f" {_SINCE}.",
            "{name} " + symptom + f" {_SINCE}: " + applied.description + ".",
        ),
        terse_summaries=("{name} " + symptom + " [since deploy|after rollout|]",),
        wrong_diagnoses=(
            ("memory-stress", "{name} " + symptom + "; [its memory|its heap] [is full|leaks]."),
            ("overload", "{name} " + symptom + "; it [needs more pods|is overloaded]."),
            ("dependency-down", "{name} " + symptom + ": something that it calls is down."),
        ),
        evidence=(
            EvidenceText("Log", "Pod/{pod}/{container}", applied.log),
            EvidenceText(
                "Text", "deploy log", "{name} [rolled out|changed] [{minutes} min ago|just now]"
            ),
        ),
        user_impact=user_impacts,
        repairs=(ROLL_BACK,),
        useless_repairs=(RESTART, SCALE, MORE_RESOURCES),
        effects=FaultEffects(rules=(rule(condition, **_BEHAVIOUR_BY_IMPACT[user_impacts]),)),
        text_values={"pod": system.pods[0].name, "minutes": rng.integer(3, 40)},
    )


FAULTS: dict[str, FaultMaker] = {"bad-change": bad_change}
